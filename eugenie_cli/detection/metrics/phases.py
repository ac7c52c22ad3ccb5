"""Metrics of the time around faults: does the detector raise alarms before, during or long after them?

A detector that looks back over a window clears late, and one that sees a fault coming alarms early. A false alarm rate
does not show this, because it counts both as ordinary errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.detection.metrics.alarm_load import Span

PHASES = ("elsewhere", "before", "during", "after")
"""Indexed by phase number. Before and after each last as long as the fault itself."""
ELSEWHERE, BEFORE, DURING, AFTER = range(len(PHASES))


@dataclass(frozen=True)
class PhaseRates:
    """Rates over the judged rows of a phase, as fractions; None without rows."""

    rows: int
    flagged: float | None
    """Share of rows that score above 1."""
    alarm: float | None
    """Share of rows during which an alarm was on."""


def phase_of(edges: Ints, faults: Sequence[Span]) -> Ints:
    """int8 [T]: the phase of each edge [T]. During takes precedence over after, and after over before."""
    phase = np.full(len(edges), ELSEWHERE, np.int8)
    for code in (BEFORE, AFTER, DURING):
        for start, end in faults:
            length = end - start
            first, last = {BEFORE: (start - length, start), AFTER: (end, end + length), DURING: (start, end)}[code]
            phase[np.searchsorted(edges, first) : np.searchsorted(edges, last)] = code
    return phase


def phase_counts(phase: Ints, score: Floats, alarm: Bools) -> Ints:
    """int64 [4, 3]: rows, rows above 1 and rows in alarm of each phase; counts of several assets can be summed."""
    kinds = (np.ones(len(phase), bool), score > 1.0, alarm)
    return np.stack([np.bincount(phase[kind], minlength=len(PHASES)) for kind in kinds], axis=1)


def phase_rates(counts: Ints) -> Mapping[str, PhaseRates]:
    """The rates of `phase_counts`, by phase."""
    return {
        name: PhaseRates(int(rows), flagged / rows if rows else None, alarm / rows if rows else None)
        for name, (rows, flagged, alarm) in zip(PHASES, counts.tolist(), strict=True)
    }
