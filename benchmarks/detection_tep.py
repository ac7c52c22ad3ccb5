"""Tennessee Eastman process: one plant, 500 normal rows to learn from, nine runs with a fault from row 160 on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from detection_plant import Part, Plant, grid_of, labels_within, normal_until, read_labels, read_table

from eugenie_cli.site.model import EquipmentClass

NAME = "tep"
ASSET = "te-plant"
FAULT_ROW = 160
UNDETECTABLE = (3, 9)
"""Faults that are known to change next to nothing: they are told, but not in the mean."""
SETTINGS = {"window": 60, "warmup": 20, "horizons": (1, 5, 10)}
"""Three hours at a row every three minutes: the 500 rows hold eight of them."""


def load(data: Path, seed: int) -> Plant:
    """The runs under `data`/tep."""
    folder = data / "tep"
    labels = read_labels(folder / "labels.csv")
    train = read_table(folder / "normal-train.csv")
    equipment = EquipmentClass.model_validate(
        {"sensors": [{"name": name} for name in train.sensors], "step": "3m", "max_gap": "3m",
         "model": {**SETTINGS, "seed": seed}}
    )  # fmt: skip
    grid = grid_of(ASSET, train, equipment)
    normal = normal_until(grid, int(train.instants[-1]) + 1, equipment)
    tests = []
    for path in [folder / "normal-test.csv", *sorted(folder.glob("fault-*.csv"))]:
        table = read_table(path)
        run = grid_of(ASSET, table, equipment)
        tests.append(Part(path.stem, run, np.isin(run.edges, table.instants), labels_within(labels, run)))
    return Plant(NAME, equipment, (normal,), tuple(tests))
