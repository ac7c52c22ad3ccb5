"""TensorFlow Serving's official client with the model server, and its messages on the files written for it.

The client runs in a separate environment, `official_environment`, and answers in JSON.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from support import FOLDER, official_environment
from support.model_server import READY, served
from support.official_requests import (
    METADATA,
    MODEL,
    PREDICT_REFUSED,
    PREDICTED,
    REAL,
    STATUS,
    VERSIONS,
    Asked,
    Tensor,
    released,
    reloads,
)
from support.registered_plant import CLASS, register
from support.small_models import write_version

from eugenie_cli.serving import publish, server_config, warm_up
from eugenie_cli.site.load import load_site
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.training.open_class import open_class

pytestmark = pytest.mark.integration

SCRIPT = FOLDER / "official_caller.py"


@dataclass(frozen=True)
class Talk:
    """Responses to the official client, and to ours and REST for the same requests; and where the models are."""

    answers: dict[str, dict[str, Any]]
    ours: dict[str, dict[str, Any]]
    rest: dict[str, dict[str, Any]]
    config: dict[str, Any]
    warm_up: list[dict[str, Any]]
    models: Path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`mixer` with two small versions, and an exported version of `pump`."""
    root = tmp_path_factory.mktemp("official")
    for version in (1, 2):
        write_version(root / "models", MODEL, version)
    (root / "plant.yaml").write_text(CLASS)
    site = load_site(root / "plant.yaml")
    register(site)
    publish.publish_class(open_class(site, REAL), models=root / "models")
    return root / "models"


@pytest.fixture(scope="module")
def talk(models: Path) -> Talk:
    root = models.parent
    python = official_environment.make(root / "environment")
    config = server_config.model_config_text(released(models))
    (root / "models.config").write_text(config)
    with served(root, "--model-config", str(root / "models.config"), "--rest-port", "0", "--allow-reload") as client:
        rest = json.loads((root / READY).read_text())["rest"]
        cases = [*PREDICTED, *PREDICT_REFUSED, *METADATA, *STATUS, *reloads(models)]
        questions = {
            "address": client.address,
            "requests": [asdict(case) for case in cases],
            "model_config": config,
            "warm_up": warm_up_records(models / REAL / "1"),
        }
        assert len({case.name for case in cases}) == len(cases)
        (root / "questions.json").write_text(json.dumps(questions))
        arguments = [str(python), str(SCRIPT), str(root / "questions.json"), str(root / "answers.json")]
        environment = {**os.environ, "PYTHONPATH": "", "PYTHONNOUSERSITE": "1"}
        run = subprocess.run(arguments, capture_output=True, text=True, timeout=300, env=environment, check=False)
        assert run.returncode == 0, run.stderr[-3000:]
        ours = {case.name: asked_by_us(client, case) for case in PREDICTED}
        by_rest = {case.name: asked_by_rest(rest, case) for case in PREDICTED if case.name != "an empty batch"}
    received = json.loads((root / "answers.json").read_text())
    return Talk(received["answers"], ours, by_rest, received["model_config"], received["warm_up"], models)


def warm_up_records(version: Path) -> list[str]:
    import tensorflow as tf

    dataset = tf.data.TFRecordDataset(str(version / warm_up.LOCATION))
    return [base64.b64encode(record).decode() for record in dataset.as_numpy_iterator()]


def array_of(tensor: Tensor) -> np.ndarray:
    """The values of a tensor."""
    if tensor.dtype == "DT_STRING":
        return np.array([value.encode() for value in tensor.values], object).reshape(tensor.shape)
    count = int(np.prod(tensor.shape))
    values = (tensor.values or [0.0])[: count or None]
    return np.array([*values, *values[-1:] * (count - len(values))][:count], np.float32).reshape(tensor.shape)


def asked_by_us(client: PredictClient, case: Asked) -> dict[str, Any]:
    inputs = {name: array_of(tensor) for name, tensor in case.inputs.items()}
    answer = client.call(case.model or "", inputs, case.version, case.signature)
    return {"version": answer.version, "outputs": answer.outputs}


def asked_by_rest(url: str, case: Asked) -> dict[str, Any]:
    kind = "" if case.version is None else "/labels" if isinstance(case.version, str) else "/versions"
    path = f"/v1/models/{case.model}{kind}{f'/{case.version}' if kind else ''}:predict"
    columns = {
        name: [text.decode() for text in array] if array.dtype.kind == "O" else array.tolist()
        for name, array in ((name, array_of(tensor)) for name, tensor in case.inputs.items())
    }
    body = json.dumps({"inputs": columns, "signature_name": case.signature})
    answer = requests.post(f"{url}{path}", body, timeout=60).json()
    assert "outputs" in answer, answer
    return answer["outputs"] if isinstance(answer["outputs"], dict) else {"forecast": answer["outputs"]}


def named(cases: Iterable[Asked]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


@pytest.mark.parametrize("asked", named(PREDICTED))
def test_predictions_are_what_our_client_and_rest_get(talk: Talk, asked: Asked) -> None:
    answer = talk.answers[asked.name]
    assert answer["code"] == "OK", answer["words"]
    assert (answer["model"], answer["version"]) == (asked.model, asked.answers)
    assert answer["signature"] == (asked.signature or "serving_default")
    ours = talk.ours[asked.name]
    assert ours["version"] == asked.answers
    assert set(answer["outputs"]) == (set(asked.fields) or set(ours["outputs"]))
    for name, output in answer["outputs"].items():
        values = np.array(output["values"], np.float32).reshape(output["shape"])
        np.testing.assert_array_equal(values, ours["outputs"][name])
        if asked.name in talk.rest:
            np.testing.assert_array_equal(values, np.array(talk.rest[asked.name][name], np.float32))


def test_the_small_versions_computed_what_they_are_made_for(talk: Talk) -> None:
    """Not only equal but right: 1000 times the version plus the sum of the window, NaN for an unknown asset."""
    for case in PREDICTED:
        if case.model != MODEL:
            continue
        rows = array_of(case.inputs["rows"])
        windows = np.lib.stride_tricks.sliding_window_view(rows, 8, axis=1)
        expected = windows.sum(axis=(2, 3)) + 1000 * case.answers
        expected[[name == "nobody" for name in case.inputs["asset"].values]] = np.nan
        output = talk.answers[case.name]["outputs"]["score"]
        np.testing.assert_array_equal(np.array(output["values"]).reshape(output["shape"]), expected)
    holed = talk.answers["NaN in, NaN out"]["outputs"]["score"]["values"]
    assert np.isnan(holed[0]) and np.isfinite(holed[1:]).all()


@pytest.mark.parametrize("asked", named([*PREDICT_REFUSED, *(case for case in METADATA if case.code != "OK")]))
def test_what_is_refused_has_tensorflow_servings_code_and_words(talk: Talk, asked: Asked) -> None:
    answer = talk.answers[asked.name]
    assert answer["code"] == asked.code, answer["words"]
    assert asked.words in answer["words"] and answer["words"]


@pytest.mark.parametrize("asked", named(case for case in METADATA if case.code == "OK"))
def test_signatures_are_read_by_the_official_messages(talk: Talk, asked: Asked) -> None:
    answer = talk.answers[asked.name]
    assert (answer["code"], answer["model"], answer["version"]) == ("OK", asked.model, asked.answers)
    default = answer["signatures"]["serving_default"]
    sensors = 5 if asked.model == REAL else 3
    assert default["method"] == "tensorflow/serving/predict"
    assert default["inputs"] == {"asset": ["DT_STRING", [-1]], "rows": ["DT_FLOAT", [-1, -1, sensors]]}
    assert set(default["outputs"]) == {"score", "contribution", "expected"}
    assert ("forecast" in answer["signatures"]) == (asked.model == REAL)


@pytest.mark.parametrize("asked", named(STATUS))
def test_states_are_tensorflow_servings(talk: Talk, asked: Asked) -> None:
    answer = talk.answers[asked.name]
    assert answer["code"] == asked.code, answer["words"]
    if asked.code == "OK":
        assert answer["versions"] == [[version, "AVAILABLE", 0, ""] for version in VERSIONS[asked.name]]
    else:
        assert asked.words in answer["words"]


def test_reloads_are_taken_whole_or_not_at_all(talk: Talk) -> None:
    for case in reloads(talk.models):
        answer = talk.answers[case.name]
        assert answer["code"] == case.code, f"{case.name}: {answer['words']}"
        assert case.words in answer["words"]
        if case.method == "Predict":
            assert answer["version"] == case.answers, case.name
        elif case.code == "OK":
            assert (answer["error_code"], answer["error_message"]) == (0, "")


def test_the_model_configuration_is_what_the_official_message_reads(talk: Talk) -> None:
    mixer, pump = talk.config["model_config_list"]["config"]
    assert mixer == {
        "name": MODEL,
        "base_path": str(talk.models / MODEL),
        "model_platform": "tensorflow",
        "model_version_policy": {"specific": {"versions": ["1", "2"]}},
        "version_labels": {"champion": "1", "challenger": "2"},
    }
    assert (pump["name"], pump["model_version_policy"]) == (REAL, {"specific": {"versions": ["1"]}})


def test_the_warm_up_records_are_prediction_logs_that_the_model_answers(talk: Talk) -> None:
    assert [(request["kind"], request["model"], request["signature"]) for request in talk.warm_up] == [
        ("predict_log", REAL, "serving_default")
    ] * 3
    assert [request["rows"] for request in talk.warm_up] == [[1, 40, 5], [1, 295, 5], [3, 40, 5]]
    assert [request["assets"] for request in talk.warm_up] == [["pump-1"], ["pump-1"], ["pump-1", "pump-2", "pump-3"]]
    assert not any(request["unknown"] for request in talk.warm_up)


def test_tensorflows_own_command_shows_and_runs_an_exported_version(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`saved_model_cli show` and `run` in this process, which has already loaded TensorFlow."""
    from absl import flags
    from tensorflow.python.tools import saved_model_cli

    rows = np.full((2, 41, 5), 50.0).tolist()
    flags.FLAGS(
        [
            "saved_model_cli",
            f"--dir={models / REAL / '1'}",
            "--tag_set=serve",
            "--signature_def=serving_default",
            f"--input_exprs=asset=['pump-1', 'nobody'];rows={rows}",
            f"--outdir={tmp_path}",
        ]
    )
    saved_model_cli.show()
    shown = capsys.readouterr().out
    for words in (
        *("inputs['asset']", "inputs['rows']", "shape: (-1, -1, 5)", "outputs['score']", "outputs['expected']"),
        "Method name is: tensorflow/serving/predict",
    ):
        assert words in shown
    saved_model_cli.run()
    score = np.load(tmp_path / "score.npy")
    assert score.shape == (2, 2)
    assert np.isfinite(score[0]).all() and np.isnan(score[1]).all()
