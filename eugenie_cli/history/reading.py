"""Reads the readings of an asset from the parts of a snapshot, and chooses one reading for each instant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.batch import AssetReadings, Deduplicated, merge
from eugenie_cli.history.part_files import Columns, Number, read_part
from eugenie_cli.history.snapshot import Placed, Snapshot, by_file
from eugenie_cli.readings.limits import Limits

LimitsByName = Mapping[str, tuple[float | None, float | None]]
"""Sensor -> lowest and highest value, None for no limit."""


def read_asset(
    root: Path, snapshot: Snapshot, asset: str, start_ms: int | None, end_ms: int | None, limits: LimitsByName
) -> AssetReadings:
    """See `History.read`. Raises FileNotFoundError when a commit has replaced a file since the snapshot."""
    placed = [entry for entry in snapshot.by_asset.get(asset, ()) if _reaches(entry, asset, start_ms, end_ms)]
    read = [(file, read_file(root, snapshot, file, (asset, start_ms, end_ms))) for file in by_file(placed)]
    if not read:
        empty = np.zeros(0, np.int64)
        return AssetReadings(asset, (), empty.astype(np.int32), empty, empty.astype(np.float64))
    names: dict[str, int] = {}
    sensor = joined([_numbered(columns, names) for _, columns in read])
    ts, value = joined([columns.ts for _, columns in read]), joined([columns.value for _, columns in read])
    bounds = [limits.get(name, (None, None)) for name in names]
    if any(bound != (None, None) for bound in bounds):
        low, high = zip(*bounds, strict=True)
        value = Limits(low, high).apply(sensor, value)
    merged = merge(sensor, ts, value, partial(ages_of, snapshot, read) if len(placed) > 1 else None)
    readings = AssetReadings(asset, tuple(names), merged.sensor, merged.ts, merged.value)
    counts = [np.bincount(numbers, minlength=len(names)) for numbers in _counted(sensor, merged)]
    return replace(readings, repeated=_by_name(names, counts[0] - counts[1]), conflicts=_by_name(names, counts[2]))


def _counted(sensor: NDArray[np.int32], merged: Deduplicated) -> tuple[NDArray[np.int32], ...]:
    """The sensors of all readings, of those that were chosen, and of those with conflicts; all empty if all are."""
    if len(sensor) == len(merged.sensor):
        return sensor[:0], sensor[:0], sensor[:0]
    return sensor, merged.sensor, merged.sensor[merged.conflict]


def _reaches(placed: Placed, asset: str, start_ms: int | None, end_ms: int | None) -> bool:
    span = placed.part.assets[asset]
    return not ((start_ms is not None and span.end < start_ms) or (end_ms is not None and span.start >= end_ms))


def read_file(root: Path, snapshot: Snapshot, file: str, which: tuple[str, int | None, int | None]) -> Columns:
    """The readings in a file that count, of `which` (asset, start, end)."""
    columns = read_part(root / file, *which)
    counts = snapshot.ages_in[file].counting(columns.item)
    return columns if counts is None else columns.only(counts)


def ages_of(snapshot: Snapshot, read: Iterable[tuple[str, Columns]]) -> NDArray[np.int64]:
    """The age of each reading of the files."""
    return joined([snapshot.ages_in[file].of_parts(columns.item, len(columns.ts)) for file, columns in read])


def joined(arrays: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """Arrays one after the other; a single one is not copied."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _numbered(columns: Columns, names: dict[str, int]) -> NDArray[np.int32]:
    """The sensor of each reading, by numbers that are added to `names`."""
    numbers = [0] * len(columns.sensors)
    # only those in use: those of other assets, and of readings that do not count, may be in the same file
    for number in np.flatnonzero(np.bincount(columns.sensor, minlength=len(numbers))).tolist():
        numbers[number] = names.setdefault(columns.sensors[number], len(names))
    if numbers == list(range(len(numbers))):
        return columns.sensor
    lookup = np.array(numbers, np.int32)
    return lookup[columns.sensor]


def _by_name(names: Iterable[str], counts: NDArray[np.int64]) -> dict[str, int]:
    return dict(zip(names, counts.tolist(), strict=True))
