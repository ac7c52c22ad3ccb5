"""The model of the benchmarks: trained briefly, and exported like every model."""

from __future__ import annotations

import os
import tempfile
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common.plant import ALIKE, CLASS, STEP_MS, Plant
from eugenie_cli.detection.asset_tables import is_per_asset
from eugenie_cli.progress import Progress
from eugenie_cli.serving import model_info, release_config
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

if TYPE_CHECKING:
    from eugenie_cli.detection.detector import ForecasterDetector

ROWS = 2_400
"""Rows of history for each asset: the 40 minutes before the stream starts."""

EPOCHS = 4
VERSION = 1


def publish(site: Site, plant: Plant, progress: Progress) -> ForecasterDetector:
    """Train on the plant's history and release `models/pump/1`; returns the exported detector.

    Assets that run alike are trained once and share the same tables of the model.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    from eugenie_cli.detection.scoring import ScoringModule
    from eugenie_cli.history.grid import Grid
    from eugenie_cli.training import datasets
    from eugenie_cli.training.build import build
    from eugenie_cli.training.fit import FitOptions

    equipment = site.classes[CLASS]
    history = plant.values(-ROWS, ROWS).astype(np.float32)
    edges = STEP_MS * np.arange(-ROWS, 0, dtype=np.int64)
    grids = [
        datasets.split(Grid(name, edges, history[:, index]), np.ones(ROWS, bool), equipment.model.calibration)
        for index, name in enumerate(plant.names[:ALIKE])
    ]
    detector = widened(build(CLASS, equipment, grids, progress, FitOptions(epochs=EPOCHS)).detector, plant)
    target = workspace_of(site).models / CLASS / str(VERSION)
    target.parent.mkdir(parents=True, exist_ok=True)
    with progress.task("exporting the model"), tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as hidden:
        staged = Path(hidden) / "model"
        module = ScoringModule(detector)
        tf.saved_model.save(module, str(staged), signatures=module.signatures())
        info = model_info.ModelInfo(
            CLASS, VERSION, detector.sensors, detector.units, detector.window, detector.horizons,
            detector.step_ms, detector.max_gap_ms, detector.assets, "benchmark", datasets.fingerprint(grids),
        )  # fmt: skip
        (staged / model_info.LOCATION).parent.mkdir(exist_ok=True)
        (staged / model_info.LOCATION).write_text(model_info.render(info), encoding="utf-8")
        staged.rename(target)
    release_config.write(site, {CLASS: ReleasedModel(CLASS, "", (VERSION,), {"champion": VERSION})})
    return detector


def widened(detector: ForecasterDetector, plant: Plant) -> ForecasterDetector:
    """The detector of the first ALIKE assets for all of them."""
    runs_as = (np.arange(plant.assets) % ALIKE).tolist()
    return replace(detector, assets=plant.names, **_entries(detector, runs_as))


def _entries(owner: Any, index: list[int]) -> dict[str, Any]:
    """The fields of a dataclass that contain tables of assets, reduced to the entries at `index`."""
    selected: dict[str, Any] = {}
    for entry in fields(owner):
        value = getattr(owner, entry.name)
        if is_per_asset(entry) and value is not None:
            selected[entry.name] = value[index] if isinstance(value, np.ndarray) else tuple(value[at] for at in index)
        elif is_dataclass(value):
            selected[entry.name] = replace(value, **_entries(value, index))
    return selected
