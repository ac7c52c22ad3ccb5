"""Public data as the product sees it: readings on the grid, normal rows split by time, labels that only judge."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.history.batch import AssetReadings
from eugenie_cli.history.grid import Grid, align
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.labels import Label
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training.datasets import NormalGrid, split


@dataclass(frozen=True)
class Table:
    """A wide CSV file: `instants` int64 [N], ms UTC; `values` float64 [N, S]; `sensors` S names."""

    instants: Ints
    values: Floats
    sensors: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A test run: rows that are scored. `judged` bool [T]; `labels` of this asset and time."""

    name: str
    grid: Grid
    judged: Bools
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class Plant:
    """The data of a protocol: a class, its assets' normal rows, and the rows to judge."""

    name: str
    equipment: EquipmentClass
    normal: tuple[NormalGrid, ...]
    tests: tuple[Part, ...]


def read_table(path: Path, delimiter: str = ",", ignore: Sequence[str] = ()) -> Table:
    """Read a file whose first column is the time, without the columns of `ignore`. An empty cell is NaN."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file, delimiter=delimiter)
    columns = [index for index, name in enumerate(header) if index and name not in ignore]
    values = np.array([[float(line[index] or "nan") for index in columns] for line in lines])
    return Table(np.array([instant(line[0]) for line in lines], np.int64), values, tuple(header[i] for i in columns))


def instant(text: str) -> int:
    """ISO 8601 as ms; without an offset it is UTC."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc))


def read_labels(path: Path) -> tuple[Label, ...]:
    """`asset,start,end,sensors`, as `eugenie evaluate --labels` takes it."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(
            Label(
                row["asset"],
                instant(row["start"]),
                instant(row["end"]),
                tuple(filter(None, row["sensors"].split(";"))),
            )
            for row in csv.DictReader(file)
        )


def grid_of(asset: str, table: Table, equipment: EquipmentClass) -> Grid:
    """The table's values as readings, aligned as the history aligns them."""
    rows, sensors = table.values.shape
    readings = AssetReadings(
        asset,
        table.sensors,
        np.repeat(np.arange(sensors, dtype=np.int32), rows),
        np.tile(table.instants, sensors),
        table.values.T.reshape(-1),
    )
    return align(readings, sensors=equipment.sensor_names, step_ms=equipment.step, max_gap_ms=equipment.max_gap)


def normal_until(grid: Grid, end_ms: int, equipment: EquipmentClass) -> NormalGrid:
    """The rows before `end_ms`, as for training."""
    keep = grid.edges < end_ms
    known = Grid(grid.asset, grid.edges[keep], grid.rows[keep])
    return split(known, np.ones(len(known.edges), bool), equipment.model.calibration)


def labels_within(labels: Sequence[Label], grid: Grid) -> tuple[Label, ...]:
    """The asset's labels that overlap the grid's time."""
    first, last = int(grid.edges[0]), int(grid.edges[-1])
    return tuple(label for label in labels if label.asset == grid.asset and label.start <= last and label.end > first)


Load = Callable[[Path, Mapping[str, Any]], Plant]
"""Loads a protocol's plant from the data folder; `model`: settings of the model beside the protocol's, such as its
seed."""

Figures = Mapping[str, float]
