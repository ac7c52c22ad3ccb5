"""The gRPC methods: Predict, GetModelMetadata, GetModelStatus, and gRPC's own health check."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from eugenie_cli.serving import protos, tensors
from eugenie_cli.serving.protos import health_pb2, serving_pb2
from eugenie_cli.serving.server.batching import Batcher
from eugenie_cli.serving.server.catalog import Catalog
from eugenie_cli.serving.server.refusal import Refusal, invalid
from eugenie_cli.serving.server.servable import DEFAULT_SIGNATURE, Servable

_LOG = logging.getLogger(__name__)
_Health = health_pb2.HealthCheckResponse
_SERVICES = frozenset({"", *(path.split("/")[1] for path in (protos.PREDICT, protos.GET_MODEL_STATUS))})

Method = Callable[[Any], Awaitable[Any]]


class Service:
    """Answers from a catalog through a batcher."""

    def __init__(self, catalog: Catalog, batcher: Batcher) -> None:
        self._catalog = catalog
        self._batcher = batcher
        self.draining = False

    async def predict(self, request: serving_pb2.PredictRequest) -> serving_pb2.PredictResponse:
        _need_spec(request)
        servable = self._catalog.find(request.model_spec)
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        spec = servable.signatures.get(name)
        if spec is None:
            words = f'Serving signature key "{name}" not found.'
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, words)
        inputs = spec.read(request)
        chosen = spec.chosen(request.output_filter)
        with servable.in_use():
            outputs = await self._batcher.predict(servable, name, inputs)
        response = serving_pb2.PredictResponse()
        _name_version(response.model_spec, servable, name)
        for output in chosen:
            tensors.encode(outputs[output], response.outputs[output])
        return response

    async def metadata(self, request: serving_pb2.GetModelMetadataRequest) -> serving_pb2.GetModelMetadataResponse:
        _need_spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field} is not supported")
        servable = self._catalog.find(request.model_spec)
        definitions = serving_pb2.SignatureDefMap(signature_def=servable.definitions)
        response = serving_pb2.GetModelMetadataResponse()
        _name_version(response.model_spec, servable)
        packed = response.metadata["signature_def"]
        packed.type_url = protos.SIGNATURE_DEF_MAP_URL
        packed.value = definitions.SerializeToString()
        return response

    async def status(self, request: serving_pb2.GetModelStatusRequest) -> serving_pb2.GetModelStatusResponse:
        _need_spec(request)
        statuses = self._catalog.statuses(request.model_spec)
        return serving_pb2.GetModelStatusResponse(model_version_status=statuses)

    async def health(self, request: health_pb2.HealthCheckRequest) -> health_pb2.HealthCheckResponse:
        if request.service not in _SERVICES:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"unknown service {request.service}")
        return _Health(status=_Health.NOT_SERVING if self.draining else _Health.SERVING)

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """What a grpc.aio server registers."""
        methods: list[tuple[str, Method, Any]] = [
            (protos.PREDICT, self.predict, serving_pb2.PredictRequest),
            (protos.GET_MODEL_METADATA, self.metadata, serving_pb2.GetModelMetadataRequest),
            (protos.GET_MODEL_STATUS, self.status, serving_pb2.GetModelStatusRequest),
            (protos.HEALTH_CHECK, self.health, health_pb2.HealthCheckRequest),
        ]
        handlers = []
        for path, method, request in methods:
            _, service, name = path.split("/")
            handler = grpc.unary_unary_rpc_method_handler(
                _answering(method), request.FromString, lambda message: message.SerializeToString()
            )
            handlers.append(grpc.method_handlers_generic_handler(service, {name: handler}))
        return handlers


def _answering(method: Method) -> Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]:
    """Turn refusals into status codes, and anything else into INTERNAL with a trace in the log."""

    async def answer(request: Any, context: grpc.aio.ServicerContext) -> Any:
        try:
            return await method(request)
        except Refusal as refusal:
            code, words = refusal.code, refusal.words
        except Exception as error:  # noqa: BLE001 - the caller is told, the log has the trace
            _LOG.exception("a request failed")
            code, words = grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
        return await context.abort(code, words)

    return answer


def _need_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")


def _name_version(spec: serving_pb2.ModelSpec, servable: Servable, signature: str = "") -> None:
    spec.name = servable.name
    spec.version.value = servable.version
    spec.signature_name = signature
