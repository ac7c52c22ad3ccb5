"""Smoothed statistics of an asset's normal rows, which baselines and thresholds are learnt from."""

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
# Bytes: where a column of numbers may begin.
_ALIGNED = 16

Room = Callable[[int], NDArray[np.uint8]]
"""Gives so many bytes to keep something in."""


@dataclass(frozen=True)
class Smoothed:
    """`window_statistics.WindowStatistics` of the scorable rows of an asset: float [N, S] and bool [N, S] each."""

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
        """The same of some sensors."""
        return Smoothed(*(column[:, sensors] for column in _columns(self)))

    @property
    def residuals(self) -> tuple[Floats, Floats]:
        """And the errors themselves, hardly smoothed: as `covariance.averages_whitener` takes them."""
        return known(self.residual, self.residual_present), known(self.recent, self.recent_present)


@dataclass(frozen=True)
class Levels:
    """Smoothed levels of an asset's rows, of those too whose window is too empty to be scored, and the rows: float
    [N, S] and bool [N, S] each."""

    level: Floats
    level_present: Bools
    row: Floats
    row_present: Bools

    def of(self, sensors: Ints) -> tuple[Floats, Floats]:
        """Of some sensors: as `covariance.averages_whitener` takes them."""
        level, level_present, row, row_present = (column[:, sensors] for column in _columns(self))
        return known(level, level_present), known(row, row_present)


Columns = TypeVar("Columns", Smoothed, Levels)
Picked = TypeVar("Picked")


def kept(arrays: Columns, room: Room | None) -> Columns:
    """The same, in memory that `room` gives, if it is there."""
    if room is None:
        return arrays
    columns: list[Any] = _columns(arrays)
    starts = np.cumsum([0, *(-(-column.nbytes // _ALIGNED) * _ALIGNED for column in columns)])
    place = room(int(starts[-1]))
    copies = []
    for first, column in zip(starts, columns, strict=False):
        copy = place[first : first + column.nbytes].view(column.dtype).reshape(column.shape)
        copy[:] = column
        copies.append(copy)
    return type(arrays)(*copies)


def _columns(arrays: Smoothed | Levels) -> list[Any]:
    return [getattr(arrays, field.name) for field in fields(arrays)]


Run = Callable[[tf.Tensor], WindowStatistics]
"""`window_statistics.StatisticsModule.frame_all`, compiled."""


def smoothed(run: Run, scaled: Floats, wanted: Bools, window: int, most: int) -> Smoothed:
    """Statistics of the scorable rows among `wanted`, of about `most` of them, in order of time."""
    return _joined(Smoothed, _each_segment(run, scaled, wanted, window, most, _scorable), scaled.shape[1])


def smoothed_with_levels(run: Run, scaled: Floats, wanted: Bools, window: int, most: int) -> tuple[Smoothed, Levels]:
    """The same, and the levels of these and of the other wanted rows."""

    def both(found: WindowStatistics, rows: Floats, wanted: Bools) -> tuple[Smoothed, Levels]:
        return _scorable(found, rows, wanted), _levelled(found, rows, wanted)

    found = _each_segment(run, scaled, wanted, window, most, both)
    sensors = scaled.shape[1]
    return _joined(Smoothed, [one for one, _ in found], sensors), _joined(Levels, [one for _, one in found], sensors)


def _scorable(found: WindowStatistics, _: Floats, wanted: Bools) -> Smoothed:
    keep = found.valid & wanted & found.recent_present.any(axis=1)
    return Smoothed(*(getattr(found, field.name)[keep] for field in fields(Smoothed)))


def _levelled(found: WindowStatistics, rows: Floats, wanted: Bools) -> Levels:
    keep = wanted & found.level_present.any(axis=1)
    return Levels(found.level[keep], found.level_present[keep], np.nan_to_num(rows[keep]), np.isfinite(rows[keep]))


def _each_segment(
    run: Run,
    scaled: Floats,
    wanted: Bools,
    window: int,
    most: int,
    pick: Callable[[WindowStatistics, Floats, Bools], Picked],
) -> list[Picked]:
    """What `pick` takes of each segment's statistics (arrays), rows [n, S] and whether these are wanted, bool [n]."""

    def segment(ends: Ints) -> Picked:
        before = min(ends[0], window - 1)
        missing = np.full((window - 1 - before, scaled.shape[1]), np.nan, np.float32)
        rows = np.concatenate([missing, scaled[ends[0] - before : ends[-1] + 1]])
        found = WindowStatistics(*(part.numpy() for part in run(tf.constant(rows[None]))))
        return pick(found, scaled[ends], wanted[ends])

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # an operation has one thread in a training
        return list(pool.map(segment, _segments(wanted, most)))


def _joined(kind: type[Columns], parts: Sequence[Columns], sensors: int) -> Columns:
    if not parts:
        return kind(*(np.zeros((0, sensors), bool if "present" in field.name else float) for field in fields(kind)))
    return kind(*(np.concatenate(column) for column in zip(*map(_columns, parts), strict=True)))


def _segments(wanted: Bools, rows: int) -> list[Ints]:
    """Runs of row numbers that together hold `wanted`, or evenly spread ones up to `rows`."""
    starts = np.arange(0, len(wanted), SEGMENT_ROWS)
    starts = starts[[bool(wanted[start : start + SEGMENT_ROWS].any()) for start in starts]]
    most = rows // SEGMENT_ROWS
    if len(starts) > most:
        starts = starts[np.linspace(0, len(starts) - 1, most).round().astype(int)]
    return [np.arange(start, min(start + SEGMENT_ROWS, len(wanted))) for start in starts]
