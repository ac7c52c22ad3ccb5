"""SKAB, runs of `valve1`: a valve of a water loop closes. The published protocol.

Each run is an asset; its rows 0 to 399 train, scale and calibrate, the others are judged: row by row, over all runs
together, without point adjustment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.detection.dataset import (
    WINDOWS,
    Plant,
    class_of,
    grid_of,
    normal_until,
    part_of,
    read_labels,
    read_table,
)
from benchmarks.detection.row_figures import figures

__all__ = ["NAME", "figures", "load"]

NAME = "skab"
NORMAL_ROWS = 400
LABELS = ("anomaly", "changepoint")


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The sixteen runs under `data`/skab/valve1, a reading per second: a window is two minutes."""
    folder = data / NAME
    labels = read_labels(folder / "labels.csv")
    files = sorted((folder / "valve1").glob("*.csv"), key=lambda path: int(path.stem))
    tables = {f"valve1-{path.stem}": read_table(path, ";", LABELS) for path in files}
    equipment = class_of(next(iter(tables.values())).sensors, "1s", {**WINDOWS, **model}, max_gap="5s")
    normal, tests = [], []
    for asset, table in tables.items():
        normal.append(normal_until(grid_of(asset, table, equipment), int(table.instants[NORMAL_ROWS]), equipment))
        tests.append(part_of(asset, asset, table, equipment, labels, NORMAL_ROWS))
    return Plant(NAME, equipment, tuple(normal), tuple(tests))
