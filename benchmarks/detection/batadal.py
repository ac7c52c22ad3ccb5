"""BATADAL: a town's water network under attack. A normal year trains, the two later records with attacks are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection.dataset import (
    Figures,
    Part,
    Plant,
    grid_of,
    labels_within,
    normal_until,
    read_labels,
    read_table,
)
from benchmarks.detection.detector_runs import Scored
from benchmarks.detection.row_figures import by_row
from eugenie_cli.site.schema import EquipmentClass

NAME = "batadal"
ASSET = "ctown"
SETTINGS = {"window": 120, "warmup": 60, "horizons": (1, 5, 10)}
"""Five days at a row an hour: the product's defaults."""


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The records under `data`/batadal."""
    folder = data / NAME
    labels = read_labels(folder / "labels.csv")
    train = read_table(folder / "dataset03.csv")
    equipment = EquipmentClass.model_validate(
        {"sensors": [{"name": name} for name in train.sensors], "step": "1h", "max_gap": "1h",
         "model": {**SETTINGS, **model}}
    )  # fmt: skip
    grid = grid_of(ASSET, train, equipment)
    normal = normal_until(grid, int(train.instants[-1]) + 1, equipment)
    tests = []
    for name in ("dataset04", "test_dataset"):
        table = read_table(folder / f"{name}.csv")
        run = grid_of(ASSET, table, equipment)
        tests.append(Part(name, run, np.isin(run.edges, table.instants), labels_within(labels, run)))
    return Plant(NAME, equipment, (normal,), tuple(tests))


def figures(_: Plant, runs: Sequence[Scored]) -> Figures:
    """By row, over both records together."""
    return by_row(runs)
