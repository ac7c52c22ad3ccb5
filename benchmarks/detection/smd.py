"""SMD: two servers of an internet company; a file for training, which drifts, and a later one with labelled events."""

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

NAME = "smd"
SETTINGS = {"window": 120, "warmup": 60, "horizons": (1, 5, 10)}
"""Two hours at a row a minute: the product's defaults."""


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The servers under `data`/smd."""
    folder = data / NAME
    labels = read_labels(folder / "labels.csv")
    files = sorted(folder.glob("*-train.csv"))
    sensors = read_table(files[0]).sensors
    equipment = EquipmentClass.model_validate(
        {"sensors": [{"name": name} for name in sensors], "step": "1m", "max_gap": "1m",
         "model": {**SETTINGS, **model}}
    )  # fmt: skip
    normal, tests = [], []
    for path in files:
        asset = path.stem.removesuffix("-train")
        train, test = read_table(path), read_table(folder / f"{asset}-test.csv")
        normal.append(normal_until(grid_of(asset, train, equipment), int(train.instants[-1]) + 1, equipment))
        run = grid_of(asset, test, equipment)
        tests.append(Part(asset, run, np.isin(run.edges, test.instants), labels_within(labels, run)))
    return Plant(NAME, equipment, tuple(normal), tuple(tests))


def figures(_: Plant, runs: Sequence[Scored]) -> Figures:
    """By row, over both servers together."""
    return by_row(runs)
