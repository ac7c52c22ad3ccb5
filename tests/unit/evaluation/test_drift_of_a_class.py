"""Drift of a champion's class: rows of the history compared with its training data."""

from __future__ import annotations

import io

import numpy as np
import pytest
from support import sample_detector

from eugenie_cli.commands.models import _show_drift
from eugenie_cli.console import Console
from eugenie_cli.detection.metrics.drift import Drift
from eugenie_cli.evaluation import drift
from eugenie_cli.evaluation.drift import ClassDrift, SensorDrift
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.load import load_site, workspace_of
from eugenie_cli.training import artifact, mlflow_store, run_record, tracking
from eugenie_cli.training.open_class import open_class
from eugenie_cli.training.registry import Registry

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
LEARNT, ROWS = 1_500, 3_000
SITE = """
site: plant
workspace: work
classes:
  pump:
    sensors: [{name: flow}, {name: pressure}, {name: current}, {name: temperature}, {name: vibration}]
    model: {window: 40, warmup: 20}
assets: {pump-1: {class: pump}, pump-2: {class: pump}, pump-3: {class: pump}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site whose champion has drifted: since the end of its training data, pump-1's pressure is 1.5 deviations higher
    and half of its current is missing; the training data of pump-2 are gone; the run records nothing of pump-3."""
    folder = tmp_path_factory.mktemp("drift")
    (folder / "plant.yaml").write_text(SITE)
    site = load_site(folder / "plant.yaml")
    detector = sample_detector.detector()
    values = detector.mean[0] + detector.deviation[0] * np.random.default_rng(0).normal(size=(ROWS, 5))
    values[LEARNT:, 1] += 1.5 * detector.deviation[0, 1]
    values[LEARNT:, 4] += 9 * detector.deviation[0, 4]
    batches = [
        Batch.of(
            ("pump-1", name, START + 1_000 * row, value)
            if name != "current" or row < LEARNT or row % 20 < 10
            else ("pump-1", name, START + 1_000 * row, float("nan"))
            for row, value in enumerate(values[:, place])
        )
        for place, name in enumerate(detector.sensors)
    ]
    open_history(site).commit("test", batches)
    with tracking.training_run(open_class(site, "pump")) as run:
        client = mlflow_store.client(site)
        artifact.save(detector, workspace_of(site).root / "detector")
        client.log_artifacts(run.id, str(workspace_of(site).root / "detector"), mlflow_store.DETECTOR)
        spans = {"training": ["2026-01-01T00:00:00.000Z", "2026-01-01T00:20:00.000Z"], "validation": [],
                 "calibration": ["2026-01-01T00:20:01.000Z", "2026-01-01T00:24:59.000Z"]}  # fmt: skip
        client.log_dict(run.id, {"pump-1": spans, "pump-2": spans}, run_record.PERIODS)
    Registry(site).register("pump", run.id, run.detector)
    return site


@pytest.mark.slow
def test_what_moved_is_named_and_the_rest_is_not(site):
    class_drift = drift.drift_of(open_class(site, "pump"))
    sensors = {sensor.sensor: sensor for sensor in class_drift.sensors}
    assert {sensor.asset for sensor in class_drift.sensors} == {"pump-1"}
    judged = {name: sensor.drift.judged for name, sensor in sensors.items()}
    assert judged == {
        "flow": "no", "pressure": "moved", "current": "no", "temperature": "no", "vibration": "moved",
    }  # fmt: skip
    assert (sensors["current"].missing_learnt, sensors["current"].missing) == (0.0, pytest.approx(0.5, abs=0.02))
    assert sensors["vibration"].beyond_clip > 0.8 and sensors["pressure"].beyond_clip == 0
    assert class_drift.notes[0] == "Moved: vibration of pump-1, pressure of pump-1."
    assert class_drift.notes[1:] == (
        "pump-2: its training rows are no longer in the history.",
        "pump-3: the run does not record its training rows.",
    )


@pytest.mark.slow
def test_the_period_can_be_chosen(site):
    before = drift.drift_of(open_class(site, "pump"), START, START + LEARNT * 1_000)
    assert {sensor.drift.judged for sensor in before.sensors} == {"no"}
    assert before.notes[0] == "No sensor moved."
    none = drift.drift_of(open_class(site, "pump"), START + 10 * ROWS * 1_000)
    assert none.sensors == ()
    assert "pump-1: no row to compare: its training data end at 2026-01-01T00:24:59.000Z." in none.notes


def test_the_table_has_the_strongest_first_and_the_words_after_it():
    drifts = [Drift(psi, 0.02, 0.3, 0.1, 900.0, 850.0, "moved") for psi in (0.3, 1.2)]
    sensors = [
        SensorDrift("p-1", *named_drift, 0.0, 0.25, 0.01) for named_drift in zip(("flow", "head"), drifts, strict=True)
    ]
    class_drift = ClassDrift("pump", 4, tuple(sensors), ("Moved.",))
    out, err = io.StringIO(), io.StringIO()
    _show_drift(Console(out, err), class_drift)
    head, flow = (line.split() for line in out.getvalue().splitlines() if "p-1" in line)
    assert " ".join(head) == "p-1 head 1.200 0.020 0.300 0.100 900 / 850 0.0% / 25.0% 1.00% moved"
    assert flow[1:3] == ["flow", "0.300"]
    assert err.getvalue() == "Moved.\n"
