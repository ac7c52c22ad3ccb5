"""The variables of the template: the report as text and pictures, limited to what fits on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eugenie_cli.evaluation.downsampling import Trace
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.findings import AlarmFinding, AssetFinding, Blame, EventFinding
from eugenie_cli.evaluation.page import plots
from eugenie_cli.evaluation.page.comparison import versus
from eugenie_cli.evaluation.page.formatting import UNKNOWN, Clock, count, counted, duration, number, percent, quantity
from eugenie_cli.evaluation.page.heatmap import heat
from eugenie_cli.evaluation.page.summary import benchmarks, rate_verdict, summary
from eugenie_cli.evaluation.page.svg import Chart
from eugenie_cli.evaluation.page.tables import around, baselines, gaps, identity, root_cause, thresholds
from eugenie_cli.evaluation.provenance import Unknown

MOST_ROWS = 100
"""Rows of a table of events, alarms or assets; the rest are in `-o json`."""
MOST_OVERVIEWS = 40
"""Assets that have a picture in the table."""
NAMED = 3


class Tile(NamedTuple):
    value: str
    name: str
    detail: str
    verdict: str = "neutral"


class Picture(NamedTuple):
    """A drawn event or alarm."""

    title: str
    badge: str
    verdict: str
    lines: tuple[str, ...]
    charts: tuple[tuple[str, Chart], ...]
    """Captions and charts."""


class Table(NamedTuple):
    """Cells are text or a `Chart`; the first column is the row header."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    left_out: str = ""


class _CandidateDelays(NamedTuple):
    """The candidate's delay on each fault, by asset, start and end."""

    version: int
    delays: Mapping[tuple[str, int, int], float | None]

    @classmethod
    def of(cls, report: EvaluationReport) -> _CandidateDelays | None:
        candidate = report.evaluation.candidate
        if candidate is None or report.candidate is None:
            return None
        events = report.candidate.events
        return cls(candidate.version, {(event.asset, event.start, event.end): event.delay_s for event in events})

    def delay(self, event: EventFinding) -> float | None:
        """Seconds; None: missed."""
        return self.delays.get((event.asset, event.start, event.end))


def view(report: EvaluationReport) -> Mapping[str, Any]:
    """The variables of the template."""
    clock = Clock(report.timezone)
    findings, evaluation = report.findings, report.evaluation
    beside, candidate_delays = report.candidate, _CandidateDelays.of(report)
    load, drawn, event_traces = findings.load, bool(len(findings.timeline.start)), findings.event_traces
    period = (
        f"{clock.minute(findings.period[0])} – {clock.minute(findings.period[1])}"
        if findings.period
        else "no judged rows"
    )
    return {
        "title": f"{evaluation.class_name}, version {evaluation.version}",
        "site": report.site,
        "class_name": evaluation.class_name,
        "version": evaluation.version,
        "period": period,
        "timezone": report.timezone,
        "rows": counted(evaluation.judged_rows, "judged row"),
        "assets": counted(evaluation.assets, "asset"),
        "made": clock.minute(report.made),
        "labelled": findings.labelled,
        "summary": summary(report),
        "tiles": _tiles(report),
        "versus": versus(report),
        "candidate_pictures": [_alarm_picture(*pair, clock) for pair in beside.alarm_traces] if beside else [],
        "events": _events(findings.events, clock, candidate_delays) if findings.labelled else None,
        "event_pictures": [_event_picture(*pair, clock, candidate_delays) for pair in event_traces],
        "events_left_out": _left_out(len(event_traces), len(findings.events), "fault", "the missed and the latest"),
        "alarms": _alarms(findings.alarms, load.alarms, clock),
        "alarm_pictures": [_alarm_picture(*pair, clock) for pair in findings.alarm_traces],
        "benchmarks": benchmarks(load),
        "load": load,
        "hours": number(load.hours),
        "standing_peak": load.standing_peak,
        "worst_asset": load.worst_asset,
        "worst_share": percent(load.worst_asset_share, 0),
        "rate_chart": plots.rate_chart(load.per_hour) if load.per_hour is not None else None,
        "load_chart": plots.load_chart(findings.timeline, clock, findings.labelled) if drawn else None,
        "flagged_chart": plots.flagged_chart(findings.timeline, clock, report.budget) if drawn else None,
        "budget": percent(report.budget),
        "on_delay": report.on_delay,
        "off_delay": report.off_delay,
        "window": duration(report.window * report.step_ms / 1000),
        "heat": heat(findings.assets, findings.labelled),
        "around": around(findings.phases),
        "root_cause": root_cause(evaluation.model.root_cause, findings.root_cause_at_alarm),
        "baselines": baselines(evaluation),
        "thresholds": thresholds(report.provenance),
        "gaps": gaps(findings.assets, clock),
        "asset_table": _assets(findings.assets, findings.labelled, clock),
        "identity": identity(report),
        "provenance_unknown": report.provenance.reason if isinstance(report.provenance, Unknown) else "",
        "notes": evaluation.notes,
    }  # fmt: skip


def _tiles(report: EvaluationReport) -> list[Tile]:
    model, load = report.evaluation.model, report.findings.load
    tiles = []
    if model.events is not None:
        events, f1 = model.events, model.point.f1 if model.point else None
        tiles += [
            Tile(f"{events.detected:,} of {events.total:,}", "faults found", f"F1 of rows {number(f1, 3)}"),
            Tile(duration(events.delay_median), "median delay", f"nine in ten within {duration(events.delay_p90)}"),
            Tile(number(model.false_alarms_per_asset_day), "false alarms per asset and day",
                 counted(events.false_alarms, "false alarm")),
        ]  # fmt: skip
    else:
        tiles += [
            Tile(number(model.anomalies_per_asset_day), "alarms per asset and day", counted(load.alarms, "alarm")),
            Tile(percent(model.flagged), "rows above 1", f"budget {percent(report.budget)} of normal rows"),
        ]
    verdict, comment = rate_verdict(load.per_hour)
    return [
        *tiles,
        Tile(number(load.per_hour), "alarms per operator hour", comment, verdict),
        Tile(percent(model.alarm_time_fraction), "of the time in alarm", f"over {number(load.hours)} h watched"),
        Tile(percent(model.coverage), "of judged rows have a score", "the others count as not flagged"),
    ]


def _events(events: Sequence[EventFinding], clock: Clock, candidate_delays: _CandidateDelays | None) -> Table:
    # if there are too many, show the worst
    shown = events if len(events) <= MOST_ROWS else sorted(events, key=lambda event: -_lateness(event))[:MOST_ROWS]
    rows = [
        (
            event.asset,
            clock.second(event.start),
            duration((event.end - event.start) / 1000),
            _delay(event.delay_s),
            *((_delay(candidate_delays.delay(event)),) if candidate_delays else ()),
            UNKNOWN if event.peak is None else quantity(event.peak),
            ", ".join(event.sensors) or "not labelled",
            _named(event.blamed_at_alarm),
            _named(event.blamed),
        )
        for event in shown
    ]
    columns = (
        "asset",
        "start",
        "lasted",
        "delay",
        *((f"delay, version {candidate_delays.version}",) if candidate_delays else ()),
        "peak score",
        "labelled sensors",
        "named at the alarm",
        "named afterwards",
    )
    return Table(columns, rows, _left_out(len(rows), len(events), "fault", "the missed and the latest"))


def _alarms(alarms: Sequence[AlarmFinding], total: int, clock: Clock) -> Table:
    rows = [
        (
            alarm.asset,
            clock.second(alarm.detected),
            duration((alarm.end - alarm.detected) / 1000),
            quantity(alarm.peak),
            {True: "false", False: "during a fault", None: UNKNOWN}[alarm.false],
            _named(alarm.blamed),
        )
        for alarm in alarms[:MOST_ROWS]
    ]
    columns = ("asset", "raised", "on for", "peak score", "judged", "sensors named")
    return Table(columns, rows, _left_out(len(rows), total, "alarm", "the strongest"))


def _assets(assets: Sequence[AssetFinding], labelled: bool, clock: Clock) -> Table:
    worst = sorted(assets, key=_badness, reverse=True)[:MOST_ROWS]
    rows = [
        (
            finding.asset,
            plots.overview_chart(finding.overview, clock) if finding.overview and rank < MOST_OVERVIEWS else UNKNOWN,
            *((f"{finding.detected} of {finding.events}", count(finding.false_alarms)) if labelled else ()),
            count(finding.alarms),
            percent(finding.alarm_time_fraction),
            percent(finding.flagged),
            percent(finding.coverage.scored),
        )
        for rank, finding in enumerate(worst)
    ]  # fmt: skip
    columns = (
        "asset", "score over the whole period", *(("faults found", "false alarms") if labelled else ()), "alarms",
        "time in alarm", "rows above 1", "rows scored",
    )  # fmt: skip
    return Table(
        columns, rows, _left_out(len(rows), len(assets), "asset", "those with the most missed faults and false alarms")
    )


def _badness(finding: AssetFinding) -> tuple[int, int, float]:
    missed = (finding.events or 0) - (finding.detected or 0)
    return missed, finding.false_alarms if finding.false_alarms is not None else finding.alarms, finding.flagged or 0.0


def _lateness(event: EventFinding) -> float:
    return float("inf") if event.delay_s is None else event.delay_s


def _event_picture(
    event: EventFinding, trace: Trace, clock: Clock, candidate_delays: _CandidateDelays | None
) -> Picture:
    detected = event.delay_s is not None
    labelled = f"labelled: {', '.join(event.sensors)}" if event.sensors else "no sensor labelled"
    lines = (
        f"{clock.second(event.start)}, {duration((event.end - event.start) / 1000)}",
        f"{labelled}; named: {_named(event.blamed_at_alarm) if detected else 'nothing'}",
        *(
            (f"version {candidate_delays.version}: {_badge(candidate_delays.delay(event))}",)
            if candidate_delays
            else ()
        ),
    )
    return Picture(event.asset, _badge(event.delay_s), "good" if detected else "poor", lines, _charts(trace, clock))


def _delay(delay: float | None) -> str:
    return "missed" if delay is None else duration(delay)


def _badge(delay: float | None) -> str:
    return "missed" if delay is None else f"found after {duration(delay)}" if delay else "found at once"


def _alarm_picture(alarm: AlarmFinding, trace: Trace, clock: Clock) -> Picture:
    lines = (
        f"{clock.second(alarm.detected)}, on for {duration((alarm.end - alarm.detected) / 1000)}",
        f"named: {_named(alarm.blamed)}",
    )
    badge = f"peak {quantity(alarm.peak)}"
    return Picture(alarm.asset, badge, "poor" if alarm.false else "neutral", lines, _charts(trace, clock))


def _charts(trace: Trace, clock: Clock) -> tuple[tuple[str, Chart], ...]:
    score = plots.score_chart(trace, clock)
    per_point = f", the highest of {trace.rows_per_point} rows per point" if trace.rows_per_point > 1 else ""
    strands = [
        (f"{strand.sensor}{f', {strand.unit}' if strand.unit else ''}: {percent(strand.contribution, 0)} of the score",
         plots.strand_chart(strand, trace))
        for strand in trace.strands
    ]  # fmt: skip
    return ((score.name + per_point, score), *strands)


def _named(blamed: Sequence[Blame]) -> str:
    return ", ".join(blame.sensor + (" ✓" if blame.right else "") for blame in blamed[:NAMED]) or UNKNOWN


def _left_out(shown: int, total: int, noun: str, which: str) -> str:
    return f"{shown:,} of {counted(total, noun)} are shown: {which}." if shown < total else ""
