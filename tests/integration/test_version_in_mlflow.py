"""A version as MLflow's own users meet it: a model that scores tables, a run with its data, figures and report."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow
import numpy as np
import pandas as pd
import pytest
from support.tracked_plant import NAME, ROWS, SITE, Plant, made

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.training.registry import Registry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LIMITED = SITE.replace("{name: b}", "{name: b, unit: bar, low: 17.5}")


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    plant = made(tmp_path_factory.mktemp("plant") / "plant", site=LIMITED)
    for words in (["train"], ["train", "--again"], ["evaluate", "--candidate", "2"]):
        done = plant.run(*words)
        assert not done.error, f"{done.error}\n{done.crash}"
    return plant


@pytest.fixture
def model(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> mlflow.pyfunc.PyFuncModel:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", plant.store)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", plant.store)
    return mlflow.pyfunc.load_model(f"models:/{NAME}@champion")


@pytest.fixture(scope="module")
def table(plant: Plant) -> pd.DataFrame:
    """The plant's readings as a table with a column of each sensor; sensor b misses some cells."""
    readings = open_history(plant.site).read("p1")
    columns = {"timestamp": pd.to_datetime(np.arange(ROWS) * 1000, unit="ms")}
    for number, name in enumerate(readings.names):
        columns[name] = readings.value[readings.sensor == number]
    return pd.DataFrame(columns).assign(asset="p1")


def test_a_table_gets_the_scores_of_evaluate(
    plant: Plant, model: mlflow.pyfunc.PyFuncModel, table: pd.DataFrame, tmp_path: Path
) -> None:
    done = plant.run("evaluate", "--scores", str(tmp_path / "scores.parquet"))
    assert not done.error
    expected = pd.read_parquet(tmp_path / "scores.parquet")
    scored = model.predict(table)
    assert list(scored) == [
        "timestamp",
        "asset",
        "score",
        "contribution.a",
        "contribution.b",
        "expected.a",
        "expected.b",
    ]
    assert (table["b"] < 17.5).sum() > 5, "some values are outside of the limit"
    both = expected.assign(ts=expected["ts"].dt.tz_localize(None)).merge(
        scored, left_on=["asset", "ts"], right_on=["asset", "timestamp"], how="outer", suffixes=("", "_of_table")
    )
    assert len(both) == len(expected)
    np.testing.assert_allclose(both["score_of_table"], both["score"], rtol=1e-5)
    assert both["score"].notna().sum() > 1000


@pytest.mark.parametrize(
    "write",
    [
        lambda ts: ts.dt.tz_localize("UTC"),
        lambda ts: ts.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"),
        lambda ts: ts.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        lambda ts: ts.dt.strftime("%Y-%m-%d %H:%M:%S"),
        lambda ts: ts.astype("datetime64[ms]"),
    ],
    ids=["UTC", "zone", "text with Z", "text without a zone", "milliseconds"],
)
def test_instants_may_be_written_in_several_ways(
    model: mlflow.pyfunc.PyFuncModel, table: pd.DataFrame, write: object
) -> None:
    written = table.assign(timestamp=write(table["timestamp"]))  # type: ignore[operator]
    pd.testing.assert_frame_equal(model.predict(written), model.predict(table))


def test_rows_and_columns_may_be_in_any_order_or_missing(model: mlflow.pyfunc.PyFuncModel, table: pd.DataFrame) -> None:
    mixed = table.sample(frac=1, random_state=0)[["b", "asset", "a", "timestamp"]].assign(more="unused")
    pd.testing.assert_frame_equal(model.predict(mixed), model.predict(table))
    half = model.predict(table.drop(columns="b"))
    assert len(half) and half["expected.b"].isna().all() | (half["contribution.b"].fillna(0) == 0).all()
    unknown = model.predict(table.assign(asset="p9"))
    assert len(unknown) and unknown["score"].isna().all()
    assert model.predict(table[:0]).empty


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda table: table.assign(timestamp="yesterday"), "give instants"),
        (lambda table: table.assign(timestamp=pd.NaT), "give each row an instant"),
    ],
)
def test_a_table_that_cannot_be_read_gets_words(
    model: mlflow.pyfunc.PyFuncModel, table: pd.DataFrame, changed: object, words: str
) -> None:
    with pytest.raises(EugenieError) as refused:
        model.predict(changed(table))  # type: ignore[operator]
    assert words in str(refused.value.hint)


def test_the_run_shows_its_data(plant: Plant) -> None:
    registry = Registry(plant.site)
    version = registry.resolve("pump", 1)
    run = registry.client.get_run(version.run_id)
    [used] = run.inputs.dataset_inputs
    assert (used.dataset.name, [(tag.key, tag.value) for tag in used.tags]) == (
        NAME,
        [("mlflow.data.context", "training")],
    )
    assert run.data.params["data_fingerprint"].startswith(used.dataset.digest) and len(used.dataset.digest) > 30
    columns = json.loads(used.dataset.schema)["mlflow_colspec"]
    assert [column["name"] for column in columns] == ["timestamp", "asset", "a", "b"]
    profile = json.loads(used.dataset.profile)
    assert profile["num_rows"] == sum(profile["rows"].values()) == profile["assets"]["p1"]["rows"] == 600
    source = Path(unquote(urlsplit(mlflow.data.get_source(used.dataset).uri).path))
    assert source == plant.workspace / "history"


def test_runs_have_names_tags_figures_and_the_report(plant: Plant) -> None:
    registry = Registry(plant.site)
    for number in (1, 2):
        version = registry.resolve("pump", number)
        run = registry.client.get_run(version.run_id)
        assert run.info.run_name == f"pump version {number}"
        wanted = {"eugenie.site": "plant", "eugenie.class": "pump"}
        assert wanted.items() <= run.data.tags.items() and run.data.tags["eugenie.model_version"] == str(number)
        assert wanted.items() <= registry.client.get_model_version(NAME, str(number)).tags.items()
        assert "evaluate.flagged" in run.data.metrics
        [report] = registry.client.list_artifacts(version.run_id, "evaluation")
        assert report.path == "evaluation/1.html" and report.file_size
    assert wanted.items() <= registry.client.get_registered_model(NAME).tags.items()


def test_the_files_of_the_flavour_take_no_time(plant: Plant, tmp_path: Path) -> None:
    """`mlflow.*.log_model` resolves the environment for many seconds."""
    from eugenie_cli.training import artifact, mlflow_model

    registry = Registry(plant.site)
    detector = registry.load(registry.resolve("pump", 1))
    artifact.save(detector, tmp_path / "detector")
    began = time.process_time()
    mlflow_model.write_mlmodel(detector, {}, tmp_path / "detector")
    assert time.process_time() - began < 2
    shutil.rmtree(tmp_path / "detector")
