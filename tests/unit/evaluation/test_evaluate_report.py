"""The output and MLflow metrics of `eugenie evaluate`. EUGENIE_GOLDEN=write rewrites the golden files."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from eugenie_cli.commands.evaluate import _show
from eugenie_cli.console import Console
from eugenie_cli.detection.metrics import EventMetrics, PointMetrics, RootCauseMetrics
from eugenie_cli.evaluation.evaluate import Evaluation
from eugenie_cli.evaluation.mlflow_metrics import metrics, track
from eugenie_cli.evaluation.performance import Performance
from eugenie_cli.progress import SILENT
from eugenie_cli.training import mlflow_store
from eugenie_cli.training.registry import Registry

GOLDEN = Path(__file__).parents[2] / "golden" / "evaluate"

MODEL = Performance(
    point=PointMetrics(0.8039, 0.084, 0.278, 0.9061, 0.722),
    events=EventMetrics(16, 15, 43.0, 130.5, 13),
    root_cause=RootCauseMetrics(16, 0.875, 1.0, 0.8125, 0.90625),
    false_alarms_per_asset_day=90.5,
    vus_pr=0.918,
    alarm_time_fraction=0.412,
    anomalies_per_asset_day=196.1,
    flagged=0.43,
    coverage=1.0,
)
NOTHING = EventMetrics(16, 0, None, None, 0)
WITH_LABELS = Evaluation(
    class_name="testbed",
    version=7,
    run_id="unknown",
    assets=16,
    judged_rows=12_409,
    model=MODEL,
    baselines={"pca-q": replace(MODEL, events=NOTHING, vus_pr=None), "all-positive": MODEL},
    notes=("Rows in listed normal periods are not judged: they trained and calibrated the model.",),
)
UNKNOWN = replace(MODEL, point=None, events=None, root_cause=None, false_alarms_per_asset_day=None, vus_pr=None)
WITHOUT_LABELS = replace(WITH_LABELS, model=UNKNOWN, baselines={"pca-q": UNKNOWN})


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("EUGENIE_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name, evaluation", [("labels", WITH_LABELS), ("no-labels", WITHOUT_LABELS)])
def test_the_table_and_the_json(monkeypatch, name, evaluation):
    monkeypatch.setenv("COLUMNS", "140")
    out, err = io.StringIO(), io.StringIO()
    _show(Console(out, err), evaluation)
    trimmed = "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
    golden(f"{name}.txt", trimmed + err.getvalue())
    out = io.StringIO()
    Console(out, err).json(evaluation.to_json())
    golden(f"{name}.json", out.getvalue())


def page(folder):
    file = folder / "3.html"
    file.write_text("<p>report</p>")
    return file


def test_what_is_known_becomes_metrics_with_names_that_mlflow_takes():
    logged = metrics(WITH_LABELS)
    assert logged["evaluate.point.f1"] == 0.8039
    assert logged["evaluate.root_cause.hit_at_1"] == 0.875
    assert logged["evaluate.baselines.all-positive.events.delay_s.median"] == 43.0
    assert "evaluate.baselines.pca-q.vus_pr" not in logged
    assert not any("@" in name for name in logged)


@pytest.mark.slow
def test_figures_and_the_report_are_logged_to_the_models_run(plant, tmp_path):
    client = mlflow_store.client(plant)
    run = client.create_run(mlflow_store.experiment(plant, client))
    track(Registry(plant), replace(WITH_LABELS, run_id=run.info.run_id), page(tmp_path), SILENT)
    assert client.get_run(run.info.run_id).data.metrics["evaluate.point.f1"] == 0.8039
    assert [file.path for file in client.list_artifacts(run.info.run_id, "evaluation")] == ["evaluation/3.html"]


def test_a_run_that_is_not_in_the_store_is_said_and_the_evaluation_stands(plant, tmp_path):
    console = Console(io.StringIO(), io.StringIO())
    track(Registry(plant), WITH_LABELS, page(tmp_path), console)
    assert "not logged to MLflow: " in console.err.getvalue()
    assert "unknown" in console.err.getvalue()
