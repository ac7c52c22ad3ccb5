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


WINDOWS = {"window": 120, "warmup": 60, "horizons": (1, 5, 10)}
"""The product's defaults, whatever the type."""


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


def class_of(sensors: Sequence[str], step: str, model: Mapping[str, Any], **more: Any) -> EquipmentClass:
    """A class as a site file describes it. `more`: its other settings; by default, a reading counts for one step."""
    document = {"sensors": [{"name": name} for name in sensors], "step": step, "max_gap": step, "model": model, **more}
    return EquipmentClass.model_validate(document)


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


def normal_of(asset: str, table: Table, equipment: EquipmentClass) -> NormalGrid:
    """All rows of a table, as for training."""
    return normal_until(grid_of(asset, table, equipment), int(table.instants[-1]) + 1, equipment)


def part_of(
    name: str, asset: str, table: Table, equipment: EquipmentClass, labels: Sequence[Label], first: int = 0
) -> Part:
    """A test run. Only the table's own rows from number `first` on are judged: the published protocols have none for an
    instant without a line, the grid does."""
    grid = grid_of(asset, table, equipment)
    return Part(name, grid, np.isin(grid.edges, table.instants[first:]), labels_within(labels, grid))


def labels_within(labels: Sequence[Label], grid: Grid) -> tuple[Label, ...]:
    """The asset's labels that overlap the grid's time."""
    first, last = int(grid.edges[0]), int(grid.edges[-1])
    return tuple(label for label in labels if label.asset == grid.asset and label.start <= last and label.end > first)


def from_pairs(name: str, folder: Path, step: str, model: Mapping[str, Any], **more: Any) -> Plant:
    """Assets with a file each to learn from, `<asset>-train.csv`, and a later one to judge, `<asset>-test.csv`."""
    labels = read_labels(folder / "labels.csv")
    assets = [path.stem.removesuffix("-train") for path in sorted(folder.glob("*-train.csv"))]
    learnt = {asset: read_table(folder / f"{asset}-train.csv") for asset in assets}
    equipment = class_of(learnt[assets[0]].sensors, step, model, **more)
    return Plant(
        name,
        equipment,
        tuple(normal_of(asset, learnt[asset], equipment) for asset in assets),
        tuple(part_of(asset, asset, read_table(folder / f"{asset}-test.csv"), equipment, labels) for asset in assets),
    )


def from_one_asset(
    name: str, asset: str, folder: Path, learnt: str, judged: Sequence[str], step: str, model: Mapping[str, Any]
) -> Plant:
    """One asset: the file `learnt` to learn from, and the files `judged`. Both without `.csv`."""
    labels = read_labels(folder / "labels.csv")
    table = read_table(folder / f"{learnt}.csv")
    equipment = class_of(table.sensors, step, model)
    tests = (part_of(run, asset, read_table(folder / f"{run}.csv"), equipment, labels) for run in judged)
    return Plant(name, equipment, (normal_of(asset, table, equipment),), tuple(tests))


Load = Callable[[Path, Mapping[str, Any]], Plant]
"""Loads a protocol's plant from the data folder; `model`: settings of the model beside the protocol's, such as its
seed."""

Figures = Mapping[str, float]
