"""HVAC: an air handling unit, eleven days. All but the last of its normal days train; the last, and the days of faults,
are judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection.dataset import (
    WINDOWS,
    Part,
    Plant,
    class_of,
    grid_of,
    instant,
    labels_within,
    read_labels,
    read_table,
)
from benchmarks.detection.row_figures import figures
from eugenie_cli.readings.number_units import DAY_MS
from eugenie_cli.training.datasets import split

__all__ = ["NAME", "figures", "load"]

NAME = "hvac"
ASSET = "szvav"


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The unit under `data`/hvac, a row a minute: a window is two hours."""
    folder = data / NAME
    labels = read_labels(folder / "labels.csv")
    table = read_table(folder / f"{ASSET}.csv")
    days = json.loads((folder / "normal.json").read_text(encoding="utf-8"))[ASSET]
    equipment = class_of(table.sensors, "1m", {**WINDOWS, **model})
    grid = grid_of(ASSET, table, equipment)
    learnt = np.isin(grid.edges // DAY_MS * DAY_MS, [instant(day) for day in days[:-1]])
    normal = split(grid, learnt, equipment.model.calibration)
    judged = np.isin(grid.edges, table.instants) & ~learnt
    return Plant(NAME, equipment, (normal,), (Part(ASSET, grid, judged, labels_within(labels, grid)),))
