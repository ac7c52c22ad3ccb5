"""The REST API of the model server: the same answers as over gRPC, TensorFlow Serving's errors, and metrics."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psutil
import pytest
import requests
from support.model_server import READY, publish, served
from support.small_models import ASSETS, SENSORS, WINDOW, write_version

from eugenie_cli.model_server.json_pool import LARGE_ANSWER, LARGE_BODY
from eugenie_cli.model_server.request_bodies import MAX_BODY_BYTES
from eugenie_cli.tfserving.client import PredictClient

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], PredictClient]]:
    """The server's ready message, and a gRPC client. `pump` has versions 1 (label `champion`) and 2."""
    root = tmp_path_factory.mktemp("rest")
    for version in (1, 2):
        write_version(root / "versions", "pump", version)
    folder = publish(root / "versions" / "pump", root / "models" / "pump", 1, 2)
    (root / "models.config").write_text(
        f'model_config_list {{ config {{ name: "pump" base_path: "{folder}" model_version_policy {{ all {{}} }} '
        'model_platform: "tensorflow" version_labels { key: "champion" value: 1 } } }'
    )
    with served(root, "--model-config", str(root / "models.config"), "--rest-port", "0") as client:
        yield json.loads((root / READY).read_text()), client


@pytest.fixture(scope="module")
def api(started: tuple[dict[str, Any], PredictClient]) -> tuple[str, PredictClient]:
    """The server's URL, and a gRPC client of it."""
    return started[0]["rest"], started[1]


@pytest.fixture
def server(started: tuple[dict[str, Any], PredictClient]) -> psutil.Process:
    """The server's process."""
    return psutil.Process(started[0]["pid"])


def rows(batch: int = 2, length: int = WINDOW) -> np.ndarray:
    values = np.random.default_rng(batch).normal(size=(batch, length, SENSORS)).astype(np.float32)
    values[0, 0, 0] = np.nan
    return values


def post(url: str, body: object) -> requests.Response:
    return requests.post(url, json.dumps(body) if not isinstance(body, bytes) else body, timeout=30)


def test_rows_and_columns_give_what_grpc_gives(api: tuple[str, PredictClient]) -> None:
    url, client = api
    values = rows(2, WINDOW + 3)
    assets = [ASSETS[0], "nobody"]
    expected = client.predict("pump", assets, values)
    instances = [{"asset": asset, "rows": value} for asset, value in zip(assets, values.tolist(), strict=True)]
    answer = post(f"{url}/v1/models/pump:predict", {"instances": instances})
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    by_row = answer.json()["predictions"]
    columns = {"asset": assets, "rows": values.tolist()}
    by_column = post(f"{url}/v1/models/pump:predict", {"inputs": columns, "signature_name": "serving_default"})
    for name in ("score", "contribution", "expected"):
        np.testing.assert_array_equal(np.array([row[name] for row in by_row], np.float32), getattr(expected, name))
        np.testing.assert_array_equal(np.array(by_column.json()["outputs"][name], np.float32), getattr(expected, name))
    encoded = [{**row, "asset": {"b64": base64.b64encode(row["asset"].encode()).decode()}} for row in instances]
    assert post(f"{url}/v1/models/pump:predict", {"instances": encoded}).text == answer.text


def test_versions_and_labels_are_asked_for_by_the_path(api: tuple[str, PredictClient]) -> None:
    url, _ = api
    body = {"instances": [{"asset": ASSETS[0], "rows": np.zeros((WINDOW, SENSORS)).tolist()}]}
    scores = {
        path: post(f"{url}/v1/models/pump{path}:predict", body).json()["predictions"][0]["score"][0]
        for path in ("", "/versions/1", "/versions/2", "/labels/champion")
    }
    assert scores == {"": 2000.0, "/versions/1": 1000.0, "/versions/2": 2000.0, "/labels/champion": 1000.0}


def test_status_and_metadata(api: tuple[str, PredictClient]) -> None:
    url, _ = api
    states = requests.get(f"{url}/v1/models/pump", timeout=30).json()["model_version_status"]
    assert states == [
        {"version": version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        for version in ("2", "1")
    ]
    (version_status,) = requests.get(f"{url}/v1/models/pump/labels/champion", timeout=30).json()["model_version_status"]
    assert version_status["version"] == "1"
    metadata = requests.get(f"{url}/v1/models/pump/versions/1/metadata", timeout=30).json()
    assert metadata["model_spec"] == {"name": "pump", "signature_name": "", "version": "1"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["rows"]["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in signature["inputs"]["rows"]["tensor_shape"]["dim"]] == ["-1", "-1", str(SENSORS)]


GOOD = {"asset": ASSETS[0], "rows": np.zeros((WINDOW, SENSORS)).tolist()}

REFUSED = [
    ("/v1/models/nope:predict", {"instances": [GOOD]}, 404, "Servable not found for request: Latest(nope)"),
    ("/v1/models/pump/versions/9:predict", {"instances": [GOOD]}, 404, "Specific(pump, 9)"),
    ("/v1/models/pump/labels/x:predict", {"instances": [GOOD]}, 400, "Unrecognized servable version label: x"),
    ("/v1/models/pump:predict", b"{", 400, "JSON Parse error"),
    ("/v1/models/pump:predict", b"\xff", 400, "JSON Parse error"),
    ("/v1/models/pump:predict", b"[" * 100_000, 400, "JSON Parse error"),
    ("/v1/models/pump:predict", [], 400, "must be a JSON object"),
    ("/v1/models/pump:predict", {}, 400, "either 'instances' or 'inputs'"),
    ("/v1/models/pump:predict", {"instances": [GOOD], "inputs": GOOD}, 400, "either 'instances' or 'inputs'"),
    ("/v1/models/pump:predict", {"instances": []}, 400, "at least one row"),
    ("/v1/models/pump:predict", {"instances": [1, 2]}, 400, "must be an object with asset, rows"),
    ("/v1/models/pump:predict", {"instances": [GOOD, {"asset": "a"}]}, 400, "the same inputs"),
    ("/v1/models/pump:predict", {"instances": [{"asset": "a"}]}, 400, "Missing but required: {rows}"),
    ("/v1/models/pump:predict", {"instances": [{**GOOD, "rows": [["a"]]}]}, 400, "rows must be float"),
    ("/v1/models/pump:predict", {"instances": [{**GOOD, "rows": [[1], [1, 2]]}]}, 400, "rows must be float"),
    ("/v1/models/pump:predict", {"instances": [{**GOOD, "asset": 5}]}, 400, "asset must be string"),
    ("/v1/models/pump:predict", {"instances": [{**GOOD, "asset": {"b64": "%"}}]}, 400, "asset must be string"),
    ("/v1/models/pump:predict", {"instances": [{**GOOD, "rows": [1.0]}]}, 400, "shape of rows"),
    ("/v1/models/pump:predict", {"instances": [{**GOOD, "rows": GOOD["rows"][1:]}]}, 400, "too few rows"),
    ("/v1/models/pump:predict", {"instances": [GOOD], "signature_name": "x"}, 400, 'signature key "x" not found'),
    ("/v1/models/pump:predict", {"instances": [GOOD], "signature_name": 1}, 400, "must be text"),
    ("/v1/models/pump:classify", {"examples": []}, 501, "only Predict"),
    ("/v1/models/pump:regress", {"examples": []}, 501, "only Predict"),
    ("/v1/models/pump:explain", {}, 400, "Malformed request: POST /v1/models/pump:explain"),
    ("/v1/models/pump", {}, 400, "Malformed request: POST"),
    ("/", {}, 400, "Malformed request: POST /"),
]


@pytest.mark.parametrize(("path", "body", "status", "words"), REFUSED)
def test_what_is_wrong_is_said(
    api: tuple[str, PredictClient], path: str, body: object, status: int, words: str
) -> None:
    answer = post(f"{api[0]}{path}", body)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert words in answer.json()["error"]


# -- large bodies are read and written in a separate process


def large(body: object) -> bytes:
    """The same document, padded."""
    return json.dumps(body).encode() + b" " * LARGE_BODY


def test_grpc_is_answered_while_a_large_body_is_being_read(
    api: tuple[str, PredictClient], server: psutil.Process
) -> None:
    url, client = api
    body = {"instances": [GOOD]}
    expected = post(f"{url}/v1/models/pump:predict", body)
    assert post(f"{url}/v1/models/pump:predict", large(body)).content == expected.content
    (reading,) = server.children()
    with ThreadPoolExecutor(1) as caller:
        reading.suspend()  # stopped in the middle, for any time
        try:
            answer = caller.submit(post, f"{url}/v1/models/pump:predict", large(body))
            for _ in range(20):
                assert client.predict("pump", [ASSETS[0]], rows(1)).version == 2
            assert post(f"{url}/v1/models/pump:predict", body).content == expected.content, (
                "a small request must not wait either"
            )
            assert not answer.done()
        finally:
            reading.resume()
        assert answer.result().content == expected.content
    assert server.children() == [reading], "the process must remain for the next request"


def test_bodies_that_are_too_large_or_no_numbers_are_refused(
    api: tuple[str, PredictClient], server: psutil.Process
) -> None:
    url, before = f"{api[0]}/v1/models/pump:predict", server.memory_info().rss
    caller = http.client.HTTPConnection(url.split("/")[2], timeout=60)
    caller.putrequest("POST", "/v1/models/pump:predict")
    caller.putheader("Content-Length", str(300 * 2**20))  # but none of its bytes
    caller.endheaders()
    claimed = caller.getresponse()
    assert claimed.status == 429
    assert json.loads(claimed.read())["error"] == f"the request is larger than {MAX_BODY_BYTES:,} bytes"
    caller.close()
    for body in (
        b'{"instances":[{"asset":"pump-101","rows":[[' + b"9" * 200_000 + b"]]}]}",
        b'{"instances":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"instances":[{"asset":"pump-101","rows":' + b"[" * 100 + b"1" + b"]" * 100 + b"}]}",
    ):
        assert post(url, body).status_code == 400
    assert server.memory_info().rss - before < 200 * 2**20
    assert post(url, {"instances": [GOOD]}).status_code == 200


def test_a_large_answer_is_what_grpc_gives(api: tuple[str, PredictClient]) -> None:
    url, client = api
    values = rows(2, 900)
    expected = client.predict("pump", list(ASSETS), values)
    assert expected.score.size + expected.contribution.size + expected.expected.size > LARGE_ANSWER
    answer = post(f"{url}/v1/models/pump:predict", {"inputs": {"asset": list(ASSETS), "rows": values.tolist()}})
    for name in ("score", "contribution", "expected"):
        np.testing.assert_array_equal(np.array(answer.json()["outputs"][name], np.float32), getattr(expected, name))


@pytest.mark.parametrize(
    ("path", "body", "status", "words"), [case for case in REFUSED if case[0].endswith(":predict")]
)
def test_what_is_wrong_with_a_large_body_is_said_in_the_same_words(
    api: tuple[str, PredictClient], path: str, body: object, status: int, words: str
) -> None:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    small, padded = post(f"{api[0]}{path}", written), post(f"{api[0]}{path}", b" " * LARGE_BODY + written)
    assert padded.status_code == small.status_code == status
    assert words in padded.json()["error"]


def test_requests_are_counted_under_tensorflow_servings_names(api: tuple[str, PredictClient]) -> None:
    url, client = api

    def counted(line: str) -> int:
        page = requests.get(f"{url}/monitoring/prometheus/metrics", timeout=30)
        assert page.headers["content-type"].startswith("text/plain")
        return next((int(sample.rpartition(" ")[2]) for sample in page.text.splitlines() if sample.startswith(line)), 0)

    good = ':tensorflow:serving:request_count{model_name="pump",status="OK"}'
    strange = ':tensorflow:serving:request_count{model_name="",status="NOT_FOUND"}'
    taken = ':tensorflow:serving:request_latency_count{model_name="pump",API="Predict",entrypoint="GRPC"}'
    slow = ':tensorflow:serving:request_latency_bucket{model_name="pump",API="Predict",entrypoint="GRPC",le="+Inf"}'
    before = counted(good), counted(strange), counted(taken), counted(slow)
    client.predict("pump", [ASSETS[0]], rows(1))
    post(f"{url}/v1/models/made-up:predict", {"instances": [GOOD]})
    after = counted(good), counted(strange), counted(taken), counted(slow)
    assert after == tuple(count + 1 for count in before)
