"""Routes of the REST API: what each path and method reaches, and the response to every other one."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest

from eugenie_cli.model_server.metrics import CONTENT_TYPE
from eugenie_cli.model_server.request_bodies import MAX_BODY_BYTES
from eugenie_cli.model_server.rest import METRICS_PATH, RestApi
from eugenie_cli.model_server.status_error import Refusal, invalid
from eugenie_cli.tfserving.protos import serving_pb2

MODEL = "/v1/models/pump"


class Service:
    """Records the model that a request is about, and the name that it is counted under."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.monitor = SimpleNamespace(page=lambda: "a page\n")
        self.manager = SimpleNamespace(find=self._find)

    def counted(self, request: serving_pb2.GetModelStatusRequest, api: str, _entrypoint: str) -> Any:
        spec = request.model_spec
        version = str(spec.version.value) if spec.HasField("version") else spec.version_label
        self.calls.append((api, spec.name, version))
        return nullcontext()

    def _find(self, _spec: serving_pb2.ModelSpec) -> None:
        raise invalid("predicted")

    async def status(self, _request: object) -> serving_pb2.GetModelStatusResponse:
        return serving_pb2.GetModelStatusResponse()

    async def metadata(self, _request: object) -> None:
        raise invalid("metadata")

    async def refuse(self, _request: object) -> None:
        raise invalid("refused")


def call(
    service: Service, method: str, path: str, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body that the application sends; `path` as in a request line, which uvicorn decodes once."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": unquote(path), "root_path": "", "headers": headers}
    asyncio.run(RestApi(service, None)(scope, receive, send))  # type: ignore[arg-type]
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", MODEL, ("GetModelStatus", "pump", "")),
        ("GET", f"{MODEL}/", ("GetModelStatus", "pump", "")),
        ("GET", f"{MODEL}/versions/007", ("GetModelStatus", "pump", "7")),
        ("GET", f"{MODEL}/labels/champion/", ("GetModelStatus", "pump", "champion")),
        ("GET", f"{MODEL}/metadata", ("GetModelMetadata", "pump", "")),
        ("GET", f"{MODEL}/versions/2/metadata/", ("GetModelMetadata", "pump", "2")),
        ("POST", f"{MODEL}:predict", ("Predict", "pump", "")),
        ("POST", f"{MODEL}:predict/", ("Predict", "pump", "")),
        ("POST", f"{MODEL}/versions/{'9' * 18}:predict", ("Predict", "pump", "9" * 18)),
        ("GET", f"{MODEL}/versions/1732380000000000000", ("GetModelStatus", "pump", "1732380000000000000")),
        ("GET", f"{MODEL}/versions/{2**63 - 1}", ("GetModelStatus", "pump", str(2**63 - 1))),
        ("GET", f"{MODEL}/versions/{7:064}", ("GetModelStatus", "pump", "7")),
        ("POST", f"{MODEL}/labels/a%20b:predict", ("Predict", "pump", "a b")),
        ("POST", "/v1/models/%C3%A9%25:predict", ("Predict", "é%", "")),
        ("POST", "/v1/models/pump%3Apredict", ("Predict", "pump", "")),
        ("POST", f"{MODEL}/labels/champion:classify", ("Classify", "pump", "champion")),
        ("POST", f"{MODEL}:regress", ("Regress", "pump", "")),
    ],
)
def test_a_path_names_the_model_its_version_and_the_method(
    method: str, path: str, expected: tuple[str, str, str]
) -> None:
    service = Service()
    call(service, method, path)
    assert service.calls == [expected]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", MODEL),
        ("HEAD", METRICS_PATH),
        ("POST", MODEL),
        ("GET", f"{MODEL}:predict"),
        ("PUT", f"{MODEL}:predict"),
        ("OPTIONS", MODEL),
        ("BREW", MODEL),
        ("POST", METRICS_PATH),
        ("GET", f"{METRICS_PATH}/"),
        ("GET", f"{METRICS_PATH}%0A"),
        ("GET", "/"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/"),
        ("GET", f"{MODEL}//"),
        ("GET", f"/{MODEL}"),
        ("GET", "/v1//models/pump"),
        ("GET", "/v1/models//pump"),
        ("GET", "/V1/models/pump"),
        ("GET", "/v1/models/plant%2Fpump"),
        ("GET", f"{MODEL}/versions/x"),
        ("GET", f"{MODEL}/versions/-1"),
        ("GET", f"{MODEL}/versions/{2**63}"),
        ("GET", f"{MODEL}/versions/{'9' * 65}"),
        ("GET", f"{MODEL}/versions/%D9%A3"),  # an Arabic digit
        ("GET", f"{MODEL}/labels/"),
        ("GET", f"{MODEL}/versions/1/labels/champion"),
        ("POST", f"{MODEL}:explain"),
        ("POST", f"{MODEL}:predict%0A"),
        ("POST", f"{MODEL}/:predict"),
        ("POST", f"{MODEL}:predict:predict"),
    ],
)
def test_any_other_path_or_method_is_malformed_as_in_tensorflow_serving(method: str, path: str) -> None:
    service = Service()
    status, headers, body = call(service, method, path)
    assert (status, headers[b"content-type"], service.calls) == (400, b"application/json", [])
    assert json.loads(body) == {"error": f"Malformed request: {method} {unquote(path)}"}
    assert headers[b"content-length"] == str(len(body)).encode()


def test_metrics_are_plain_text() -> None:
    status, headers, body = call(Service(), "GET", METRICS_PATH)
    assert (status, headers[b"content-type"].decode(), body) == (200, CONTENT_TYPE, b"a page\n")


@pytest.mark.parametrize("path", [f"{MODEL}:predict", MODEL, "/elsewhere"])
def test_a_length_above_the_limit_is_refused_on_every_path(path: str) -> None:
    status, _, body = call(Service(), "POST", path, ((b"content-length", b"%d" % (MAX_BODY_BYTES + 1)),))
    assert (status, json.loads(body)["error"]) == (429, f"the request is larger than {MAX_BODY_BYTES:,} bytes")


def test_an_unexpected_error_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    service.status = None  # type: ignore[assignment]
    status, _, body = call(service, "GET", MODEL)
    assert status == 500 and json.loads(body)["error"].startswith("TypeError: ")
    assert "Traceback" in caplog.text


def test_an_error_about_half_a_surrogate_pair_is_json() -> None:
    """It was an exception while the response was written: 500, in plain text."""
    service = Service()

    async def status(_request: object) -> None:
        raise Refusal(invalid("").code, "no signature \ud800 or é")

    service.status = status  # type: ignore[assignment]
    code, _, body = call(service, "GET", MODEL)
    assert (code, body) == (400, b'{"error": "no signature \\ud800 or \xc3\xa9"}')
