"""How certain is a difference between two detectors that were judged on the same rows?

Rows of a time series depend on their neighbours, so they are drawn in blocks: the moving-block bootstrap of Künsch,
"The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17 (1989). Blocks wrap
around at the end of the series, as in Politis and Romano, "A circular block-resampling procedure for stationary data"
(1992), so every row is equally likely to be drawn. Both detectors get the same draws, and their difference is
resampled. Intervals are percentiles (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints

REPLICATES = 1000
"""Draws: enough for percentiles at 2.5 % and 97.5 %."""
CONFIDENCE = 0.95
FEWEST_BLOCKS = 20
"""With fewer blocks in all series together, there is no interval: with 20, 95 % intervals cover the truth in 85 %."""
FEWEST_EVENTS = 5
"""Likewise for events."""

_CELLS = 4_000_000
"""Block sums held at a time: 32 MB."""


@dataclass(frozen=True)
class Difference:
    """The candidate's figure minus the champion's, with its 95 % interval; None if unknown."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def block_starts(rows: int, block: int, replicates: int, random: np.random.Generator) -> Ints:
    """int64 [R, k]: the starts of each replicate's k blocks, as many as cover the rows."""
    return random.integers(0, rows, (replicates, -(-rows // block)))


def block_sums(counts: Ints, block: int, starts: Ints) -> Floats:
    """Sums over resampled rows: counts [T, K], starts [R, k] -> float64 [R, K], scaled to T rows."""
    rows, kinds = counts.shape
    before = np.concatenate(
        [np.zeros((1, kinds), np.int64), np.cumsum(np.concatenate([counts, counts[:block]]), axis=0)]
    )
    sums = np.empty((len(starts), kinds))
    at_a_time = max(1, _CELLS // (starts.shape[1] * kinds))
    for first in range(0, len(starts), at_a_time):
        own = starts[first : first + at_a_time]
        sums[first : first + at_a_time] = (before[own + block] - before[own]).sum(axis=1)
    return sums * (rows / (starts.shape[1] * block))


def row_weights(rows: int, block: int, starts: Ints) -> Ints:
    """How often each row occurs in a replicate: starts [k] -> int64 [T]."""
    change = np.zeros(rows + block + 1, np.int64)
    np.add.at(change, starts, 1)
    np.add.at(change, starts + block, -1)
    often = np.cumsum(change)
    weights = often[:rows].copy()
    weights[: block + 1] += often[rows : rows + block + 1][:rows]
    return weights


def difference(value: float | None, replicates: Floats | None) -> Difference:
    """`value` with the interval of `replicates` [R]; no interval if the figure is NaN in most replicates."""
    if value is None or replicates is None:
        return Difference(value)
    known = replicates[np.isfinite(replicates)]
    if len(known) < len(replicates) / 2:
        return Difference(value)
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Difference(value, float(low), float(high))


def event_differences(
    delays: Floats, random: np.random.Generator, replicates: int = REPLICATES
) -> tuple[Difference, Difference]:
    """Differences over events drawn whole: `delays` float64 [E, 2] of champion and candidate, s, NaN where missed.

    Returns the differences in events found and in the median delay of the events that both found.
    """
    count = len(delays)
    detected = np.isfinite(delays)
    both = detected.all(axis=1)
    value = int(detected[:, 1].sum()) - int(detected[:, 0].sum()) if count else None
    delay_change = float(np.diff(np.median(delays[both], axis=0))[0]) if both.any() else None
    if count < FEWEST_EVENTS:
        return Difference(value), Difference(delay_change)
    drawn = random.integers(0, count, (replicates, count))
    gained = (detected[:, 1].astype(np.int64) - detected[:, 0])[drawn].sum(axis=1).astype(np.float64)
    if both.sum() < FEWEST_EVENTS:
        return difference(value, gained), Difference(delay_change)
    pairs = np.where(both[:, None], delays, np.nan)[drawn]  # [R, E, 2]
    has_pairs = both[drawn].any(axis=1)
    medians = np.full((replicates, 2), np.nan)
    medians[has_pairs] = np.nanmedian(pairs[has_pairs], axis=1)
    return difference(value, gained), difference(delay_change, medians[:, 1] - medians[:, 0])
