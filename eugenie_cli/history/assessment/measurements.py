"""Reads many measurements at once: each file's columns once for many assets, not once for each asset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.batch import Series, merge
from eugenie_cli.history.part_files import Columns, Wanted, read_columns
from eugenie_cli.history.reading import ages_of, joined
from eugenie_cli.history.snapshot import Snapshot
from eugenie_cli.history.store import History
from eugenie_cli.site.schema import EquipmentClass

# Readings in memory at a time: about 100 bytes each while they are assessed. An asset is never divided.
BLOCK_READINGS = 4_000_000


@dataclass(frozen=True)
class Measurements:
    """The sensors of some assets, sorted by (asset, sensor): K measurements, with the settings of their class.

    `low` and `high` float64 [K]: infinite without a limit; `step` and `max_gap` int64 [K]: ms; `above` float64 [K]: the
    asset runs while the value is larger, NaN for sensors that do not tell. `of_asset`: asset -> its first measurement
    and the one after its last; `normal`: asset -> instants, ascending, at which its normal operation begins and ends by
    turns; an asset that is not listed is always normal.
    """

    series: tuple[Series, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    step: NDArray[np.int64]
    max_gap: NDArray[np.int64]
    above: NDArray[np.float64]
    of_asset: Mapping[str, tuple[int, int]]
    normal: Mapping[str, NDArray[np.int64]]

    @staticmethod
    def of(assets: Mapping[str, EquipmentClass], normal: Mapping[str, NDArray[np.int64]] | None = None) -> Measurements:
        """Every sensor of the assets, by asset name and class."""
        distinct = {id(equipment): equipment for equipment in assets.values()}
        of_class = {number: _OfClass.of(equipment) for number, equipment in distinct.items()}
        ordered = sorted(assets.items())
        own = [of_class[id(equipment)] for _, equipment in ordered]
        ends = np.cumsum([len(one.names) for one in own]).tolist()
        low, high, step, max_gap, above = (
            np.concatenate([one.settings[number] for one in own] or [none]) for number, none in enumerate(_NONE)
        )
        series = tuple((asset, name) for (asset, _), one in zip(ordered, own, strict=True) for name in one.names)
        of_asset = {asset: span for (asset, _), span in zip(ordered, pairwise([0, *ends]), strict=True)}
        return Measurements(series, low, high, step, max_gap, above, of_asset, normal or {})


_NONE = [np.zeros(0, kind) for kind in (np.float64, np.float64, np.int64, np.int64, np.float64)]
"""The settings of no sensor."""


@dataclass(frozen=True)
class _OfClass:
    """The sensors of a class by name, and their `low`, `high`, `step`, `max_gap` and `above`."""

    names: tuple[str, ...]
    settings: tuple[NDArray[Any], ...]

    @staticmethod
    def of(equipment: EquipmentClass) -> _OfClass:
        sensors = sorted(equipment.sensors, key=lambda sensor: sensor.name)
        running = equipment.running
        return _OfClass(
            tuple(sensor.name for sensor in sensors),
            (
                np.array([-np.inf if sensor.low is None else sensor.low for sensor in sensors], np.float64),
                np.array([np.inf if sensor.high is None else sensor.high for sensor in sensors], np.float64),
                np.full(len(sensors), equipment.step, np.int64),
                np.full(len(sensors), equipment.max_gap, np.int64),
                np.array([running.above if running and running.sensor == one.name else np.nan for one in sensors]),
            ),
        )


@dataclass(frozen=True)
class Block:
    """All readings of the measurements from `first` up to `last` (not included), one for each instant.

    Sorted by (index, ts). `index` int32 [N]: the measurement, 0 for `first`; `ts` int64 [N]: ms; `value` float64 [N]:
    NaN where bad; `conflict` bool [N]: readings of the instant disagreed. For each measurement, int64: `repeated`,
    readings that shared their instant with another; `conflicts`, instants at which readings disagreed.
    """

    first: int
    last: int
    index: NDArray[np.int32]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    conflict: NDArray[np.bool_]
    repeated: NDArray[np.int64]
    conflicts: NDArray[np.int64]


def blocks(history: History, wanted: Measurements, readings: int = BLOCK_READINGS) -> Iterator[Block]:
    """The readings of the measurements, a block of about `readings` at a time."""
    snapshot = history.snapshot()
    for assets in _divided(snapshot, list(wanted.of_asset), readings):
        # a commit may have replaced files since: then the block is read from the new state
        yield history.retry(lambda assets=assets: _read(history, wanted, assets))  # type: ignore[misc]


def _divided(snapshot: Snapshot, assets: Sequence[str], readings: int) -> Iterator[list[str]]:
    chosen: list[str] = []
    room = readings
    for asset in assets:
        rows = 1 + sum(placed.part.assets[asset].rows for placed in snapshot.by_asset.get(asset, ()))
        if rows > room and chosen:
            yield chosen
            chosen, room = [], readings
        chosen.append(asset)
        room -= rows
    if chosen:
        yield chosen


def _read(history: History, wanted: Measurements, assets: Sequence[str]) -> Block:
    snapshot = history.snapshot()
    first, last = wanted.of_asset[assets[0]][0], wanted.of_asset[assets[-1]][1]
    files = dict.fromkeys(placed.part.file for asset in assets for placed in snapshot.by_asset.get(asset, ()))
    read: list[tuple[str, Columns]] = []
    indices = []
    for file in files:
        columns = read_columns(history.root / file, Wanted(assets[0], assets[-1]))
        counts = snapshot.ages_in[file].counting(columns.item)
        columns = columns if counts is None else columns.only(counts)
        index = _index(columns, wanted, first, last)
        known = index >= 0
        if not known.all():
            index, columns = index[known], columns.only(known)
        read.append((file, columns))
        indices.append(index)
    index = joined(indices or [np.zeros(0, np.int32)])
    ts = joined([columns.ts for _, columns in read] or [np.zeros(0, np.int64)])
    value = joined([columns.value for _, columns in read] or [np.zeros(0, np.float64)])
    merged = merge(index, ts, value, partial(ages_of, snapshot, read))
    size = last - first
    repeated = conflicts = np.zeros(size, np.int64)
    if len(merged.ts) < len(ts):
        repeated = np.bincount(index, minlength=size) - np.bincount(merged.sensor, minlength=size)
        conflicts = np.bincount(merged.sensor[merged.conflict], minlength=size)
    return Block(first, last, merged.sensor, merged.ts, merged.value, merged.conflict, repeated, conflicts)


def _index(columns: Columns, wanted: Measurements, first: int, last: int) -> NDArray[np.int32]:
    """int32 [N]: each reading's measurement in the block, -1 for others."""
    if not len(columns.ts):
        return np.zeros(0, np.int32)
    sensors = {name: number for number, name in enumerate(columns.sensors)}
    lookup = np.full((len(columns.assets), len(columns.sensors)), -1, np.int32)
    for number, asset in enumerate(columns.assets):
        begun, end = wanted.of_asset.get(asset, (0, 0))
        if begun >= first and end <= last:
            for measurement in range(begun, end):
                sensor = sensors.get(wanted.series[measurement][1])
                if sensor is not None:
                    lookup[number, sensor] = measurement - first
    return lookup[columns.asset, columns.sensor]
