"""The report in plain words, for who runs the plant: each sentence with a judgement, so that none has to be guessed."""

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
"""Beside the colour: who cannot tell colours, or prints in grey, sees the judgement too."""
LATE_ONES = 0.1
"""Share of the faults that may be missed before the report calls it poor."""
STEADY = 2.0
"""Times the alarm budget, and times each other, by which two halves may differ before operation has changed."""
FEW_HOURS = 24.0
"""Under a day of watching a rate of alarms is said to be rough."""
COVERED = 0.95
"""Share of rows with a score from which the picture is whole."""


class Sentence(NamedTuple):
    verdict: str
    text: str

    @property
    def mark(self) -> str:
        return MARKS[self.verdict]


class Benchmark(NamedTuple):
    """A figure of the alarm load beside what the standards ask for."""

    what: str
    value: str
    asked: str
    source: str
    verdict: str
    words: str

    @property
    def mark(self) -> str:
        return MARKS[self.verdict]


def summary(report: EvaluationReport) -> list[Sentence]:
    """From what matters most."""
    return [
        *_candidate(report), *_faults(report), *_vain(report), *_load(report), *_blame(report), *_rivals(report),
        *_trust(report),
    ]  # fmt: skip


def rate_verdict(per_hour: float | None) -> tuple[str, str]:
    """Of alarms an hour for one operator."""
    if per_hour is None:
        return NEUTRAL, "not known"
    if per_hour <= ACCEPTABLE_PER_HOUR:
        return GOOD, "acceptable"
    return (FAIR, "manageable at most") if per_hour <= MANAGEABLE_PER_HOUR else (POOR, "too many")


def benchmarks(load: AlarmLoad) -> list[Benchmark]:
    """The figures that ISA-18.2, IEC 62682 and EEMUA 191 give a benchmark for."""
    isa = "ISA-18.2 / IEC 62682"
    flood, standing, peak = load.flood_fraction, load.standing_mean, load.peak_10_min
    verdict, words = rate_verdict(load.per_hour)
    asked = f"{ACCEPTABLE_PER_HOUR:.0f}, at most {MANAGEABLE_PER_HOUR:.0f}"
    return [
        Benchmark("Alarms an hour, average", number(load.per_hour), asked, f"{isa}, EEMUA 191", verdict, words),
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


def _limit(what: str, known: float | None, value: str, asked: str, source: str, good: bool) -> Benchmark:
    if known is None:
        return Benchmark(what, UNKNOWN, asked, source, NEUTRAL, "not known")
    return Benchmark(what, value, asked, source, *((GOOD, "met") if good else (POOR, "not met")))


def _candidate(report: EvaluationReport) -> Iterator[Sentence]:
    other, verdict = report.evaluation.candidate, report.verdict()
    if other is None or verdict is None:
        return
    said = "the gate lets it pass" if verdict.promote else f"the gate refuses it: {'; '.join(verdict.against)}"
    yield Sentence(
        GOOD if verdict.promote else POOR,
        f"Version {other.version}, on the same rows beside version {report.evaluation.version}: {said}. "
        f"What follows is of version {report.evaluation.version}.",
    )


def _faults(report: EvaluationReport) -> Iterator[Sentence]:
    events = report.evaluation.model.events
    if not report.findings.labelled:
        yield Sentence(
            NEUTRAL,
            "No faults were given, so nobody can say which alarms are right, what was missed or how late it was found. "
            "What follows is how often the model would have spoken, how evenly, and on how much of the data.",
        )
    elif events is None or not events.total:
        yield Sentence(NEUTRAL, "None of the known faults lies in the judged rows: only false alarms can be counted.")
    else:
        missed = events.total - events.detected
        verdict = GOOD if not missed else FAIR if missed <= max(1, LATE_ONES * events.total) else POOR
        found = "all" if not missed else f"{events.detected:,}"
        late = ""
        if events.detected:
            half, most = duration(events.delay_median), duration(events.delay_p90)
            late = f", half of them within {half} and nine in ten within {most}"
        rest = "" if not missed else f" {counted(missed, 'was', 'were')} missed."
        yield Sentence(verdict, f"Of {counted(events.total, 'known fault')} the model found {found}{late}.{rest}")
        already = sum(one.detected is not None and one.detected < one.start for one in report.findings.events)
        if already:
            yield Sentence(
                FAIR,
                f"In {already:,} of them an alarm was on already when the fault began: that it was found says little.",
            )


def _vain(report: EvaluationReport) -> Iterator[Sentence]:
    model = report.evaluation.model
    alarms = report.findings.load.alarms
    if not alarms:
        yield Sentence(NEUTRAL, "It raised no alarm at all.")
        return
    rate, what = model.false_alarms_per_asset_day, "with nothing known to be wrong"
    if model.events is None:
        first, second = report.findings.flagged_by_half
        yield from _steadiness(report, first, second)
        return
    false = model.events.false_alarms
    verdict = GOOD if rate is not None and rate <= 1 else FAIR if rate is not None and rate <= 10 else POOR
    if not false:
        yield Sentence(GOOD, f"No alarm was raised {what}.")
        return
    often = "" if not rate else f": for one machine that would be one every {duration(86_400 / rate)}"
    if alarms == 1:
        which = "Its only alarm was"
    elif false == alarms:
        which = f"All of its {alarms:,} alarms were"
    else:
        which = f"{false:,} of its {alarms:,} alarms {'was' if false == 1 else 'were'}"
    yield Sentence(verdict, f"{which} raised {what}{often}.")


def _steadiness(report: EvaluationReport, first: float | None, second: float | None) -> Iterator[Sentence]:
    if first is None or second is None:
        return
    words = (
        f"{percent(first)} of the rows score above 1 in the first half of the time and {percent(second)} in the second"
    )
    high, low = max(first, second), min(first, second)
    if high <= STEADY * report.budget:
        yield Sentence(GOOD, f"{words}: near the alarm budget of {percent(report.budget)}, and steady.")
    elif high > STEADY * low:
        yield Sentence(POOR, f"{words}: that is not steady. Either something has changed, or the model has aged.")
    else:
        yield Sentence(FAIR, f"{words}: steady, but more than the alarm budget of {percent(report.budget)}.")


def _load(report: EvaluationReport) -> Iterator[Sentence]:
    load = report.findings.load
    if load.per_hour is None or not load.alarms:
        return
    verdict, words = rate_verdict(load.per_hour)
    machines = counted(report.evaluation.assets, "machine")
    yield Sentence(
        verdict,
        f"One operator who watches all {machines} would hear {number(load.per_hour)} alarms an hour: {words} "
        f"({ACCEPTABLE_PER_HOUR:.0f} are acceptable, {MANAGEABLE_PER_HOUR:.0f} the most)."
        + (f" That is from {number(load.hours)} h of watching, so a rough figure." if load.hours < FEW_HOURS else ""),
    )
    if load.chattering:
        share = load.chattering / load.alarms
        yield Sentence(
            POOR if share > 0.1 else FAIR,
            f"{load.chattering:,} of them came back within a minute of going. A longer off-delay or a cool-down would "
            f"make one alarm of such a run (now: off-delay {report.off_delay} rows).",
        )  # fmt: skip


def _blame(report: EvaluationReport) -> Iterator[Sentence]:
    cause, early = report.evaluation.model.root_cause, report.findings.root_cause_at_alarm
    if cause is None or early is None or cause.hit_at_3 is None or early.hit_at_3 is None:
        return
    verdict = GOOD if early.hit_at_3 >= 0.8 else FAIR if early.hit_at_3 >= 0.5 else POOR
    yield Sentence(
        verdict,
        f"When an alarm comes, a right sensor is among the first three named in {percent(early.hit_at_3, 0)} of the "
        f"faults; looked at afterwards, over the whole fault, in {percent(cause.hit_at_3, 0)}.",
    )


def _rivals(report: EvaluationReport) -> Iterator[Sentence]:
    better = [note for note in report.evaluation.notes if "is better than the model" in note]
    for note in better:
        yield Sentence(FAIR, note)
    if not better and report.evaluation.model.point is not None and report.evaluation.baselines:
        yield Sentence(GOOD, "None of the classical detectors beside it is clearly better, by F1 of rows or by VUS-PR.")


def _trust(report: EvaluationReport) -> Iterator[Sentence]:
    covered = report.evaluation.model.coverage
    if covered is not None and covered < COVERED:
        yield Sentence(FAIR, f"Only {percent(covered)} of the judged rows have a score; the others count as quiet.")
    known = report.provenance
    if not isinstance(known, Provenance):
        return
    if known.rehearsal > known.budget:
        yield Sentence(
            POOR,
            f"In the rehearsal {percent(known.rehearsal)} of normal rows scored above 1, more than the budget of "
            f"{percent(known.budget)}: the normal periods hold more than one kind of operation.",
        )
    weak = sum(one.thin or one.calibration.pooled for one in known.assets)
    if weak:
        whose = "all" if weak == len(known.assets) else f"{weak:,} of"
        yield Sentence(
            FAIR,
            f"The thresholds of {whose} {counted(len(known.assets), 'machine')} rest on few rows of their own: longer "
            "normal periods would make them firmer.",
        )
