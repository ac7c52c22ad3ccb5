"""A class trained in memory: a forecaster of either type learns, faults score above 1, normal rows do not."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from eugenie_cli.detection import reference
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.scoring import ScoringModule
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.grid import Grid
from eugenie_cli.progress import SILENT
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training import datasets
from eugenie_cli.training.build import Built, build
from eugenie_cli.training.mmap_arrays import MmapArrays

pytestmark = pytest.mark.slow

SENSORS = ("flow", "pressure", "current", "temperature")
ROWS = 4000


def plant(seed: int, rows: int = ROWS) -> np.ndarray:
    """One load drives all sensors; the temperature follows slowly."""
    random = np.random.default_rng(seed)
    load = np.convolve(random.normal(size=rows + 199), np.hanning(200) / 8, mode="valid")
    lagged = np.convolve(np.pad(load, (29, 0), mode="edge"), np.ones(30) / 30, mode="valid")
    clean = np.stack([50 + 8 * load, 6 - 0.9 * load, 30 + 4 * load, 45 + 5 * lagged], axis=1)
    return (clean + random.normal(size=clean.shape) * [0.8, 0.09, 0.4, 0.3]).astype(np.float32)


def equipment(**model: object) -> EquipmentClass:
    settings = {"window": 48, "warmup": 24, "horizons": [1, 4], "units": 12, "epochs": 6, "learning_rate": 0.01} | model
    return EquipmentClass.model_validate({"sensors": [{"name": name} for name in SENSORS], "model": settings})


def grids(rows: int = ROWS) -> list[datasets.NormalGrid]:
    divided = []
    for number in range(2):
        grid = Grid(f"pump-{number}", np.arange(rows, dtype=np.int64) * 1000, plant(number, rows))
        divided.append(datasets.split(grid, np.ones(rows, bool), 0.25))
    return divided


@pytest.fixture(scope="module", params=registry.FORECASTERS)
def built(request: pytest.FixtureRequest) -> Built:
    return build("pump", equipment(type=request.param), grids(), SILENT)


def score(built: Built, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    answer = ScoringModule(built.detector).serving_default(tf.constant(["pump-0"]), tf.constant(rows[None]))
    return answer["score"].numpy()[0], answer["contribution"].numpy()[0]


@pytest.mark.slow
def test_the_forecaster_learns(built: Built) -> None:
    losses = [epoch.validation for epoch in built.fit.epochs]
    # a linear forecast, which auto's network corrects, leaves it little to learn
    much = 0.6 if built.detector.linear is None else 1.0
    assert min(losses) < much * losses[0]
    assert losses[built.fit.best] == min(losses)


@pytest.mark.slow
def test_new_normal_rows_stay_within_the_budget(built: Built) -> None:
    scores, _ = score(built, plant(0)[-1500:] + np.random.default_rng(9).normal(0, 1e-3, (1500, 4)).astype(np.float32))
    assert np.mean(scores > 1) <= built.detector.calibration.budget


@pytest.mark.slow
@pytest.mark.parametrize("sensor", [0, 1])
def test_a_drifting_sensor_is_found_and_named(built: Built, sensor: int) -> None:
    rows = plant(0)[-1500:]
    rows[500:, sensor] += np.linspace(0, 4, 1000) * built.detector.deviation[0, sensor]
    scores, contribution = score(built, rows)
    assert scores[-200:].min() > 1
    assert contribution[-200:].mean(axis=0).argmax() == sensor


@pytest.mark.slow
def test_a_stuck_sensor_is_found_and_named(built: Built) -> None:
    rows = plant(0)[-1500:]
    rows[300:, 0] = rows[300, 0]  # well below its mean; stuck near the mean, it would stay within the tolerance
    scores, contribution = score(built, rows)
    alarmed = np.flatnonzero(scores > 1)
    assert len(alarmed) > 50
    assert contribution[alarmed].mean(axis=0).argmax() == 0


@pytest.mark.slow
def test_the_graph_agrees_with_the_trained_keras_network(built: Built) -> None:
    rows = plant(0)[-80:][None]
    slow = reference.score(built.detector, ["pump-0"], rows)
    np.testing.assert_allclose(score(built, rows[0])[0], slow.score[0], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", registry.FORECASTERS)
def test_the_same_seed_gives_the_same_detector(kind: str) -> None:
    first, second = (build("pump", equipment(epochs=1, type=kind), grids(1200), SILENT).detector for _ in range(2))
    for name, weights in first.network.items():
        np.testing.assert_array_equal(weights, second.network[name])
    np.testing.assert_array_equal(first.threshold, second.threshold)


def test_pca_q_of_one_scored_sensor_is_refused_in_words() -> None:
    """Whatever the roles in the site file: a sensor may turn out to be context only when the rows are seen."""
    roles = ("auto", "context", "context", "context")
    sensors = [{"name": name, "role": role} for name, role in zip(SENSORS, roles, strict=True)]
    one = EquipmentClass.model_validate({"sensors": sensors, "model": {"type": "pca-q"}})
    with pytest.raises(EugenieError, match="pca-q judges how sensors move together, but only flow is scored"):
        build("pump", one, grids(), SILENT)
    two = EquipmentClass.model_validate({"sensors": [{"name": name} for name in SENSORS], "model": {"type": "pca-q"}})
    assert build("pump", two, grids(), SILENT).detector.type == "pca-q"


def test_contradictory_settings_are_refused() -> None:
    with pytest.raises(EugenieError, match=r"model\.horizons: must be at most the warmup, 24 rows"):
        build("pump", equipment(horizons=[1, 30]), grids(1200), SILENT)
    with pytest.raises(EugenieError, match=r"model\.warmup: must be less than the window, 48 rows"):
        build("pump", equipment(warmup=48), grids(1200), SILENT)
    with pytest.raises(EugenieError, match="no stretch of normal rows"):
        build("pump", equipment(), grids(60), SILENT)


@pytest.mark.slow
def test_arrays_on_disk_give_the_same_detector(built: Built, tmp_path: Path) -> None:
    same = equipment(type=built.detector.type)
    again = build("pump", same, grids(), SILENT, arrays=MmapArrays(tmp_path)).detector
    for name in ("residual", "level", "scatter"):
        ours, theirs = getattr(again, name), getattr(built.detector, name)
        for field in fields(ours):
            np.testing.assert_array_equal(getattr(ours, field.name), getattr(theirs, field.name))
    np.testing.assert_array_equal(again.threshold, built.detector.threshold)
    assert again.calibration == built.detector.calibration
