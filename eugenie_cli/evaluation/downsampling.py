"""Rows reduced to what a picture can show: a few hundred points, with nothing that stands out averaged away."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.metrics.alarm_load import Span
from eugenie_cli.evaluation.backtest import Backtest

POINTS = 240
"""More than a picture on a page shows, less than a hundred kB for the pictures of an event."""
OVERVIEW_POINTS = 160
STRANDS = 3
"""Sensors drawn of an event: those that carry it."""


@dataclass(frozen=True)
class Strand:
    """A sensor: [n] each, NaN where nothing is known."""

    sensor: str
    unit: str
    contribution: float
    low: Floats
    high: Floats
    """The least and the largest value of the point's rows."""
    expected: Floats
    """The mean of the forecasts."""


@dataclass(frozen=True)
class Trace:
    """n points, evenly over [start, end), of one asset."""

    asset: str
    start: int
    end: int
    rows_per_point: int
    score: Floats
    """The largest of the point's rows, [n]; NaN: not scored."""
    labelled: tuple[Span, ...]
    alarms: tuple[Span, ...]
    """From raised to gone."""
    strands: tuple[Strand, ...]
    beside: Floats | None = None
    """Likewise of the other version's scores, [n]; None where one version alone was judged."""


def trace(
    one: Backtest,
    span: Span,
    *,
    labelled: Sequence[Span],
    alarms: Sequence[Span],
    sensors: Sequence[tuple[int, str, str, float]] = (),
    points: int = POINTS,
    beside: Floats | None = None,
) -> Trace | None:
    """The rows of `one` in the span, at most `points` points; None when it has none there.

    `sensors`: index, name, unit and contribution of those to be drawn. `beside`: another version's scores, [T].
    """
    first, last = np.searchsorted(one.edges, span)
    if first >= last:
        return None
    step = int(one.edges[1] - one.edges[0]) if len(one.edges) > 1 else 1
    each = -(-int(last - first) // points)
    start, end = int(one.edges[first]), int(one.edges[first]) + each * step * -(-int(last - first) // each)
    here = slice(int(first), int(last))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a point without a value is NaN: nothing to warn of
        strands = tuple(
            Strand(
                name, unit, share,
                np.nanmin(_folded(one.rows[here, index], each), axis=1),
                np.nanmax(_folded(one.rows[here, index], each), axis=1),
                np.nanmean(_folded(one.expected[here, index], each), axis=1),
            )
            for index, name, unit, share in sensors
        )  # fmt: skip
        score = np.nanmax(_folded(one.score[here], each), axis=1)
        other = None if beside is None else np.nanmax(_folded(beside[here], each), axis=1)
    return Trace(
        one.asset, start, end, each, score, _within(labelled, start, end), _within(alarms, start, end), strands, other
    )


def score_on(edges: Ints, one: Backtest) -> Floats:
    """float32 [T]: its scores at edges [T], NaN at those that it has not.

    Two versions' rows of one period may begin at different edges: a longer window reads more of what was before.
    """
    found = np.full(len(edges), np.nan, np.float32)
    _, here, there = np.intersect1d(edges, one.edges, assume_unique=True, return_indices=True)
    found[here] = one.score[there]
    return found


def _folded(values: Floats, each: int) -> Floats:
    """[T] -> [n, each], filled up with NaN."""
    missing = -len(values) % each
    return np.append(values, np.full(missing, np.nan, values.dtype)).reshape(-1, each)


def _within(found: Sequence[Span], start: int, end: int) -> tuple[Span, ...]:
    return tuple((max(a, start), min(b, end)) for a, b in found if a < end and b > start)
