"""A plant of pumps whose normal rows hold a trap: detectors are trained on it, and score later rows with a fault."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from eugenie_cli.detection import reference
from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.scoring import ScoringModule
from eugenie_cli.history.grid import Grid
from eugenie_cli.progress import SILENT
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training import datasets, train
from eugenie_cli.training.build import build

NORMAL, QUIET, FAULT = 2400, 300, 300
SENSORS = ("load", "current", "pressure", "trap")
PRESSURE, TRAP = 2, 3
Trap = Callable[[np.ndarray], None]
"""Changes rows [NORMAL + QUIET + FAULT, 4] in place; live rows begin at row NORMAL."""


def plant(seed: int) -> np.ndarray:
    """Three sensors driven by one load; `fault` makes the pressure drift. The fourth sensor is noise."""
    random = np.random.default_rng(seed)
    rows = NORMAL + QUIET + FAULT
    load = 50 + 8 * np.convolve(random.normal(size=rows + 39), np.hanning(40) / 4, mode="valid")
    clean = np.stack([load, 0.2 * load, 60 + 0.3 * load, np.full(rows, 5.0)], axis=1)
    noisy = clean + random.normal(size=clean.shape) * [0.5, 0.2, 0.3, 0.5]
    return noisy.astype(np.float32)


def class_of(kind: str, names: tuple[str, ...] = SENSORS) -> EquipmentClass:
    model: dict[str, object] = {"type": kind}
    if kind in registry.FORECASTERS:
        model |= {"window": 40, "warmup": 20, "horizons": [1], "units": 4, "epochs": 1, "learning_rate": 0.01}
    return EquipmentClass.model_validate({"sensors": [{"name": name} for name in names], "model": model})


def grids_of(kind: str, assets: list[np.ndarray], names: tuple[str, ...] = SENSORS) -> list[datasets.NormalGrid]:
    equipment, grids = class_of(kind, names), []
    for number, rows in enumerate(assets):
        grid = Grid(f"pump-{number}", np.arange(NORMAL, dtype=np.int64) * 1000, rows[:NORMAL])
        grids.append(datasets.split(grid, np.ones(NORMAL, bool), equipment.model.calibration, equipment.sensors))
    return grids


def trained(kind: str, assets: list[np.ndarray], names: tuple[str, ...] = SENSORS) -> TrainedDetector:
    return build("pump", class_of(kind, names), grids_of(kind, assets, names), SILENT).detector


def messages(assets: list[np.ndarray], names: tuple[str, ...] = SENSORS) -> list[str]:
    return list(train._unmoved(trained("mewma", assets, names), grids_of("mewma", assets, names)))


def live(detector: TrainedDetector, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The graph's scores of the quiet rows and of the second half of the fault, after a comparison with numpy."""
    answer = ScoringModule(detector).serving_default(
        tf.constant(["pump-0"]), tf.constant(rows[None, NORMAL - detector.window + 1 :])
    )
    score = answer["score"].numpy()[0]
    end = rows[None, NORMAL : NORMAL + detector.window + 3]
    slow = reference.score(detector, ["pump-0"], end)
    np.testing.assert_allclose(score[detector.window - 1 :][: slow.score.shape[1]], slow.score[0], rtol=2e-3, atol=2e-3)
    return score[:QUIET], score[QUIET + FAULT // 2 :]


def fault(rows: np.ndarray, size: float) -> None:
    """Adds a drift of up to `size` times the pressure's normal range, in its current unit."""
    drift = np.linspace(0, 1, FAULT) * size * np.ptp(rows[NORMAL : NORMAL + QUIET, PRESSURE])
    rows[-FAULT:, PRESSURE] += drift.astype(np.float32)
