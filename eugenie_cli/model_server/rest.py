"""TensorFlow Serving's REST API: an ASGI application on the same methods as the gRPC one.

GET  /v1/models/NAME[/versions/N|/labels/L]            the states of versions
GET  /v1/models/NAME[/versions/N|/labels/L]/metadata   signatures
POST /v1/models/NAME[/versions/N|/labels/L]:predict    {"instances": [...]} or {"inputs": ...}
GET  /monitoring/prometheus/metrics

Errors are {"error": words} with the HTTP status that stands for the gRPC code. As in TensorFlow Serving NaN and
Infinity are written as such, which JSON itself does not know.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict

from eugenie_cli.model_server.json_pool import JsonPool
from eugenie_cli.model_server.metrics import CONTENT_TYPE, REST
from eugenie_cli.model_server.request_bodies import Receive, RequestBodies, check_length, while_there
from eugenie_cli.model_server.servable import Servable
from eugenie_cli.model_server.service import Service
from eugenie_cli.model_server.status_error import Refusal, from_number, invalid
from eugenie_cli.tfserving.protos import serving_pb2

METRICS_PATH = "/monitoring/prometheus/metrics"

LONGEST_VERSION = 18
"""Digits of a version: a number of 64 bits."""

_MODEL = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
    r"(?P<act>/metadata|:predict|:classify|:regress)?/?"
)
_STATUS = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
}
_INTERNAL = 500
_LOG = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]
Content = dict[str, Any] | bytes
"""Of an answer: a document, or the JSON of it."""

Act = Callable[[serving_pb2.ModelSpec, Receive], Awaitable[Content]]


class RestApi:
    """The application. One request is answered at a time on a connection, any number beside each other."""

    def __init__(self, service: Service, aside: JsonPool) -> None:
        self._service = service
        self._aside = aside
        self._bodies = RequestBodies()
        self._acts: dict[str | None, tuple[str, str, Act]] = {
            None: ("GET", "GetModelStatus", self._status),
            "/metadata": ("GET", "GetModelMetadata", self._metadata),
            ":predict": ("POST", "Predict", self._predict),
            ":classify": ("POST", "Classify", self._refuse),
            ":regress": ("POST", "Regress", self._refuse),
        }
        """What a path ends with: the method, the name that it is counted under, and what answers."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["path"]
        if path == METRICS_PATH and method == "GET":
            await _answer(send, 200, self._service.monitor.page().encode(), CONTENT_TYPE)
            return
        try:
            check_length(scope["headers"])
            content = await self._content(method, path, receive)
            status = 200
        except Refusal as refusal:
            content, status = {"error": refusal.words}, _STATUS.get(refusal.code, _INTERNAL)
        except Exception as error:  # noqa: BLE001 - the caller is told, the log has the trace
            _LOG.exception("a request failed")
            content, status = {"error": f"{type(error).__name__}: {error}"}, _INTERNAL
        written = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        await _answer(send, status, written, "application/json")

    async def _content(self, method: str, path: str, receive: Receive) -> Content:
        found = _MODEL.fullmatch(path)
        expected, api, answer = self._acts[found["act"] if found else None]
        if found is None or method != expected:
            raise invalid(f"Malformed request: {method} {path}")
        spec = serving_pb2.ModelSpec(name=found["name"])
        if found["version"] and len(found["version"]) > LONGEST_VERSION:
            raise invalid(f"Malformed request: {method} {path}")
        if found["version"]:
            spec.version.value = int(found["version"])
        if found["label"]:
            spec.version_label = found["label"]
        request = serving_pb2.GetModelStatusRequest(model_spec=spec)
        with self._service.counted(request, api, REST):
            return await answer(spec, receive)

    async def _refuse(self, spec: serving_pb2.ModelSpec, _receive: Receive) -> dict[str, Any]:
        return await self._service.refuse(serving_pb2.GetModelStatusRequest(model_spec=spec))

    async def _status(self, spec: serving_pb2.ModelSpec, _receive: Receive) -> dict[str, Any]:
        response = await self._service.status(serving_pb2.GetModelStatusRequest(model_spec=spec))
        return {
            "model_version_status": [
                {
                    "version": str(each.version),
                    "state": serving_pb2.ModelVersionStatus.State.Name(each.state),
                    "status": {
                        "error_code": from_number(each.status.error_code, "").code.name,
                        "error_message": each.status.error_message,
                    },
                }
                for each in response.model_version_status
            ]
        }

    async def _metadata(self, spec: serving_pb2.ModelSpec, _receive: Receive) -> dict[str, Any]:
        request = serving_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        response = await self._service.metadata(request)
        signatures = serving_pb2.SignatureDefMap.FromString(response.metadata["signature_def"].value)
        answered = response.model_spec
        return {
            "model_spec": {"name": answered.name, "signature_name": "", "version": str(answered.version.value)},
            "metadata": {
                "signature_def": MessageToDict(
                    signatures, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
                )
            },
        }

    async def _predict(self, spec: serving_pb2.ModelSpec, receive: Receive) -> bytes:
        with self._bodies.one() as held:
            body = await held.read(receive)
            servable = self._service.catalog.find(spec)
            with servable.in_use():
                return await while_there(receive, self._answered(servable, body))

    async def _answered(self, servable: Servable, body: bytes) -> bytes:
        asked = await self._aside.read(body, servable.signatures)
        outputs = await self._service.run(servable, asked.signature, asked.inputs)
        return await self._aside.write(asked.by_rows, outputs)


async def _answer(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
