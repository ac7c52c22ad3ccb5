"""The gRPC methods of TensorFlow Serving, and gRPC's own health check."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import grpc
import grpc.aio
import numpy as np
from google.protobuf import empty_pb2

from eugenie_cli.model_server import aspired_versions
from eugenie_cli.model_server.batching import Batcher
from eugenie_cli.model_server.manager import Manager
from eugenie_cli.model_server.metrics import GRPC, Monitor
from eugenie_cli.model_server.servable import Servable
from eugenie_cli.model_server.signature import chosen
from eugenie_cli.model_server.status_error import Refusal, invalid
from eugenie_cli.tfserving import protos, tensors
from eugenie_cli.tfserving.protos import config_pb2, health_pb2, serving_pb2

_LOG = logging.getLogger(__name__)
_Health = health_pb2.HealthCheckResponse
_SERVICES = frozenset({"", *(path.split("/")[1] for path in (protos.PREDICT, protos.GET_MODEL_STATUS))})

_NOT_SUPPORTED = {
    # only the model is read, which has the same field number as in supported requests
    protos.CLASSIFY: serving_pb2.GetModelStatusRequest,
    protos.REGRESS: serving_pb2.GetModelStatusRequest,
    # a list of tasks, each with its own model: nothing is read
    protos.MULTI_INFERENCE: empty_pb2.Empty,
}
"""The request message of each unsupported method."""

RELOAD_OFF = (
    "This server does not let callers change what it serves: it follows models.config, which `eugenie models "
    "promote` and `eugenie export` write. `serving: {reload: true}` in the site file allows it"
)

Method = Callable[[Any], Awaitable[Any]]


class Service:
    """Answers requests with the servables of a manager, through a batcher."""

    def __init__(self, manager: Manager, batcher: Batcher, *, allow_reload: bool = False) -> None:
        self.manager = manager
        self._allow_reload = allow_reload
        self.monitor = Monitor()
        self._batcher = batcher
        self.draining = False

    async def predict(self, request: serving_pb2.PredictRequest) -> serving_pb2.PredictResponse:
        _need_spec(request)
        servable = self.manager.find(request.model_spec)
        spec = chosen(servable.signatures, request.model_spec.signature_name)
        inputs = spec.read(request)
        output_names = spec.chosen(request.output_filter)
        outputs = await self.run(servable, spec.name, inputs)
        response = serving_pb2.PredictResponse()
        _name_version(response.model_spec, servable, spec.name)
        for name in output_names:
            tensors.encode(outputs[name], response.outputs[name], typed=True)
        return response

    async def run(self, servable: Servable, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs for inputs that match the signature. Raises Refusal."""
        with servable.in_use():
            return dict(await self._batcher.predict(servable, signature, inputs))

    async def metadata(self, request: serving_pb2.GetModelMetadataRequest) -> serving_pb2.GetModelMetadataResponse:
        _need_spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field} is not supported")
        servable = self.manager.find(request.model_spec)
        definitions = serving_pb2.SignatureDefMap(signature_def=servable.definitions)
        response = serving_pb2.GetModelMetadataResponse()
        _name_version(response.model_spec, servable)
        packed = response.metadata["signature_def"]
        packed.type_url = protos.SIGNATURE_DEF_MAP_URL
        packed.value = definitions.SerializeToString()
        return response

    async def status(self, request: serving_pb2.GetModelStatusRequest) -> serving_pb2.GetModelStatusResponse:
        _need_spec(request)
        statuses = self.manager.statuses(request.model_spec)
        return serving_pb2.GetModelStatusResponse(model_version_status=statuses)

    async def reload(self, request: config_pb2.ReloadConfigRequest) -> config_pb2.ReloadConfigResponse:
        if not self._allow_reload:  # a configuration can name any folder of this machine
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, RELOAD_OFF)
        await self.manager.configure(aspired_versions.read(request.config))
        return config_pb2.ReloadConfigResponse(status=serving_pb2.StatusProto())

    async def health(self, request: health_pb2.HealthCheckRequest) -> health_pb2.HealthCheckResponse:
        if request.service not in _SERVICES:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"unknown service {request.service}")
        return _Health(status=_Health.NOT_SERVING if self.draining else _Health.SERVING)

    async def refuse(self, _request: Any) -> Any:
        """Refuse a method that TensorFlow Serving has for models of other kinds."""
        words = "This server supports only Predict: its models take rows, not tf.Examples"
        raise Refusal(grpc.StatusCode.UNIMPLEMENTED, words)

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """The handlers to register with a grpc.aio server."""
        methods: list[tuple[str, Method, Any]] = [
            (protos.PREDICT, self.predict, serving_pb2.PredictRequest),
            (protos.GET_MODEL_METADATA, self.metadata, serving_pb2.GetModelMetadataRequest),
            (protos.GET_MODEL_STATUS, self.status, serving_pb2.GetModelStatusRequest),
            (protos.RELOAD_CONFIG, self.reload, config_pb2.ReloadConfigRequest),
            (protos.HEALTH_CHECK, self.health, health_pb2.HealthCheckRequest),
            *((path, self.refuse, request) for path, request in _NOT_SUPPORTED.items()),
        ]
        handlers = []
        for path, method, request in methods:
            _, service, name = path.split("/")
            handler = grpc.unary_unary_rpc_method_handler(
                self._answering(name, method), request.FromString, lambda message: message.SerializeToString()
            )
            handlers.append(grpc.method_handlers_generic_handler(service, {name: handler}))
        return handlers

    def _answering(self, name: str, method: Method) -> Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]:
        """Count calls, and turn refusals into status codes and other errors into INTERNAL with a trace in the log."""

        async def answer(request: Any, context: grpc.aio.ServicerContext) -> Any:
            try:
                with self.counted(request, name, GRPC):
                    return await method(request)
            except Refusal as refusal:
                code, words = refusal.code, refusal.words
            except Exception as error:  # noqa: BLE001 - the caller gets the error, the log the trace
                _LOG.exception("a request failed")
                code, words = grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
            return await context.abort(code, words)

        return answer

    def counted(self, request: Any, api: str, entrypoint: str) -> AbstractContextManager[None]:
        """Count the block if the request names a model. Unknown models are counted together."""
        spec = getattr(request, "model_spec", None)
        if spec is None:
            return nullcontext()
        return self.monitor.request(spec.name if self.manager.serves(spec.name) else "", api, entrypoint)


def _need_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")


def _name_version(spec: serving_pb2.ModelSpec, servable: Servable, signature: str = "") -> None:
    spec.name = servable.name
    spec.version.value = servable.version
    spec.signature_name = signature
