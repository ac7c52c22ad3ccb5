"""A class with a classical detector: trained, registered, exported, served and evaluated like any other.

On real history: runs of the SKAB testbed. A type's graph, `evaluate`'s baseline of that type and the model server give
the same scores, row by row.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support.job_specs import class_spec
from support.model_server import served

from eugenie_cli.detection.baselines import BASELINES
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.scoring import ScoringModule
from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.backtest import backtest
from eugenie_cli.evaluation.evaluate import evaluate_class
from eugenie_cli.evaluation.options import EvaluationOptions
from eugenie_cli.flink_job.version_delays import VersionDelays
from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT
from eugenie_cli.serving import export, model_info, publish
from eugenie_cli.site.labels import Label, Labels
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.tfserving.errors import ModelServerError
from eugenie_cli.training import mlflow_store, model_card
from eugenie_cli.training.build import build
from eugenie_cli.training.classical import asset_rows
from eugenie_cli.training.load_rows import normal_grids
from eugenie_cli.training.mmap_arrays import Memory
from eugenie_cli.training.open_class import open_class
from eugenie_cli.training.result import TrainedVersion
from eugenie_cli.training.train import train_class

pytestmark = pytest.mark.integration

CLASS = "testbed"
RUNS = ("valve1-0", "valve1-1", "valve1-2")
SITE_FILE = Path(__file__).parents[2] / "site-configs" / "skab.yaml"
TOLERANCE = 1e-4
"""Allowed difference of a score: the graph's float32 and numpy's float64, over a thousand rows."""


@pytest.fixture(scope="module")
def testbed(data_folder, tmp_path_factory) -> Callable[[str], Site]:
    """`testbed(type)`: three imported runs of a class with a detector of that type."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EUGENIE_DATA", str(data_folder))
        text = SITE_FILE.read_text()
        lines = [line for line in text.splitlines() if not line.startswith("  valve1-") or _asset(line) in RUNS]
        folder = tmp_path_factory.mktemp("skab-types")
        sources = "\n".join(lines).replace("valve1/*.csv", "valve1/[012].csv")
        (folder / "site.yaml").write_text(sources.replace("site: skab", "site: skab\nworkspace: work"))
        whole = load_site(folder / "site.yaml")
        import_sources(whole, progress=SILENT)

        def of_type(name: str) -> Site:
            model = "model: {window: 120, warmup: 60, horizons: [1, 5, 10], units: 32, epochs: 15}"
            assert model in sources
            file = folder / f"{name}.yaml"
            file.write_text((folder / "site.yaml").read_text().replace(model, f"model: {{type: {name}}}"))
            with pytest.MonkeyPatch.context() as again:
                again.setenv("EUGENIE_DATA", str(data_folder))
                return load_site(file)

    return of_type


def _asset(line: str) -> str:
    return line.strip().split(":")[0]


@pytest.fixture(scope="module")
def forest(testbed) -> tuple[Site, TrainedVersion]:
    """The testbed with a registered isolation forest."""
    site = testbed("isolation-forest")
    return site, train_class(site, CLASS, SILENT)


@pytest.mark.parametrize("name", list(registry.CLASSICAL))
def test_the_graph_says_what_evaluate_says_of_the_baseline(testbed, name, tell):
    site = testbed(name)
    equipment, history = site.classes[CLASS], open_history(site)
    grids = normal_grids(site.fleet(CLASS), history, Memory(), SILENT)
    assert [grid.asset for grid in grids] == list(RUNS)
    detector = build(CLASS, equipment, grids, SILENT).detector
    module = ScoringModule(detector)
    baseline = BASELINES[name].fit(
        [asset_rows(grid) for grid in grids],
        [sensor.role for sensor in equipment.sensors],
        equipment.alarm_policy,
    )
    worst = 0.0
    for asset in RUNS:
        rows = load_grid(site.fleet(CLASS), history, asset).rows
        score, contribution = (part[detector.window - 1 :] for part in baseline.score(asset, rows))
        answer = module.serving_default(tf.constant([asset]), tf.constant(rows[None]))
        own, parts = answer["score"].numpy()[0], answer["contribution"].numpy()[0]
        scored = np.isfinite(own)
        assert scored.sum() > 900
        np.testing.assert_array_equal(scored, np.isfinite(score))
        worst = max(worst, float(np.abs(own - score)[scored].max()))
        np.testing.assert_allclose(own[scored], score[scored], rtol=TOLERANCE, atol=TOLERANCE)
        np.testing.assert_allclose(parts[scored], contribution[scored], atol=1e-3)
    tell(f"{name}: largest difference between the scores of graph and baseline: {worst:.1g}")


def test_a_forest_is_registered_exported_served_and_judged_like_any_model(forest, tmp_path):
    site, trained = forest
    assert "best_validation_loss" not in trained.metrics
    run = mlflow_store.client(site).get_run(trained.run_id)
    assert (run.data.params["model.type"], run.data.params["model.trees"]) == ("isolation-forest", "100")
    names = {file.path for file in mlflow_store.client(site).list_artifacts(trained.run_id)}
    assert {"detector", "calibration.png", "periods.json"} <= names and "losses.png" not in names

    published = export.export_class(site, CLASS, trained.version)
    assert published.largest_difference is not None and published.largest_difference < 1e-4
    assert model_info.read(published.path).horizons == ()
    assert "Isolation forest of 100 trees" in (published.path / model_card.LOCATION).read_text()

    backtested_run = next(
        backtested
        for backtested in backtest(open_class(site, CLASS), version=trained.version)
        if backtested.asset == RUNS[1]
    )
    labels = Labels((Label(RUNS[1], int(backtested_run.edges[600]), int(backtested_run.edges[900]), ("Pressure",)),))
    evaluation = evaluate_class(open_class(site, CLASS), EvaluationOptions(labels, version=trained.version))
    assert evaluation.model.point == evaluation.baselines["isolation-forest"].point
    assert evaluation.model.events == evaluation.baselines["isolation-forest"].events

    models = shutil.copytree(published.path, tmp_path / "models" / CLASS / str(trained.version)).parents[1]
    with served(tmp_path, "--models", str(models), "--unreleased") as client:
        window = model_info.read(published.path).window
        answer = client.predict(CLASS, [RUNS[1], "nobody"], np.stack([backtested_run.rows, backtested_run.rows]))
        np.testing.assert_allclose(answer.score[0], backtested_run.score[window - 1 :], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(
            answer.contribution[0], backtested_run.contribution[window - 1 :], rtol=1e-4, atol=1e-5
        )
        assert np.isnan(answer.score[1]).all()
        assert VersionDelays(client, [class_spec(CLASS, on_delay=None)]).of(CLASS, trained.version, RUNS[1]) == (
            model_info.read(published.path).delays
        )
        inputs = {"asset": np.array([RUNS[1]], object), "rows": backtested_run.rows[None, :window]}
        with pytest.raises(ModelServerError, match="forecast"):
            client.call(CLASS, inputs, signature="forecast")


def test_a_graph_that_is_not_the_forest_is_refused(forest, tmp_path, monkeypatch):
    """The cuts of one tree in a hundred are wrong."""
    site, trained = forest
    write = publish._write

    def wrong(detector, info, directory):
        cut = detector.statistic.cut.copy()
        cut[: detector.statistic.roots[1]] += 0.5
        write(replace(detector, statistic=replace(detector.statistic, cut=cut)), info, directory)

    monkeypatch.setattr(publish, "_write", wrong)
    with pytest.raises(EugenieError, match="largest difference"):
        publish.publish_class(open_class(site, CLASS), trained.version, models=tmp_path)
