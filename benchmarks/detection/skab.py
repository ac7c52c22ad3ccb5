"""SKAB, runs of `valve1`: a valve of a water loop closes. The published protocol.

Each run is an asset; its rows 0 to 399 train, scale and calibrate, the others are judged: row by row, over all runs
together, without point adjustment.
"""

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

NAME = "skab"
NORMAL_ROWS = 400
LABELS = ("anomaly", "changepoint")
SETTINGS = {"window": 120, "warmup": 60, "horizons": (1, 5, 10)}
"""Two minutes at a reading per second: the product's defaults."""


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The sixteen runs under `data`/skab/valve1."""
    folder = data / "skab"
    labels = read_labels(folder / "labels.csv")
    files = sorted((folder / "valve1").glob("*.csv"), key=lambda path: int(path.stem))
    tables = {f"valve1-{path.stem}": read_table(path, ";", LABELS) for path in files}
    sensors = next(iter(tables.values())).sensors
    equipment = EquipmentClass.model_validate(
        {"sensors": [{"name": name} for name in sensors], "step": "1s", "max_gap": "5s",
         "model": {**SETTINGS, **model}}
    )  # fmt: skip
    normal, tests = [], []
    for asset, table in tables.items():
        grid = grid_of(asset, table, equipment)
        normal.append(normal_until(grid, int(table.instants[NORMAL_ROWS]), equipment))
        # only the file's own rows: the protocol has none for a second without a line, the grid does
        judged = np.isin(grid.edges, table.instants[NORMAL_ROWS:])
        tests.append(Part(asset, grid, judged, labels_within(labels, grid)))
    return Plant(NAME, equipment, tuple(normal), tuple(tests))


def figures(_: Plant, runs: Sequence[Scored]) -> Figures:
    """By row, over all runs together; a row without a score counts as not flagged."""
    return by_row(runs)
