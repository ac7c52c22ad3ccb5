"""Reduces rows to what a picture can show: a few hundred points, without averaging away anything that stands out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.metrics.alarm_load import Span
from eugenie_cli.evaluation.backtest import Backtest

POINTS = 240
"""More points than a picture on the page resolves; the pictures of an event stay below 100 kB."""
OVERVIEW_POINTS = 160
STRANDS = 3
"""Sensors drawn for an event: those that contribute most."""


@dataclass(frozen=True)
class Strand:
    """A sensor of a trace; arrays [n], NaN where unknown."""

    sensor: str
    unit: str
    contribution: float
    low: Floats
    high: Floats
    """The lowest and the highest value of the point's rows."""
    expected: Floats
    """The mean of the forecasts."""


@dataclass(frozen=True)
class Trace:
    """n points of one asset, evenly spaced over [start, end)."""

    asset: str
    start: int
    end: int
    rows_per_point: int
    score: Floats
    """The highest score of the point's rows, [n]; NaN: not scored."""
    labelled: tuple[Span, ...]
    alarms: tuple[Span, ...]
    """From raised to cleared."""
    strands: tuple[Strand, ...]
    beside: Floats | None = None
    """The other version's scores, likewise, [n]; None if only one version was judged."""


def trace(
    backtest: Backtest,
    span: Span,
    *,
    labelled: Sequence[Span],
    alarms: Sequence[Span],
    sensors: Sequence[tuple[int, str, str, float]] = (),
    points: int = POINTS,
    beside: Floats | None = None,
) -> Trace | None:
    """The rows of `backtest` in the span as at most `points` points; None if it has no row there.

    `sensors`: index, name, unit and contribution of the sensors to draw. `beside`: another version's scores, [T].
    """
    first, last = np.searchsorted(backtest.edges, span).tolist()
    if first >= last:
        return None
    rows, edges = slice(first, last), backtest.edges[first:last]
    step = int(np.diff(backtest.edges).min()) if len(backtest.edges) > 1 else 1
    start = int(edges[0])
    total = int(edges[-1] - start) // step + 1
    rows_per_point = -(-total // points)
    point = (edges - start) // (rows_per_point * step)
    count = -(-total // rows_per_point)
    end = start + rows_per_point * step * count

    def reduced(function: np.ufunc, values: Floats) -> Floats:
        """[n]: of each point's rows; NaN for a point without a value, or in a gap."""
        at, first_of_point = np.unique(point, return_index=True)
        of_points = np.full(count, np.nan, values.dtype)
        of_points[at] = function.reduceat(values, first_of_point)
        return of_points

    def mean(values: Floats) -> Floats:
        known = np.isfinite(values)
        number = np.bincount(point[known], minlength=count)
        total_of_point = np.bincount(point[known], values[known], minlength=count)
        return np.divide(total_of_point, number, out=np.full(count, np.nan), where=number > 0).astype(values.dtype)

    strands = tuple(
        Strand(
            name, unit, share,
            reduced(np.fmin, backtest.rows[rows, index]),
            reduced(np.fmax, backtest.rows[rows, index]),
            mean(backtest.expected[rows, index]),
        )
        for index, name, unit, share in sensors
    )  # fmt: skip
    score = reduced(np.fmax, backtest.score[rows])
    other_score = None if beside is None else reduced(np.fmax, beside[rows])
    return Trace(
        backtest.asset,
        start,
        end,
        rows_per_point,
        score,
        _within(labelled, start, end),
        _within(alarms, start, end),
        strands,
        other_score,
    )


def score_on(edges: Ints, backtest: Backtest) -> Floats:
    """float32 [T]: the backtest's scores at edges [T], NaN at edges that it does not have.

    Two versions' rows of one period may begin at different edges, because a longer window reads more rows before it.
    """
    scores = np.full(len(edges), np.nan, np.float32)
    _, into, from_rows = np.intersect1d(edges, backtest.edges, assume_unique=True, return_indices=True)
    scores[into] = backtest.score[from_rows]
    return scores


def _within(spans: Sequence[Span], start: int, end: int) -> tuple[Span, ...]:
    return tuple((max(first, start), min(last, end)) for first, last in spans if first < end and last > start)
