"""Smoothed statistics of an asset's normal rows, from which baselines and thresholds are computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.detection.covariance import known
from eugenie_cli.detection.window_statistics import WindowStatistics

SEGMENT_ROWS = 2_000
# Alignment of a column in bytes.
_ALIGNED = 16

Room = Callable[[int], NDArray[np.uint8]]
"""Allocates a buffer of n bytes."""


@dataclass(frozen=True)
class Smoothed:
    """`window_statistics.WindowStatistics` of an asset's scorable rows: float [N, S] and bool [N, S] each."""

    residual: Floats
    residual_present: Bools
    level: Floats
    level_present: Bools
    recent: Floats
    square: Floats
    recent_present: Bools

    def __len__(self) -> int:
        return len(self.residual)

    def of(self, sensors: Ints) -> Smoothed:
        """The same for a selection of sensors."""
        return Smoothed(*(column[:, sensors] for column in _columns(self)))

    @property
    def residuals(self) -> tuple[Floats, Floats]:
        """Smoothed errors and nearly unsmoothed errors: the arguments of `covariance.averages_whitener`."""
        return known(self.residual, self.residual_present), known(self.recent, self.recent_present)


@dataclass(frozen=True)
class Levels:
    """Smoothed levels of an asset's rows, including rows whose window is too sparse to be scored, and the rows
    themselves: float [N, S] and bool [N, S] each."""

    level: Floats
    level_present: Bools
    row: Floats
    row_present: Bools

    def of(self, sensors: Ints) -> tuple[Floats, Floats]:
        """A selection of sensors as the arguments of `covariance.averages_whitener`."""
        level, level_present, row, row_present = (column[:, sensors] for column in _columns(self))
        return known(level, level_present), known(row, row_present)


Columns = TypeVar("Columns", Smoothed, Levels)
Picked = TypeVar("Picked")


def kept(arrays: Columns, room: Room | None) -> Columns:
    """The same arrays, copied to memory that `room` allocates, if given."""
    if room is None:
        return arrays
    columns: list[Any] = _columns(arrays)
    starts = np.cumsum([0, *(-(-column.nbytes // _ALIGNED) * _ALIGNED for column in columns)])
    buffer = room(int(starts[-1]))
    copies = []
    for first, column in zip(starts, columns, strict=False):
        copy = buffer[first : first + column.nbytes].view(column.dtype).reshape(column.shape)
        copy[:] = column
        copies.append(copy)
    return type(arrays)(*copies)


def _columns(arrays: Smoothed | Levels) -> list[Any]:
    return [getattr(arrays, field.name) for field in fields(arrays)]


Run = Callable[[tf.Tensor], WindowStatistics]
"""`window_statistics.Statistics.frame_all`, compiled."""


def smoothed_with_rows(run: Run, scaled: Floats, chosen: Bools, window: int, most: int) -> tuple[Smoothed, Ints]:
    """Statistics of the scorable rows among `chosen`, of about `most` of them, in time order, and the rows' numbers
    int64 [N]."""

    def both(statistics: WindowStatistics, rows: Floats, chosen: Bools) -> tuple[Smoothed, Bools]:
        return _scorable(statistics, rows, chosen), _is_scorable(statistics, chosen)

    parts = _each_segment(run, scaled, chosen, window, most, both)
    numbers = [ends[kept] for ends, (_, kept) in zip(_segments(chosen, most), parts, strict=True)]
    samples = _joined(Smoothed, [samples for samples, _ in parts], scaled.shape[1])
    return samples, np.concatenate(numbers) if numbers else np.zeros(0, np.int64)


def smoothed_with_levels(run: Run, scaled: Floats, chosen: Bools, window: int, most: int) -> tuple[Smoothed, Levels]:
    """Statistics of the scorable rows among `chosen`, and the levels of all of them."""

    def both(statistics: WindowStatistics, rows: Floats, chosen: Bools) -> tuple[Smoothed, Levels]:
        return _scorable(statistics, rows, chosen), _levelled(statistics, rows, chosen)

    parts = _each_segment(run, scaled, chosen, window, most, both)
    sensors = scaled.shape[1]
    return (
        _joined(Smoothed, [samples for samples, _ in parts], sensors),
        _joined(Levels, [levels for _, levels in parts], sensors),
    )


def _scorable(statistics: WindowStatistics, _: Floats, chosen: Bools) -> Smoothed:
    keep = _is_scorable(statistics, chosen)
    return Smoothed(*(getattr(statistics, field.name)[keep] for field in fields(Smoothed)))


def _is_scorable(statistics: WindowStatistics, chosen: Bools) -> Bools:
    keep: Bools = statistics.valid & chosen & statistics.recent_present.any(axis=1)
    return keep


def _levelled(statistics: WindowStatistics, rows: Floats, chosen: Bools) -> Levels:
    keep = chosen & statistics.level_present.any(axis=1)
    return Levels(
        statistics.level[keep], statistics.level_present[keep], np.nan_to_num(rows[keep]), np.isfinite(rows[keep])
    )


def _each_segment(
    run: Run,
    scaled: Floats,
    chosen: Bools,
    window: int,
    most: int,
    pick: Callable[[WindowStatistics, Floats, Bools], Picked],
) -> list[Picked]:
    """The results of `pick` for each segment, given its statistics (arrays), rows [n, S] and chosen bool [n]."""

    def segment(ends: Ints) -> Picked:
        before = min(ends[0], window - 1)
        missing = np.full((window - 1 - before, scaled.shape[1]), np.nan, np.float32)
        rows = np.concatenate([missing, scaled[ends[0] - before : ends[-1] + 1]])
        statistics = WindowStatistics(*(part.numpy() for part in run(tf.constant(rows[None]))))
        return pick(statistics, scaled[ends], chosen[ends])

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # during training, an operation uses one thread
        return list(pool.map(segment, _segments(chosen, most)))


def _joined(kind: type[Columns], parts: Sequence[Columns], sensors: int) -> Columns:
    if not parts:
        return kind(*(np.zeros((0, sensors), bool if "present" in field.name else float) for field in fields(kind)))
    return kind(*(np.concatenate(column) for column in zip(*map(_columns, parts), strict=True)))


def _segments(chosen: Bools, rows: int) -> list[Ints]:
    """Ranges of row numbers that together cover `chosen`, or evenly spread ones of up to `rows` rows."""
    starts = np.arange(0, len(chosen), SEGMENT_ROWS)
    starts = starts[[bool(chosen[start : start + SEGMENT_ROWS].any()) for start in starts]]
    most = rows // SEGMENT_ROWS
    if len(starts) > most:
        starts = starts[np.linspace(0, len(starts) - 1, most).round().astype(int)]
    return [np.arange(start, min(start + SEGMENT_ROWS, len(chosen))) for start in starts]
