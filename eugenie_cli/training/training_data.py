"""The rows that trained a version, as MLflow's record of a data set: on its pages, runs of the same data are found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.episodes.records import iso
from eugenie_cli.site.schema import Fleet
from eugenie_cli.training.datasets import CALIBRATION, TRAINING, VALIDATION, NormalGrid

CONTEXT_TAG, CONTEXT = "mlflow.data.context", "training"
"""MLflow's tag for what a run used a data set for."""

_LONGEST_DIGEST = 36
"""Characters that MLflow accepts."""
_MOST_ASSETS = 1000
"""Assets listed in a profile; MLflow's databases limit its length."""


@dataclass(frozen=True)
class TrainingData:
    """A data set in MLflow's form; `source`, `schema` and `profile` are JSON."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str


def describe(fleet: Fleet, history: Path, grids: Sequence[NormalGrid], fingerprint: str) -> TrainingData:
    """The record of a class's normal rows. `history`: the folder of the readings that they were made of."""
    sensors = fleet.equipment.sensors
    columns = [("timestamp", "datetime"), ("asset", "string"), *((sensor.name, "double") for sensor in sensors)]
    rows = sum(grid.used for grid in grids)
    counts = {
        name: sum(grid.count(part) for grid in grids)
        for part, name in ((TRAINING, "training"), (VALIDATION, "validation"), (CALIBRATION, "calibration"))
    }
    profile = {
        "num_rows": rows,
        "num_elements": rows * len(sensors),
        "rows": counts,
        "step_ms": fleet.equipment.step,
        "assets": {grid.asset: _extent(grid) for grid in grids[:_MOST_ASSETS]},
        "num_assets": len(grids),
    }
    return TrainingData(
        name=f"{fleet.site_name}.{fleet.name}",
        digest=fingerprint[:_LONGEST_DIGEST],
        source_type="local",
        source=json.dumps({"uri": history.absolute().as_uri()}),
        schema=json.dumps(
            {"mlflow_colspec": [{"type": kind, "name": name, "required": True} for name, kind in columns]}
        ),
        profile=json.dumps(profile, ensure_ascii=False),
    )


def _extent(grid: NormalGrid) -> dict[str, object]:
    """How many rows of an asset are used, from the first to the last instant."""
    used = grid.stretches()
    return {"rows": grid.used, "first": iso(used[0][0]), "last": iso(used[-1][1])}
