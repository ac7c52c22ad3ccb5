"""Reads the readings of an asset from the parts of a snapshot, and chooses one reading for each instant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.batch import AssetReadings, merge
from eugenie_cli.history.part_files import read_part
from eugenie_cli.history.snapshot import Placed, Snapshot, by_file
from eugenie_cli.readings.limits import Limits

LimitsByName = Mapping[str, tuple[float | None, float | None]]
"""Sensor -> lowest and highest value, None for no limit."""

Readings = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]
"""sensor, ts, value and age of readings, in any order."""


def read_asset(
    root: Path, snapshot: Snapshot, asset: str, start_ms: int | None, end_ms: int | None, limits: LimitsByName
) -> AssetReadings:
    """See `History.read`. Raises FileNotFoundError when a commit has replaced a file since the snapshot."""
    names: dict[str, int] = {}
    placed = [entry for entry in snapshot.by_asset.get(asset, ()) if _reaches(entry, asset, start_ms, end_ms)]
    read = [read_file(root, snapshot, file, (asset, start_ms, end_ms), names) for file in by_file(placed)]
    if not read:
        empty = np.zeros(0, np.int64)
        return AssetReadings(asset, (), empty.astype(np.int32), empty, empty.astype(np.float64))
    sensor, ts, value, age = (np.concatenate(column) for column in zip(*read, strict=True))
    if limits and names:
        low, high = zip(*(limits.get(name, (None, None)) for name in names), strict=True)
        value = Limits(low, high).apply(sensor, value)
    merged = merge(sensor, ts, value, age if len(placed) > 1 else None)
    return AssetReadings(
        asset,
        tuple(names),
        merged.sensor,
        merged.ts,
        merged.value,
        _by_name(names, np.bincount(sensor, minlength=len(names)) - np.bincount(merged.sensor, minlength=len(names))),
        _by_name(names, np.bincount(merged.sensor[merged.conflict], minlength=len(names))),
    )


def _reaches(placed: Placed, asset: str, start_ms: int | None, end_ms: int | None) -> bool:
    span = placed.part.assets[asset]
    return not ((start_ms is not None and span.end < start_ms) or (end_ms is not None and span.start >= end_ms))


def read_file(
    root: Path, snapshot: Snapshot, file: str, which: tuple[str, int | None, int | None], names: dict[str, int]
) -> Readings:
    """The readings in a file that count, of `which` (asset, start, end). Numbers of sensors are added to `names`."""
    columns = read_part(root / file, *which)
    counts, age = snapshot.ages_in[file].find(columns.item, len(columns.ts))
    if counts is not None:
        columns = columns.only(counts)
    lookup = np.array([names.setdefault(name, len(names)) for name in columns.sensors] or [0], np.int32)
    return lookup[columns.sensor], columns.ts, columns.value, age


def _by_name(names: Iterable[str], counts: NDArray[np.int64]) -> dict[str, int]:
    return dict(zip(names, counts.tolist(), strict=True))
