"""How much of an asset's time has data, and where the gaps are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints, runs
from eugenie_cli.detection.metrics.alarm_load import INTERVAL_MS, Span

MOST_GAPS = 5
"""Gaps kept for each asset, the longest ones."""


@dataclass(frozen=True)
class Coverage:
    """Coverage of the rows from an asset's first to its last. Shares are fractions, None without rows."""

    first: int | None
    last: int | None
    """Edges, ms since 1970 UTC."""
    rows: int
    present: float | None
    """Share of rows in which at least one sensor has a value."""
    scored: float | None
    """Share of those rows that have a score."""
    gaps: tuple[Span, ...]
    """The longest stretches without any value, longest first."""
    missing: tuple[tuple[str, float], ...]
    """Sensors that lack a value in rows that have one, with the share of such rows; worst first."""


def coverage_of(edges: Ints, rows: Floats, score: Floats, sensors: Sequence[str], step_ms: int) -> Coverage:
    """Coverage of edges [T], rows [T, S] and scores [T]; of a gap, the first and the last row must be among them."""
    if not len(edges):
        return Coverage(None, None, 0, None, None, (), tuple((name, 1.0) for name in sensors))
    absent = np.isnan(rows)
    present = ~absent.all(axis=1)
    share = absent[present].mean(axis=0) if present.any() else np.ones(len(sensors))
    worst = [(sensors[i], float(share[i])) for i in np.argsort(-share, kind="stable") if share[i] > 0]
    total = int(edges[-1] - edges[0]) // step_ms + 1
    gaps = sorted(spans(edges, ~present, step_ms), key=lambda gap: gap[0] - gap[1])
    return Coverage(
        first=int(edges[0]),
        last=int(edges[-1]),
        rows=total,
        present=int(np.count_nonzero(present)) / total,
        scored=float((~np.isnan(score[present])).mean()) if present.any() else None,
        gaps=tuple(gaps[:MOST_GAPS]),
        missing=tuple(worst),
    )


def spans(edges: Ints, chosen: Bools, step_ms: int) -> list[Span]:
    """Runs of chosen rows as [start, end); each row lasts one step."""
    return [(int(edges[first]), int(edges[last - 1]) + step_ms) for first, last in runs(chosen)]


def watched(edges: Ints, judged: Bools, step_ms: int) -> list[Span]:
    """When an asset is watched: its judged rows, and the pauses between them that are shorter than an interval.

    An operator's clock does not stop while a reading is missing.
    """
    joined: list[Span] = []
    for start, end in spans(edges, judged, step_ms):
        if joined and start - joined[-1][1] < INTERVAL_MS:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
