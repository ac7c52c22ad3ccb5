"""TensorFlow Serving's REST API: a Starlette router to the methods that also serve gRPC.

GET  /v1/models/NAME[/versions/N|/labels/L]            the states of versions
GET  /v1/models/NAME[/versions/N|/labels/L]/metadata   signatures
POST /v1/models/NAME[/versions/N|/labels/L]:predict    {"instances": [...]} or {"inputs": ...}
GET  /monitoring/prometheus/metrics

Errors are {"error": message} with the HTTP status that corresponds to the gRPC code. As in TensorFlow Serving, any
other path or method is an invalid argument (400), a path may end with a slash, and NaN and Infinity are written
literally, which standard JSON does not allow.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from eugenie_cli.model_server.json_pool import JsonPool
from eugenie_cli.model_server.metrics import CONTENT_TYPE, REST
from eugenie_cli.model_server.request_bodies import RequestBodies, check_length, until_disconnected
from eugenie_cli.model_server.servable import Servable
from eugenie_cli.model_server.service import Service
from eugenie_cli.model_server.status_error import Refusal, from_number, invalid
from eugenie_cli.tfserving.protos import serving_pb2

METRICS_PATH = "/monitoring/prometheus/metrics"

LARGEST_VERSION = 2**63 - 1
_LONGEST_VERSION = 64
"""Digits of a version in a path, leading zeros included."""

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

Content = dict[str, Any] | bytes
"""Content of a response: a document, or its JSON."""

Act = Callable[[serving_pb2.ModelSpec, Receive], Awaitable[Content]]


class _ModelName(StringConvertor):
    regex = "[^/:]+"


class _Choice(StringConvertor):
    """Which version of the model; empty: the default one."""

    regex = rf"(?:/versions/[0-9]{{1,{_LONGEST_VERSION}}}|/labels/[^/:]+)?"


class _End(StringConvertor):
    """The end of a path. Starlette's own pattern (`$`) would let a newline follow."""

    regex = r"/?\Z"


register_url_convertor("model_name", _ModelName())
register_url_convertor("version_choice", _Choice())
register_url_convertor("end", _End())


class RestApi:
    """The ASGI application.

    Starlette routes and responds. Its middleware is left out, because it would double the time that this takes:
    `__call__` turns errors into responses.
    """

    def __init__(self, service: Service, json_pool: JsonPool) -> None:
        self._service = service
        self._json_pool = json_pool
        self._bodies = RequestBodies()
        routes = [
            self._route(":predict", "POST", "Predict", self._predict),  # first, because it is requested most
            self._route("", "GET", "GetModelStatus", self._status),
            self._route("/metadata", "GET", "GetModelMetadata", self._metadata),
            self._route(":classify", "POST", "Classify", self._refuse),
            self._route(":regress", "POST", "Regress", self._refuse),
            Route(METRICS_PATH, _Endpoint(self._metrics)),
        ]
        self._router = Router(routes, redirect_slashes=False, default=_malformed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            check_length(scope["headers"])
            await self._router(scope, receive, send)
        except Refusal as refusal:
            await _error(refusal.words, _STATUS.get(refusal.code, _INTERNAL))(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the caller gets the error, the log the trace
            _LOG.exception("a request failed")
            await _error(f"{type(error).__name__}: {error}", _INTERNAL)(scope, receive, send)

    def _route(self, act: str, method: str, api: str, answer: Act) -> Route:
        """The route of a model's path that ends with `act`. `api`: the gRPC method that requests are counted as."""

        async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] != method:  # HEAD too, which Starlette would take for GET
                raise _malformed_request(scope)
            parameters = scope["path_params"]
            spec = serving_pb2.ModelSpec(name=parameters["name"])
            if choice := parameters["choice"]:
                _, kind, value = choice.split("/")
                if kind == "versions":
                    if int(value) > LARGEST_VERSION:
                        raise _malformed_request(scope)
                    spec.version.value = int(value)
                else:
                    spec.version_label = value
            request = serving_pb2.GetModelStatusRequest(model_spec=spec)
            with self._service.counted(request, api, REST):
                content = await answer(spec, receive)
            await _json(content)(scope, receive, send)

        path = f"/v1/models/{{name:model_name}}{{choice:version_choice}}{act}{{end:end}}"
        return Route(path, _Endpoint(endpoint))

    async def _metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET" or scope["path"] != METRICS_PATH:  # Starlette lets a newline follow
            raise _malformed_request(scope)
        await Response(self._service.monitor.page(), media_type=CONTENT_TYPE)(scope, receive, send)

    async def _refuse(self, spec: serving_pb2.ModelSpec, _receive: Receive) -> dict[str, Any]:
        return await self._service.refuse(serving_pb2.GetModelStatusRequest(model_spec=spec))

    async def _status(self, spec: serving_pb2.ModelSpec, _receive: Receive) -> dict[str, Any]:
        response = await self._service.status(serving_pb2.GetModelStatusRequest(model_spec=spec))
        return {
            "model_version_status": [
                {
                    "version": str(version.version),
                    "state": serving_pb2.ModelVersionStatus.State.Name(version.state),
                    "status": {
                        "error_code": from_number(version.status.error_code, "").code.name,
                        "error_message": version.status.error_message,
                    },
                }
                for version in response.model_version_status
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
        with self._bodies.one() as body:
            content = await body.read(receive)
            servable = self._service.manager.find(spec)
            with servable.in_use():
                return await until_disconnected(receive, self._answered(servable, content))

    async def _answered(self, servable: Servable, body: bytes) -> bytes:
        request = await self._json_pool.read(body, servable.signatures)
        outputs = await self._service.run(servable, request.signature, request.inputs)
        return await self._json_pool.write(request.by_rows, outputs)


class _Endpoint:
    """An ASGI application as a route's endpoint: Starlette would pass a Request to a bare function."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._application(scope, receive, send)


async def _malformed(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise _malformed_request(scope)


def _malformed_request(scope: Scope) -> Refusal:
    return invalid(f"Malformed request: {scope['method']} {scope['path']}")


def _error(words: str, status: int) -> Response:
    return _json({"error": words}, status)


def _json(content: Content, status: int = 200) -> Response:
    if not isinstance(content, bytes):
        content = json.dumps(content, ensure_ascii=False).encode(errors="backslashreplace")  # half a surrogate pair
    return Response(content, status, media_type="application/json")
