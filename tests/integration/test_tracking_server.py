"""Training with a real MLflow server that is unreachable, disappears, loses responses, or requires a login."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from support.certificates import Authority
from support.tracking_server import Door, mlflow_server

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.main import app
from eugenie_cli.progress import SILENT
from eugenie_cli.serving import export, promotion
from eugenie_cli.site.load import load_site, workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.training import mlflow_store, spool, sync, train
from eugenie_cli.training.options import TrainingOptions
from eugenie_cli.training.registry import Registry

pytestmark = pytest.mark.integration

SITE = """\
site: {name}
workspace: work
classes:
  pump: {{sensors: [{{name: a}}, {{name: b}}], model: {{type: mewma, window: 20}}}}
  fan:
    sensors: [{{name: a}}, {{name: b}}]
    model: {{window: 32, warmup: 16, horizons: [1], units: 4, epochs: 3}}
assets: {{p1: {{class: pump}}, f1: {{class: fan}}}}
tracking: {{uri: "{uri}"{more}}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as port:
        yield port


@pytest.fixture
def door(server: int) -> Iterator[Door]:
    opened = Door(server)
    yield opened
    opened.close()


def plant(folder: Path, uri: str, more: str = "") -> Site:
    """A site with history; its name is unique to the test, and so are its models on the shared server."""
    name = folder.name.replace("_", "-")
    file = folder / "plant.yaml"
    file.write_text(SITE.format(name=name, uri=uri, more=more), encoding="utf-8")
    site = load_site(file)
    chance = np.random.default_rng(0)
    rows = 600
    for asset in site.assets:
        series = [(asset, "a"), (asset, "b")]
        index, ts = np.tile(np.arange(2, dtype=np.int32), rows), np.repeat(np.arange(rows) * 1000, 2)
        open_history(site).commit("logger", [Batch(series, index, ts, chance.normal(20, 1, 2 * rows))], key=asset)
    return site


def runs_of(site: Site) -> list:
    client = mlflow_store.client(site)
    runs = client.search_runs([mlflow_store.experiment(site, client)])
    return [run for run in runs if "eugenie.class" in run.data.tags]


class Told:
    """The error of a service."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    task = SILENT.task


def test_training_succeeds_while_the_server_is_unreachable_and_uploads_once(
    tmp_path: Path, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, progress = plant(tmp_path, door.uri), Told()
    for shut in ("refuse", "503"):
        door.shut = shut
        done = train.train_class(site, "pump", progress)
        assert (done.version, done.spooled) == (None, True)
        assert any("eugenie models sync" in line for line in progress.lines)
    assert done.kept, "the second run has the same data and settings as the waiting one"
    with pytest.raises(EugenieError) as away:
        sync.send(site, SILENT)
    assert away.value.exit_code is ExitCode.UNREACHABLE

    door.shut = ""
    [sent] = sync.send(site, SILENT).sent
    assert (sent.version, sent.aliases, sent.spooled) == (1, ("champion",), done.run_id)
    assert sync.send(site, SILENT).sent == ()
    again = train.train_class(site, "pump", SILENT)
    assert (again.version, again.kept, again.run_id) == (1, True, sent.run_id)

    [run] = runs_of(site)
    assert run.info.status == "FINISHED"
    assert run.data.tags[spool.TAG] == done.run_id
    assert run.data.params["model.type"] == "mewma"
    assert run.data.metrics["margin"] == done.metrics["margin"]
    registry = Registry(site)
    assert registry.load(registry.resolve("pump", "champion")).type == "mewma"
    names = {file.path for file in registry.client.list_artifacts(run.info.run_id)}
    pictures = {"calibration.png", "scores.png", "residuals.png"}
    assert {"detector", "periods.json", "plant.yaml", "model_card.md"} | pictures <= names

    monkeypatch.setenv("MLFLOW_TRACKING_URI", door.uri)
    name = mlflow_store.registered_name(site, "pump")
    signature = mlflow.models.get_model_info(f"models:/{name}/1").signature
    assert [column.name for column in signature.inputs] == ["timestamp", "asset", "a", "b"]
    of_sensors = [f"{what}.{name}" for what in ("contribution", "expected") for name in "ab"]
    assert [column.name for column in signature.outputs] == ["timestamp", "asset", "score", *of_sensors]
    [used] = run.inputs.dataset_inputs
    assert used.dataset.name == name and run.data.params["data_fingerprint"].startswith(used.dataset.digest)
    assert (run.info.run_name, run.data.tags["eugenie.model_version"]) == ("pump version 1", "1")
    model = mlflow.pyfunc.load_model(f"models:/{name}/1")
    ts = pd.to_datetime(np.arange(60), unit="s")
    assert model.predict(pd.DataFrame({"timestamp": ts, "asset": "p1", "a": 20.0, "b": 20.0}))["score"].notna().any()
    card = registry.client.get_model_version(name, "1").description
    assert "# pump" in card
    assert "| asset | threshold | rows | from | quantile | rows above 1 | learnt | moved |" in card


def test_a_server_that_knows_less_than_the_workspace(tmp_path: Path, door: Door) -> None:
    """A site moves from its local store to a server; there its registered model, a run and the experiment are deleted.

    In a registry that begins anew, numbers are those of exports, and the first version is not the class's first.
    """
    server = plant(tmp_path, door.uri)
    local = server.model_copy(update={"tracking": server.tracking.model_copy(update={"uri": "local"})})
    done = [train.train_class(local, "pump", SILENT, TrainingOptions(force=again)) for again in (False, True)]
    assert [(version.version, version.aliases) for version in done] == [(1, ("champion",)), (2, ("challenger",))]
    for version in (1, 2):
        assert export.export_class(local, "pump", version).version == version

    told = Told()
    moved = train.train_class(server, "pump", told)
    assert (moved.version, moved.aliases) == (3, ("challenger",))
    assert any("eugenie models promote pump 3" in line for line in told.lines)
    assert promotion.promote(server, "pump", 3).registered.aliases == ("champion",)

    name, others = mlflow_store.registered_name(server, "pump"), mlflow.MlflowClient(door.uri, door.uri)
    others.delete_registered_model(name)
    assert Registry(server).versions("pump") == []
    with pytest.raises(EugenieError, match="has no champion") as none:
        export.export_class(server, "pump")
    assert none.value.hint == "`eugenie train --class pump`"
    again = train.train_class(server, "pump", SILENT)
    assert (again.version, again.aliases, again.kept) == (4, ("challenger",), False)

    others.delete_run(again.run_id)
    assert export.export_class(server, "pump", 4).version == 4, "a deleted run can be restored, and its version be used"
    experiment = mlflow_store.experiment(server, mlflow_store.client(server))
    others.delete_experiment(experiment)
    with pytest.raises(EugenieError, match="was deleted") as deleted:
        train.train_class(server, "pump", SILENT, TrainingOptions(force=True))
    assert f"mlflow experiments restore --experiment-id {experiment}" in str(deleted.value.hint)
    assert [version.version for version in Registry(server).versions("pump")] == [4]


def test_a_run_whose_answers_were_lost_is_not_there_twice(tmp_path: Path, door: Door) -> None:
    site = plant(tmp_path, door.uri)
    door.shut = "refuse"
    train.train_class(site, "pump", SILENT)
    door.shut = ""
    for lost in ("runs/create", "runs/log-batch", "model-versions/create"):
        door.lose = lost
        [unsent] = sync.send(site, SILENT).unsent
        assert unsent.class_name == "pump"
        assert door.lose == ""
    assert [sent_run.version for sent_run in sync.send(site, SILENT).sent] == [1]
    [run] = runs_of(site)
    assert [version.aliases for version in Registry(site).versions("pump")] == [("champion",)]
    assert len(mlflow_store.client(site).get_metric_history(run.info.run_id, "margin")) == 1
    assert spool.waiting(workspace_of(site)) == []


# A fit with epochs takes twenty seconds more, and adds only that each epoch is forwarded separately.
MIDDLE = [("pump", "margin", [0])] + [("fan", "loss", [0, 1, 2])] * (os.environ.get("EUGENIE_CHAOS") == "full")


@pytest.mark.parametrize(("class_name", "metric", "steps"), MIDDLE)
def test_a_server_lost_during_training_gets_the_rest_later(
    tmp_path: Path, door: Door, class_name: str, metric: str, steps: list[int]
) -> None:
    site, progress = plant(tmp_path, door.uri), Told()
    door.shut_after = "runs/log-batch"
    done = train.train_class(site, class_name, progress)
    assert done.spooled
    assert any("the tracking server failed" in line for line in progress.lines)
    door.shut, door.shut_after = "", ""
    registered = train.train_class(site, class_name, progress)
    assert (registered.version, registered.kept) == (1, True)
    [run] = runs_of(site)
    history = mlflow_store.client(site).get_metric_history(run.info.run_id, metric)
    assert [metric.step for metric in history] == steps
    assert run.info.status == "FINISHED"
    assert set(run.data.tags) >= {spool.TAG, "eugenie.recipe"}


def test_the_commands_say_what_is_spooled(
    tmp_path: Path, door: Door, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """eugenie gives up on a silent server after a timeout, which is shortened here."""
    monkeypatch.setattr(mlflow_store, "_ANSWER_S", 0.5)
    site = plant(tmp_path, door.uri)
    options = ["--site", str(site.file), "-o", "json"]
    door.shut = "hang"
    assert app(["train", "--class", "pump", *options], standalone_mode=False) in (None, 0)
    [result] = json.loads(capsys.readouterr().out)
    assert (result["spooled"], result["version"]) == (True, None)
    with pytest.raises(EugenieError, match=r"no response within"):
        app(["models", "sync", *options], standalone_mode=False)
    door.shut = ""
    app(["models", "sync", *options], standalone_mode=False)
    sent = json.loads(capsys.readouterr().out)["sent"]
    assert [(run["class_name"], run["version"]) for run in sent] == [("pump", 1)]
    app(["models", "list", *options], standalone_mode=False)
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["type"], listed["gate"], listed["aliases"]) == ("mewma", None, ["champion"])


@pytest.mark.parametrize("credentials", ["user", "token"])
def test_credentials_of_the_site_file(
    tmp_path: Path, door: Door, credentials: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EUGENIE_TEST_SECRET", "s3cret-word")
    if credentials == "user":
        door.authorization = "Basic " + base64.b64encode(b"ann:s3cret-word").decode()
        more = ', username: ann, password: "${env:EUGENIE_TEST_SECRET}"'
    else:
        door.authorization = "Bearer s3cret-word"
        more = ', token: "${env:EUGENIE_TEST_SECRET}"'
    site, progress = plant(tmp_path, door.uri, more), Told()
    assert train.train_class(site, "pump", progress).version == 1
    assert Registry(site).load(Registry(site).resolve("pump", 1)).type == "mewma"

    monkeypatch.setenv("EUGENIE_TEST_SECRET", "wr0ng-word")
    with pytest.raises(
        EugenieError, match=r"does not know (user ann|the token of the site file) \(HTTP 401\)"
    ) as refused:
        train.train_class(site, "pump", progress, TrainingOptions(force=True))
    assert "tracking.username" in str(refused.value.hint)
    assert spool.waiting(workspace_of(site)) == []
    nobody = site.model_copy(
        update={"tracking": site.tracking.model_copy(update={"username": None, "password": None, "token": None})}
    )
    with pytest.raises(EugenieError, match="callers without credentials"):
        mlflow_store.client(nobody)
    assert not {name for name in os.environ if name.startswith("MLFLOW_TRACKING_")}
    shown = "".join([*progress.lines, *capfd.readouterr(), str(refused.value)])
    assert "s3cret" not in shown
    assert "wr0ng" not in shown


def test_a_certificate_is_held_to_the_authority_of_the_site_file(tmp_path: Path, server: int) -> None:
    plant_ca, other_ca = Authority(tmp_path / "plant", "plant-ca"), Authority(tmp_path / "other", "other-ca")
    door = Door(server, tls=plant_ca.sign("tracking"))
    try:
        for more in ("", f', ca: "{other_ca.ca}"', f', ca: "{tmp_path / "none.pem"}"'):
            with pytest.raises(EugenieError, match="cannot be trusted") as refused:
                train.train_class(plant(tmp_path, door.uri, more), "pump", SILENT)
            assert "tracking.ca" in str(refused.value.hint)
        assert door.seen == []
        site = plant(tmp_path, door.uri, f', ca: "{plant_ca.ca}"')
        assert train.train_class(site, "pump", SILENT).version == 1
        registry = Registry(site)
        assert registry.load(registry.resolve("pump", "champion")).type == "mewma"
        assert spool.waiting(workspace_of(site)) == []
        assert any("artifacts" in request for request in door.seen)
    finally:
        door.close()
