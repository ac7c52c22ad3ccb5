"""HVAC: an air handling unit, eleven days. All but the last of its normal days train; the last, and the days of faults,
are judged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection.dataset import (
    Figures,
    Part,
    Plant,
    grid_of,
    instant,
    labels_within,
    read_labels,
    read_table,
)
from benchmarks.detection.detector_runs import Scored
from benchmarks.detection.row_figures import by_row
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training.datasets import split

NAME = "hvac"
ASSET = "szvav"
DAY_MS = 86_400_000
SETTINGS = {"window": 120, "warmup": 60, "horizons": (1, 5, 10)}
"""Two hours at a row a minute: the product's defaults."""


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The unit under `data`/hvac."""
    folder = data / NAME
    labels = read_labels(folder / "labels.csv")
    table = read_table(folder / f"{ASSET}.csv")
    days = json.loads((folder / "normal.json").read_text(encoding="utf-8"))[ASSET]
    equipment = EquipmentClass.model_validate(
        {"sensors": [{"name": name} for name in table.sensors], "step": "1m", "max_gap": "1m",
         "model": {**SETTINGS, **model}}
    )  # fmt: skip
    grid = grid_of(ASSET, table, equipment)
    learnt = np.isin(grid.edges // DAY_MS * DAY_MS, [instant(day) for day in days[:-1]])
    normal = split(grid, learnt, equipment.model.calibration)
    judged = np.isin(grid.edges, table.instants) & ~learnt
    return Plant(NAME, equipment, (normal,), (Part(ASSET, grid, judged, labels_within(labels, grid)),))


def figures(_: Plant, runs: Sequence[Scored]) -> Figures:
    """By row."""
    return by_row(runs)
