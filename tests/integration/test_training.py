"""From history to a registered champion, in a real MLflow store."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from eugenie_cli.console import Console
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT
from eugenie_cli.site.detectors import MinLstmSettings
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.training import classes, mlflow_store, tracking, train
from eugenie_cli.training.options import TrainingOptions
from eugenie_cli.training.registry import Registry

pytestmark = pytest.mark.integration


def batch(asset: str, rows: int) -> Batch:
    """Readings of two sensors that follow one load, a second apart."""
    random = np.random.default_rng(len(asset))
    load = np.convolve(random.normal(size=rows + 99), np.hanning(100) / 6, mode="valid")[:, None]
    values = 20 + load * [2.0, -1.0] + random.normal(0, 0.3, (len(load), 2))
    series = [(asset, "flow"), (asset, "pressure")]
    return Batch(
        series, np.tile(np.arange(2, dtype=np.int32), rows), np.repeat(np.arange(rows) * 1000, 2), values.ravel()
    )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with one class; two of its assets have history."""
    (tmp_path / "site-configs").mkdir()
    file = tmp_path / "site-configs" / "little.yaml"
    file.write_text("site: little\n")
    model = {"window": 32, "warmup": 16, "horizons": [1, 3], "units": 8, "epochs": 2}
    plant = Site.model_validate(
        {
            "site": "little",
            "workspace": "work",
            "classes": {
                "pump": {"sensors": [{"name": "flow"}, {"name": "pressure"}], "model": model},
                "fan": {"sensors": [{"name": "flow"}]},
            },
            "assets": {
                "one": {"class": "pump"},
                "three": {"class": "pump"},
                "idle": {"class": "pump"},
                "still": {"class": "fan"},
            },
            "base": tmp_path,
            "file": file,
        }
    )
    for asset in ("one", "three"):
        open_history(plant).commit("logger", [batch(asset, 900)], key=asset)
    return plant


def test_versions_aliases_and_what_a_run_holds(site: Site) -> None:
    registry = Registry(site)
    with pytest.raises(EugenieError, match="no champion"):
        registry.resolve("pump", "champion")

    first = train.train_class(site, "pump", SILENT)
    second = train.train_class(site, "pump", SILENT, TrainingOptions(epochs=1))
    assert (first.version, first.aliases) == (1, ("champion",))
    assert (second.version, second.aliases) == (2, ("challenger",))
    assert [version.version for version in registry.versions("pump")] == [2, 1]

    loaded = registry.load(registry.resolve("pump", "champion"))
    assert loaded.assets == ("one", "three")
    assert loaded.sensors == ("flow", "pressure")

    client = mlflow_store.client(site)
    run = client.get_run(first.run_id)
    assert run.info.status == "FINISHED"
    assert len(run.data.params["data_fingerprint"]) == 64
    assert run.data.params["model.window"] == "32"
    assert {"best_validation_loss", "margin", "loss", "validation_loss"} <= set(run.data.metrics)
    assert len(client.get_metric_history(first.run_id, "loss")) == 2
    names = {file.path for file in client.list_artifacts(first.run_id)}
    assert {"detector", "losses.png", "calibration.png", "periods.json", "little.yaml"} <= names

    assert registry.promote("pump", 2).aliases == ("champion",)
    assert registry.resolve("pump", 1).aliases == ()
    assert registry.rollback("pump").version == 1
    with pytest.raises(EugenieError, match="no former champion"):
        registry.rollback("pump")


def test_a_learning_rate_that_is_searched_for_is_told(site: Site) -> None:
    pump = site.classes["pump"]
    searching = pump.model_copy(update={"model": pump.model.model_copy(update={"learning_rate": "auto"})})
    output = io.StringIO()
    searching_site = site.model_copy(update={"classes": {**site.classes, "pump": searching}})
    trained = train.train_class(searching_site, "pump", Console(err=output), TrainingOptions(epochs=1))
    client = mlflow_store.client(site)
    parameters = client.get_run(trained.run_id).data.params
    assert parameters["model.learning_rate"] == "auto"
    assert 0.001 < float(parameters["learning_rate"]) < 0.2
    assert f"pump: learning rate {parameters['learning_rate']}, found in " in output.getvalue()
    assert "learning_rate.png" in {file.path for file in client.list_artifacts(trained.run_id)}


def test_a_run_that_dies_registers_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tracking.TrainingRun, "log_built", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train.train_class(site, "pump", SILENT, TrainingOptions(epochs=1))
    assert Registry(site).versions("pump") == []
    client = mlflow_store.client(site)
    runs = client.search_runs([mlflow_store.experiment(site, client)])
    assert [run.info.status for run in runs] == ["KILLED"]


def test_a_class_without_history_says_what_to_do_and_stops_no_other(site: Site) -> None:
    with pytest.raises(EugenieError, match="no asset has 2 windows") as refused:
        train.train_class(site, "fan", SILENT)
    assert "import" in str(refused.value.hint)
    done = classes.train_classes(site, ["fan", "pump"], SILENT, TrainingOptions(epochs=1))
    assert [failed.class_name for failed in done.failed] == ["fan"]
    assert [(trained.class_name, trained.version) for trained in done.trained] == [("pump", 1)]
    client = mlflow_store.client(site)
    run = client.get_run(done.trained[0].run_id)
    above = client.get_run(run.data.tags["mlflow.parentRunId"])
    assert (above.data.tags["eugenie.classes"], above.info.status) == ("fan, pump", "FINISHED")


def test_what_is_trained_already_is_kept_unless_it_is_forced(site: Site) -> None:
    first = train.train_class(site, "pump", SILENT, TrainingOptions(epochs=1))
    again = train.train_class(site, "pump", SILENT, TrainingOptions(epochs=1))
    assert (again.version, again.run_id, again.kept) == (1, first.run_id, True)
    forced = train.train_class(site, "pump", SILENT, TrainingOptions(epochs=1, force=True))
    assert (forced.version, forced.kept) == (2, False)
    open_history(site).commit("logger", [batch("one", 901)], key="one")
    assert train.train_class(site, "pump", SILENT, TrainingOptions(epochs=1)).version == 3
    assert {path.suffix for path in workspace_of(site).training.iterdir()} == {".lock"}


def test_a_tracking_server_that_is_not_there_is_unreachable(site: Site) -> None:
    away = site.model_copy(update={"tracking": site.tracking.model_copy(update={"uri": "http://127.0.0.1:9"})})
    with pytest.raises(EugenieError, match=r"127\.0\.0\.1:9 does not answer") as refused:
        Registry(away).versions("pump")
    assert refused.value.exit_code == 4


def test_a_training_that_goes_on_from_the_champion_begins_where_that_one_ended(site: Site) -> None:
    """New rows of both assets arrive; then the class changes so that the champion's network does not fit."""
    with pytest.raises(EugenieError, match="no champion"):
        train.train_class(site, "pump", SILENT, TrainingOptions(from_champion=True))
    first = train.train_class(site, "pump", SILENT, TrainingOptions(epochs=4))
    for asset in ("one", "three"):
        open_history(site).commit("logger", [batch(asset, 1_100)], key=asset)
    anew = train.train_class(site, "pump", SILENT, TrainingOptions(epochs=1))
    second = train.train_class(site, "pump", SILENT, TrainingOptions(epochs=1, from_champion=True))
    registry = Registry(site)
    assert (second.aliases, second.version) == (("challenger",), 3)
    assert registry.resolve("pump", "champion").version == first.version
    assert second.metrics["best_validation_loss"] < anew.metrics["best_validation_loss"]
    assert train.train_class(site, "pump", SILENT, TrainingOptions(epochs=1, from_champion=True)).kept
    expected_tags = {"eugenie.parent_version": "1", "eugenie.parent_run": first.run_id}
    version = registry.client.get_model_version(mlflow_store.registered_name(site, "pump"), "3")
    assert expected_tags.items() <= version.tags.items()
    assert expected_tags.items() <= registry.client.get_run(second.run_id).data.tags.items()

    pump = site.classes["pump"]
    wider = pump.model_copy(update={"model": pump.model.model_copy(update={"units": 12, "horizons": (1, 5)})})
    other = site.model_copy(update={"classes": {**site.classes, "pump": wider}})
    with pytest.raises(EugenieError, match=r"\(1, 3, now 1, 5\), units of the memory \(8, now 12\)") as refused:
        train.train_class(other, "pump", SILENT, TrainingOptions(from_champion=True))
    assert refused.value.exit_code is ExitCode.REFUSED
    changed = pump.model_copy(update={"model": MinLstmSettings(type="minlstm")})
    another = site.model_copy(update={"classes": {**site.classes, "pump": changed}})
    with pytest.raises(EugenieError, match=r"of type auto, .*sets minlstm: a warm start needs the same forecaster"):
        train.train_class(another, "pump", SILENT, TrainingOptions(from_champion=True))
