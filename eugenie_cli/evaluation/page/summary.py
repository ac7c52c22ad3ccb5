"""The report in plain words for plant operators: each sentence carries a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from eugenie_cli.detection.metrics.alarm_load import (
    ACCEPTABLE_FLOOD,
    ACCEPTABLE_PER_HOUR,
    MANAGEABLE_PER_HOUR,
    MOST_IN_AN_INTERVAL,
    MOST_STALE,
    MOST_STANDING,
    AlarmLoad,
)
from eugenie_cli.evaluation.evaluation_report import EvaluationReport
from eugenie_cli.evaluation.page.formatting import UNKNOWN, count, counted, duration, number, percent
from eugenie_cli.evaluation.provenance import Provenance

GOOD, FAIR, POOR, NEUTRAL = "good", "fair", "poor", "neutral"
MARKS = {GOOD: "✓", FAIR: "△", POOR: "✕", NEUTRAL: "·"}
"""Marks in addition to colour, for readers who cannot tell colours or print in grey."""
FAIR_MISSED = 0.1
"""Share of missed faults above which the verdict is poor."""
STEADY = 2.0
"""Highest multiple of the alarm budget, and of each other, of two halves that counts as steady."""
FEW_HOURS = 24.0
"""With less observation than this, the report calls an alarm rate rough."""
COVERED = 0.95
"""Share of scored rows below which the report warns."""


class Sentence(NamedTuple):
    verdict: str
    text: str

    @property
    def mark(self) -> str:
        return MARKS[self.verdict]


class Benchmark(NamedTuple):
    """A figure of the alarm load, with the standards' benchmark."""

    name: str
    value: str
    target: str
    source: str
    verdict: str
    comment: str

    @property
    def mark(self) -> str:
        return MARKS[self.verdict]


def summary(report: EvaluationReport) -> list[Sentence]:
    """The sentences, most important first."""
    return [
        *_candidate(report), *_faults(report), *_false_alarms(report), *_load(report), *_blame(report),
        *_better_baselines(report), *_caveats(report),
    ]  # fmt: skip


def rate_verdict(per_hour: float | None) -> tuple[str, str]:
    """Verdict and comment on one operator's alarms per hour."""
    if per_hour is None:
        return NEUTRAL, "unknown"
    if per_hour <= ACCEPTABLE_PER_HOUR:
        return GOOD, "acceptable"
    return (FAIR, "manageable at most") if per_hour <= MANAGEABLE_PER_HOUR else (POOR, "too many")


def benchmarks(load: AlarmLoad) -> list[Benchmark]:
    """The figures for which ISA-18.2, IEC 62682 and EEMUA 191 give a benchmark."""
    isa = "ISA-18.2 / IEC 62682"
    flood, standing, peak = load.flood_fraction, load.standing_mean, load.peak_10_min
    verdict, comment = rate_verdict(load.per_hour)
    target = f"{ACCEPTABLE_PER_HOUR:.0f}, at most {MANAGEABLE_PER_HOUR:.0f}"
    return [
        Benchmark("Alarms an hour, average", number(load.per_hour), target, f"{isa}, EEMUA 191", verdict, comment),
        _limit("Most alarms in 10 minutes", peak, count(peak), f"≤ {MOST_IN_AN_INTERVAL}", isa,
               peak <= MOST_IN_AN_INTERVAL),
        _limit("Time in alarm flood", flood, percent(flood), f"< {percent(ACCEPTABLE_FLOOD, 0)}", isa,
               flood is not None and flood < ACCEPTABLE_FLOOD),
        _limit("Chattering: back within a minute", load.chattering, count(load.chattering), "none", isa,
               not load.chattering),
        _limit("Fleeting: gone within a minute", load.fleeting, count(load.fleeting), "none", isa, not load.fleeting),
        _limit("Stale: on for more than a day", load.stale, count(load.stale), f"< {MOST_STALE} on any day",
               isa, load.stale < MOST_STALE),
        _limit("Standing alarms, average", standing, number(standing, 2), f"< {MOST_STANDING}", "EEMUA 191",
               standing is not None and standing < MOST_STANDING),
    ]  # fmt: skip


def _limit(name: str, figure: float | None, value: str, target: str, source: str, met: bool) -> Benchmark:
    if figure is None:
        return Benchmark(name, UNKNOWN, target, source, NEUTRAL, "unknown")
    return Benchmark(name, value, target, source, *((GOOD, "met") if met else (POOR, "not met")))


def _candidate(report: EvaluationReport) -> Iterator[Sentence]:
    candidate, verdict = report.evaluation.candidate, report.verdict()
    if candidate is None or verdict is None:
        return
    outcome = "the gate accepts it" if verdict.promote else f"the gate refuses it: {'; '.join(verdict.against)}"
    yield Sentence(
        GOOD if verdict.promote else POOR,
        f"Version {candidate.version}, judged on the same rows as version {report.evaluation.version}: {outcome}. "
        f"The following describes version {report.evaluation.version}.",
    )


def _faults(report: EvaluationReport) -> Iterator[Sentence]:
    events = report.evaluation.model.events
    if not report.findings.labelled:
        yield Sentence(
            NEUTRAL,
            "No known faults were given, so nobody can say which alarms are right, which faults were missed or how "
            "late they were found. The following shows how often the model would have raised alarms, how steadily, and "
            "on how much of the data.",
        )
    elif events is None or not events.total:
        yield Sentence(
            NEUTRAL, "The judged rows contain none of the known faults, so only false alarms can be counted."
        )
    else:
        missed = events.total - events.detected
        verdict = GOOD if not missed else FAIR if missed <= max(1, FAIR_MISSED * events.total) else POOR
        detected = "all" if not missed else f"{events.detected:,}"
        late = ""
        if events.detected:
            half, most = duration(events.delay_median), duration(events.delay_p90)
            late = f", half of them within {half} and nine in ten within {most}"
        rest = "" if not missed else f" {counted(missed, 'was', 'were')} missed."
        yield Sentence(verdict, f"Of {counted(events.total, 'known fault')} the model found {detected}{late}.{rest}")
        already = sum(event.detected is not None and event.detected < event.start for event in report.findings.events)
        if already:
            yield Sentence(
                FAIR,
                f"In {already:,} of them, an alarm was already on when the fault began, so finding it proves little.",
            )


def _false_alarms(report: EvaluationReport) -> Iterator[Sentence]:
    model = report.evaluation.model
    alarms = report.findings.load.alarms
    if not alarms:
        yield Sentence(NEUTRAL, "It raised no alarms.")
        return
    rate, when = model.false_alarms_per_asset_day, "while nothing was known to be wrong"
    if model.events is None:
        first, second = report.findings.flagged_by_half
        yield from _steadiness(report, first, second)
        return
    false = model.events.false_alarms
    verdict = GOOD if rate is not None and rate <= 1 else FAIR if rate is not None and rate <= 10 else POOR
    if not false:
        yield Sentence(GOOD, f"No alarm was raised {when}.")
        return
    often = "" if not rate else f": for one machine, that is one every {duration(86_400 / rate)}"
    if alarms == 1:
        which = "Its only alarm was"
    elif false == alarms:
        which = f"All of its {alarms:,} alarms were"
    else:
        which = f"{false:,} of its {alarms:,} alarms {'was' if false == 1 else 'were'}"
    yield Sentence(verdict, f"{which} raised {when}{often}.")


def _steadiness(report: EvaluationReport, first: float | None, second: float | None) -> Iterator[Sentence]:
    if first is None or second is None:
        return
    shares = (
        f"{percent(first)} of the rows score above 1 in the first half of the time and {percent(second)} in the second"
    )
    high, low = max(first, second), min(first, second)
    if high <= STEADY * report.budget:
        yield Sentence(GOOD, f"{shares}: near the alarm budget of {percent(report.budget)}, and steady.")
    elif high > STEADY * low:
        yield Sentence(
            POOR, f"{shares}: this is not steady. Either operation has changed, or the model is out of date."
        )
    else:
        yield Sentence(FAIR, f"{shares}: steady, but above the alarm budget of {percent(report.budget)}.")


def _load(report: EvaluationReport) -> Iterator[Sentence]:
    load = report.findings.load
    if load.per_hour is None or not load.alarms:
        return
    verdict, comment = rate_verdict(load.per_hour)
    machines = counted(report.evaluation.assets, "machine")
    yield Sentence(
        verdict,
        f"One operator watching all {machines} would get {number(load.per_hour)} alarms an hour: {comment} "
        f"({ACCEPTABLE_PER_HOUR:.0f} are acceptable, {MANAGEABLE_PER_HOUR:.0f} are manageable at most)."
        + (f" This is a rough figure, from {number(load.hours)} h of observation." if load.hours < FEW_HOURS else ""),
    )
    if load.chattering:
        share = load.chattering / load.alarms
        yield Sentence(
            POOR if share > 0.1 else FAIR,
            f"{load.chattering:,} of them came back within a minute of clearing. A longer off-delay or a cooldown "
            f"would merge such a run into one alarm (off-delay now: {report.off_delay} rows).",
        )  # fmt: skip


def _blame(report: EvaluationReport) -> Iterator[Sentence]:
    cause, early = report.evaluation.model.root_cause, report.findings.root_cause_at_alarm
    if cause is None or early is None or cause.hit_at_3 is None or early.hit_at_3 is None:
        return
    verdict = GOOD if early.hit_at_3 >= 0.8 else FAIR if early.hit_at_3 >= 0.5 else POOR
    yield Sentence(
        verdict,
        f"When the alarm is raised, a correct sensor is among the first three named in {percent(early.hit_at_3, 0)} "
        f"of the faults; afterwards, over the whole fault, in {percent(cause.hit_at_3, 0)}.",
    )


def _better_baselines(report: EvaluationReport) -> Iterator[Sentence]:
    better = [note for note in report.evaluation.notes if "is better than the model" in note]
    for note in better:
        yield Sentence(FAIR, note)
    if not better and report.evaluation.model.point is not None and report.evaluation.baselines:
        yield Sentence(GOOD, "No classical detector is clearly better, by F1 of rows or by VUS-PR.")


def _caveats(report: EvaluationReport) -> Iterator[Sentence]:
    covered = report.evaluation.model.coverage
    if covered is not None and covered < COVERED:
        yield Sentence(
            FAIR, f"Only {percent(covered)} of the judged rows have a score; the others count as not flagged."
        )
    provenance = report.provenance
    if not isinstance(provenance, Provenance):
        return
    if provenance.rehearsal > provenance.budget:
        yield Sentence(
            POOR,
            f"In the rehearsal, {percent(provenance.rehearsal)} of the normal rows scored above 1, more than the "
            f"budget of {percent(provenance.budget)}: the normal periods contain more than one kind of operation.",
        )
    weak = sum(asset.thin or asset.calibration.pooled for asset in provenance.assets)
    if weak:
        whose = "all" if weak == len(provenance.assets) else f"{weak:,} of"
        yield Sentence(
            FAIR,
            f"The thresholds of {whose} {counted(len(provenance.assets), 'machine')} rest on few rows of their own; "
            "longer normal periods would make them more reliable.",
        )
