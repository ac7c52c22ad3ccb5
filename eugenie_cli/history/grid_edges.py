"""The edges of a grid, with long gaps cut out: months without a reading need not become rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Edges:
    """Edges as consecutive stretches of numbers; an edge's instant is its number times `step_ms`.

    `starts` and `stops` int64 [n]: the first number of each stretch and the one after its last, in order.
    """

    step_ms: int
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    def __len__(self) -> int:
        return int((self.stops - self.starts).sum())

    @property
    def instants(self) -> NDArray[np.int64]:
        """int64 [T], ms since 1970 UTC."""
        stretches = [np.arange(*bounds, dtype=np.int64) for bounds in zip(self.starts, self.stops, strict=True)]
        return self.step_ms * np.concatenate([np.zeros(0, np.int64), *stretches])

    def positions(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The position among the edges of each reading's first edge, the first at or after it; below 0 or beyond the
        last position for readings outside. `ts` must be in order, and no first edge may be cut out."""
        number = -(-ts // self.step_ms)
        if len(self.starts) <= 1:
            return number - (self.starts[0] if len(self.starts) else 0)
        before = np.concatenate([[0], np.cumsum(self.stops - self.starts)[:-1]])
        stretch = np.maximum(np.searchsorted(self.starts, number, side="right") - 1, 0)
        return number + (before - self.starts)[stretch]


def edges_of(
    series: Sequence[NDArray[np.int64]], start_ms: int, end_ms: int, step_ms: int, max_gap_ms: int, gap_rows: int | None
) -> Edges:
    """The edges from `start_ms` to `end_ms`, both included. Of a longer run of edges that no reading reaches, only the
    first and the last `gap_rows` are kept; all of them for None.

    `series`: the instants of each sensor's readings, in order. A reading's first edge is always kept.
    """
    first, after = start_ms // step_ms, end_ms // step_ms + 1
    cut_from, cut_to = np.zeros(0, np.int64), np.zeros(0, np.int64)
    if gap_rows is not None:
        empty_from, empty_to = _empty(series, first, after, step_ms, max_gap_ms, gap_rows)
        cut_from, cut_to = empty_from + 1, empty_to - gap_rows
        wide = cut_to > cut_from
        cut_from, cut_to = cut_from[wide], cut_to[wide]
    return Edges(step_ms, np.concatenate([[first], cut_to]), np.concatenate([cut_from, [after]]))


def _empty(
    series: Sequence[NDArray[np.int64]], first: int, after: int, step_ms: int, max_gap_ms: int, least: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs of edges from `first` up to `after` that no series reaches, those of at least `least` edges, and perhaps
    shorter ones: the number of each run's first edge, and of the edge after it."""
    begins, stops = [], []
    for ts in series:
        pause = np.flatnonzero(np.diff(ts) > max_gap_ms + (least - 1) * step_ms)
        last, following = np.append(ts[pause], ts[-1]), np.append(ts[0], ts[pause + 1])
        reached = np.maximum(-(-last // step_ms), (last + max_gap_ms) // step_ms)
        begins.append(np.append(first, reached + 1).clip(first, after))
        stops.append(np.append(-(-following // step_ms), after).clip(first, after))
    borders = np.concatenate([*begins, *stops])
    change = np.repeat([1, -1], len(borders) // 2)
    order = np.argsort(borders, kind="stable")
    borders, idle = borders[order], np.cumsum(change[order])
    run = np.flatnonzero((idle[:-1] == len(series)) & (borders[1:] > borders[:-1]))
    return borders[run], borders[run + 1]
