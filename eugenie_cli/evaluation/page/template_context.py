"""What the template shows: the report as texts and pictures, and no more of them than a page can hold."""

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
"""Rows of a table of events, alarms or assets: the rest is in `-o json`."""
MOST_OVERVIEWS = 40
"""Assets with a picture of their own in the table."""
NAMED = 3


class Tile(NamedTuple):
    value: str
    what: str
    more: str
    verdict: str = "neutral"


class Picture(NamedTuple):
    """An event or alarm, drawn."""

    title: str
    badge: str
    verdict: str
    lines: tuple[str, ...]
    charts: tuple[tuple[str, Chart], ...]
    """A caption and the chart."""


class Table(NamedTuple):
    """Cells are texts, or a `Chart`; the first column heads its row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    left_out: str = ""


class _Others(NamedTuple):
    """How the candidate did on each fault, by asset, start and end."""

    version: int
    delays: Mapping[tuple[str, int, int], float | None]

    @classmethod
    def of(cls, report: EvaluationReport) -> _Others | None:
        one = report.evaluation.candidate
        if one is None or report.candidate is None:
            return None
        events = report.candidate.events
        return cls(one.version, {(event.asset, event.start, event.end): event.delay_s for event in events})

    def delay(self, event: EventFinding) -> float | None:
        """s; None: missed."""
        return self.delays.get((event.asset, event.start, event.end))


def view(report: EvaluationReport) -> Mapping[str, Any]:
    """The variables of the template."""
    clock = Clock(report.timezone)
    found, one = report.findings, report.evaluation
    beside, others = report.candidate, _Others.of(report)
    load, drawn = found.load, bool(len(found.timeline.start))
    period = f"{clock.minute(found.period[0])} – {clock.minute(found.period[1])}" if found.period else "no judged rows"
    return {
        "title": f"{one.class_name}, version {one.version}",
        "site": report.site,
        "class_name": one.class_name,
        "version": one.version,
        "period": period,
        "timezone": report.timezone,
        "rows": counted(one.judged_rows, "judged row"),
        "assets": counted(one.assets, "asset"),
        "made": clock.minute(report.made),
        "labelled": found.labelled,
        "summary": summary(report),
        "tiles": _tiles(report),
        "versus": versus(report),
        "candidate_pictures": [_alarm_picture(*each, clock) for each in beside.alarm_traces] if beside else [],
        "events": _events(found.events, clock, others) if found.labelled else None,
        "event_pictures": [_event_picture(*each, clock, others) for each in found.event_traces],
        "events_left_out": _left_out(len(found.event_traces), len(found.events), "fault", "the missed and the latest"),
        "alarms": _alarms(found.alarms, load.alarms, clock),
        "alarm_pictures": [_alarm_picture(*each, clock) for each in found.alarm_traces],
        "benchmarks": benchmarks(load),
        "load": load,
        "hours": number(load.hours),
        "standing_peak": load.standing_peak,
        "worst_asset": load.worst_asset,
        "worst_share": percent(load.worst_asset_share, 0),
        "rate_chart": plots.rate_chart(load.per_hour) if load.per_hour is not None else None,
        "load_chart": plots.load_chart(found.timeline, clock, found.labelled) if drawn else None,
        "flagged_chart": plots.flagged_chart(found.timeline, clock, report.budget) if drawn else None,
        "budget": percent(report.budget),
        "on_delay": report.on_delay,
        "off_delay": report.off_delay,
        "window": duration(report.window * report.step_ms / 1000),
        "heat": heat(found.assets, found.labelled),
        "around": around(found.phases),
        "root_cause": root_cause(one.model.root_cause, found.root_cause_at_alarm),
        "baselines": baselines(one),
        "thresholds": thresholds(report.provenance),
        "gaps": gaps(found.assets, clock),
        "asset_table": _assets(found.assets, found.labelled, clock),
        "identity": identity(report),
        "provenance_unknown": report.provenance.reason if isinstance(report.provenance, Unknown) else "",
        "notes": one.notes,
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
    verdict, words = rate_verdict(load.per_hour)
    return [
        *tiles,
        Tile(number(load.per_hour), "alarms per operator hour", words, verdict),
        Tile(percent(model.alarm_time_fraction), "of the time in alarm", f"in {number(load.hours)} h watched"),
        Tile(percent(model.coverage), "of judged rows have a score", "the others count as quiet"),
    ]


def _events(events: Sequence[EventFinding], clock: Clock, others: _Others | None) -> Table:
    # when there are too many, what went wrong comes first
    shown = events if len(events) <= MOST_ROWS else sorted(events, key=lambda one: -_lateness(one))[:MOST_ROWS]
    rows = [
        (
            one.asset,
            clock.second(one.start),
            duration((one.end - one.start) / 1000),
            _delay(one.delay_s),
            *((_delay(others.delay(one)),) if others else ()),
            UNKNOWN if one.peak is None else quantity(one.peak),
            ", ".join(one.sensors) or "not labelled",
            _named(one.blamed_at_alarm),
            _named(one.blamed),
        )
        for one in shown
    ]
    columns = (
        "asset",
        "start",
        "lasted",
        "delay",
        *((f"delay, version {others.version}",) if others else ()),
        "peak score",
        "sensors labelled",
        "named at the alarm",
        "named afterwards",
    )
    return Table(columns, rows, _left_out(len(rows), len(events), "fault", "the missed and the latest"))


def _alarms(alarms: Sequence[AlarmFinding], total: int, clock: Clock) -> Table:
    rows = [
        (
            one.asset,
            clock.second(one.detected),
            duration((one.end - one.detected) / 1000),
            quantity(one.peak),
            {True: "false", False: "during a fault", None: UNKNOWN}[one.false],
            _named(one.blamed),
        )
        for one in alarms[:MOST_ROWS]
    ]
    columns = ("asset", "raised", "on for", "peak score", "judged", "sensors named")
    return Table(columns, rows, _left_out(len(rows), total, "alarm", "the strongest"))


def _assets(assets: Sequence[AssetFinding], labelled: bool, clock: Clock) -> Table:
    worst = sorted(assets, key=_badness, reverse=True)[:MOST_ROWS]
    rows = [
        (
            one.asset,
            plots.overview_chart(one.overview, clock) if one.overview and place < MOST_OVERVIEWS else UNKNOWN,
            *((f"{one.detected} of {one.events}", count(one.false_alarms)) if labelled else ()),
            count(one.alarms),
            percent(one.alarm_time_fraction),
            percent(one.flagged),
            percent(one.coverage.scored),
        )
        for place, one in enumerate(worst)
    ]  # fmt: skip
    columns = (
        "asset", "score over the whole time", *(("faults found", "false alarms") if labelled else ()), "alarms",
        "time in alarm", "rows above 1", "rows scored",
    )  # fmt: skip
    return Table(
        columns, rows, _left_out(len(rows), len(assets), "asset", "those with most missed faults and false alarms")
    )


def _badness(one: AssetFinding) -> tuple[int, int, float]:
    missed = (one.events or 0) - (one.detected or 0)
    return missed, one.false_alarms if one.false_alarms is not None else one.alarms, one.flagged or 0.0


def _lateness(one: EventFinding) -> float:
    return float("inf") if one.delay_s is None else one.delay_s


def _event_picture(one: EventFinding, trace: Trace, clock: Clock, others: _Others | None) -> Picture:
    found = one.delay_s is not None
    labelled = f"labelled: {', '.join(one.sensors)}" if one.sensors else "no sensor labelled"
    lines = (
        f"{clock.second(one.start)}, {duration((one.end - one.start) / 1000)}",
        f"{labelled}; named: {_named(one.blamed_at_alarm) if found else 'nothing'}",
        *((f"version {others.version}: {_badge(others.delay(one))}",) if others else ()),
    )
    return Picture(one.asset, _badge(one.delay_s), "good" if found else "poor", lines, _charts(trace, clock))


def _delay(delay: float | None) -> str:
    return "missed" if delay is None else duration(delay)


def _badge(delay: float | None) -> str:
    return "missed" if delay is None else f"found after {duration(delay)}" if delay else "found at once"


def _alarm_picture(one: AlarmFinding, trace: Trace, clock: Clock) -> Picture:
    lines = (
        f"{clock.second(one.detected)}, on for {duration((one.end - one.detected) / 1000)}",
        f"named: {_named(one.blamed)}",
    )
    badge = f"peak {quantity(one.peak)}"
    return Picture(one.asset, badge, "poor" if one.false else "neutral", lines, _charts(trace, clock))


def _charts(trace: Trace, clock: Clock) -> tuple[tuple[str, Chart], ...]:
    score = plots.score_chart(trace, clock)
    per_point = f", the highest of {trace.rows_per_point} rows a point" if trace.rows_per_point > 1 else ""
    strands = [
        (f"{strand.sensor}{f', {strand.unit}' if strand.unit else ''}: {percent(strand.contribution, 0)} of the score",
         plots.strand_chart(strand, trace))
        for strand in trace.strands
    ]  # fmt: skip
    return ((score.name + per_point, score), *strands)


def _named(blamed: Sequence[Blame]) -> str:
    return ", ".join(one.sensor + (" ✓" if one.right else "") for one in blamed[:NAMED]) or UNKNOWN


def _left_out(shown: int, total: int, what: str, which: str) -> str:
    return f"{shown:,} of {counted(total, what)} are shown: {which}." if shown < total else ""
