"""Findings about single sensors of single assets: bad values, gaps, stuck sensors, jitter, disagreeing readings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.assessment.findings import Finding, Severity, instant, lasting, percent

if TYPE_CHECKING:
    from eugenie_cli.history.assessment.measurements import Measurements
    from eugenie_cli.history.assessment.statistics import Statistics

# Shares of the readings from which a finding is worth a line.
MUCH_BAD, MUCH_OUTSIDE, MUCH_FLAT = 0.2, 0.05, 0.5
# Less than this share of the rows between the first and last reading have a value.
SPARSE = 0.8
# The 5th to 95th percentile of the intervals spread over more than this share of the median.
JITTERY = 0.5
# Fewer readings say nothing about a sensor's habits.
FEW = 20


@dataclass(frozen=True)
class _Rule:
    """Measurements with something to say, and the sentence (a function of the measurement's number)."""

    kind: str
    severity: Severity
    found: NDArray[np.bool_]
    text: Callable[[int], str]
    next: str


def sensor_findings(wanted: Measurements, stats: Statistics, class_of: Mapping[str, str]) -> Iterator[Finding]:
    """The findings about sensors that have readings."""
    for rule in _rules(wanted, stats):
        for number in np.flatnonzero(rule.found & (stats.readings > 0)).tolist():
            asset, sensor = wanted.series[number]
            text = f"{asset} {sensor}: {rule.text(number)}"
            yield Finding(rule.kind, rule.severity, class_of[asset], asset, sensor, text, rule.next)


def coverage(wanted: Measurements, stats: Statistics) -> NDArray[np.float64]:
    """float64 [K]: the share of the rows between a measurement's first and last reading that have a value."""
    rows = np.maximum((stats.end - stats.start) // wanted.step + 1, 1)
    return np.minimum(stats.cells / rows, 1.0)


def _rules(wanted: Measurements, stats: Statistics) -> Sequence[_Rule]:
    enough = stats.readings >= FEW
    covered = coverage(wanted, stats)
    usual = stats.median_period <= wanted.max_gap  # otherwise the class's settings are the cause, and are reported
    spread = (stats.late - stats.early) / np.maximum(stats.median_period, 1)
    still = enough & (stats.low == stats.high)
    return (
        _Rule(
            "bad-quality",
            "doubtful",
            stats.bad > MUCH_BAD,
            lambda n: f"{percent(stats.bad[n])} of its {stats.readings[n]:,} readings have bad quality",
            "check the sensor, and the source's `quality` scheme",
        ),
        _Rule(
            "out-of-range",
            "doubtful",
            stats.out_of_range > MUCH_OUTSIDE,
            lambda n: (
                f"{percent(stats.out_of_range[n])} of its readings are outside {wanted.low[n]:g} to {wanted.high[n]:g}"
            ),
            "check the unit of the export, or correct `low` and `high`",
        ),
        _Rule(
            "never-moves",
            "doubtful",
            still,
            lambda n: f"it reads {stats.low[n]:g} in all of its {stats.readings[n]:,} readings",
            "check that the export contains the live value, or remove the sensor from the class",
        ),
        _Rule(
            "flat",
            "doubtful",
            enough & ~still & (stats.flat > MUCH_FLAT),
            lambda n: f"it stands still in {percent(stats.flat[n])} of its readings",
            "check whether it is stuck, or the machine stood: `running` or `exclude` leave such times out",
        ),
        _Rule(
            "gaps",
            "doubtful",
            enough & usual & (covered < SPARSE),
            lambda n: (
                f"{percent(1 - covered[n])} of the rows have no value: {stats.gaps[n]:,} gaps longer than "
                f"{lasting(wanted.max_gap[n])}, the longest {lasting(stats.longest_gap[n])} from "
                f"{instant(stats.longest_gap_start[n])}"
            ),
            "export the missing time if the historian has it",
        ),
        _Rule(
            "jitter",
            "note",
            enough & (spread > JITTERY),
            lambda n: (
                f"its readings come every {lasting(stats.median_period[n])}, but 1 in 20 after less than "
                f"{lasting(stats.early[n])} and 1 in 20 after more than {lasting(stats.late[n])}"
            ),
            "no harm if `max_gap` is longer than the long ones",
        ),
        _Rule(
            "conflicts",
            "doubtful",
            stats.conflicts > 0,
            lambda n: f"readings disagree at {stats.conflicts[n]:,} instants",
            "see which exports overlap (`eugenie history show`); the export written last counts",
        ),
        _Rule(
            "duplicates",
            "note",
            (stats.repeated > 0) & (stats.conflicts == 0),
            lambda n: f"{stats.repeated[n]:,} readings repeat another of the same instant and value",
            "no harm: one of each counts",
        ),
    )
