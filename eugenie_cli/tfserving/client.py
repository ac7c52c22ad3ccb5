"""Clients of TensorFlow Serving's gRPC API. Ships to stream workers: numpy, grpcio and protobuf only.

`PredictClient` is synchronous and may be shared by threads; `AsyncPredictClient` belongs to one event loop. Both
take `host:port` or `unix:/path`, and credentials for a TLS port. Neither retries: `ModelServerError.retryable` says
whether the caller may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import grpc
import grpc.aio
import numpy as np

from eugenie_cli.tfserving import protos, tensors
from eugenie_cli.tfserving.credentials import Credentials, channel, trouble
from eugenie_cli.tfserving.protos import config_pb2, serving_pb2

DEFAULT_SIGNATURE = "serving_default"
DEFAULT_TIMEOUT_S = 30.0
"""A segment of hours for a whole class takes seconds on two cores; a longer call is a fault."""

RELOAD_TIMEOUT_S = 120.0
"""A version loads in one or two seconds; several versions on a busy machine take longer."""

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""gRPC's own limit, 4 MiB, is 1,000 windows of 120 rows x 8 sensors; a backfill sends more at once."""

CHANNEL_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),  # a plant's web proxy cannot reach model servers
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # a restarted server is found within seconds, not minutes
    ("grpc.min_reconnect_backoff_ms", 5_000),  # for one attempt to connect
    # If the network drops all packets, unacknowledged data ends the connection after the time-out (with keepalive, gRPC
    # sets TCP_USER_TIMEOUT to it), and the next attempt connects again; otherwise TCP retries for a quarter of an hour.
    # Pings detect a server that hangs. Stock servers disconnect callers that ping more than twice in five minutes
    # without data, so pings are rare, sent only while calls wait, and at most two in a row.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 2),
)

Version = int | str | None
"""The requested version of a model: its number, a label, or None for the latest."""

_RETRYABLE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
    }
)


class ModelServerError(Exception):
    """A call that the model server refused or never answered.

    `code` is a grpc.StatusCode, `details` the server's message. `retryable`: the same call may succeed later
    (the server is unreachable, slow or full); otherwise the request or the model is wrong.
    """

    def __init__(self, code: grpc.StatusCode, details: str, address: str = "", tls: str = "") -> None:
        super().__init__(code, details, address, tls)  # the arguments, so that it survives pickling
        self.code = code
        self.details = details
        self.address = address
        self.tls = tls
        """The error's cause in TLS; empty: none."""

    def __str__(self) -> str:
        why = f"{self.tls} ({self.details})" if self.tls else self.details
        return f"model server {self.address or '?'}: {self.code.name}: {why}"

    @property
    def retryable(self) -> bool:
        return self.code in _RETRYABLE


@dataclass(frozen=True)
class Prediction:
    """Scores of the K = L - M + 1 rows that end a full window, for each of B segments."""

    score: np.ndarray
    """float32 [B, K]; above 1 is anomalous, NaN where a row cannot be scored."""
    contribution: np.ndarray
    """float32 [B, K, S]; non-negative, sums to 1 over the sensors."""
    expected: np.ndarray
    """float32 [B, K, S]; the forecast row, in engineering units."""
    version: int
    """The model version that answered."""


@dataclass(frozen=True)
class Answer:
    """The outputs of a signature, by name, and the model version that computed them."""

    outputs: Mapping[str, np.ndarray]
    version: int


@dataclass(frozen=True)
class VersionStatus:
    """One version on the server. `state`: START, LOADING, AVAILABLE, UNLOADING or END."""

    version: int
    state: str
    error_code: int
    error_message: str


@dataclass(frozen=True)
class TensorSpec:
    """Type and shape of a tensor in a signature; None stands for any size, or for any shape."""

    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Signature:
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


@dataclass(frozen=True)
class Metadata:
    """The signatures of one model version."""

    version: int
    signatures: Mapping[str, Signature]


class PendingPrediction:
    """A Predict call in flight."""

    def __init__(self, future: Any, address: str, credentials: Credentials | None = None) -> None:
        self._future = future
        self._address = address
        self._credentials = credentials

    def result(self) -> Prediction:
        """Wait for the answer. Raises ModelServerError."""
        try:
            return _prediction(_answer(self._future.result()))
        except grpc.FutureCancelledError:
            raise ModelServerError(grpc.StatusCode.CANCELLED, "the call was cancelled", self._address) from None
        except grpc.RpcError as error:
            raise _refused(error, self._address, self._credentials) from None


class PredictClient:
    """Synchronous client. Connects on the first call; a context manager."""

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        """Raises OSError if a file of the credentials cannot be read."""
        self.address = address
        self._credentials = credentials
        self._channel = channel(address, credentials, CHANNEL_OPTIONS)
        self._methods = _methods(self._channel)

    def predict(
        self,
        model: str,
        assets: Sequence[str],
        rows: np.ndarray,
        version: Version = None,
        signature: str = DEFAULT_SIGNATURE,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> Prediction:
        """Score segments: `assets` has B names, `rows` is float32 [B, L, S] in engineering units, NaN where missing.

        Raises ModelServerError; ValueError for invalid shapes.
        """
        return _prediction(self.call(model, _inputs(assets, rows), version, signature, timeout))

    def begin(
        self,
        model: str,
        assets: Sequence[str],
        rows: np.ndarray,
        version: Version = None,
        signature: str = DEFAULT_SIGNATURE,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> PendingPrediction:
        """Like `predict`, without waiting for the answer. Raises ValueError for invalid shapes."""
        request = predict_request(model, assets, rows, version, signature)
        future = self._methods[protos.PREDICT].future(request, timeout=timeout)
        return PendingPrediction(future, self.address, self._credentials)

    def call(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        version: Version = None,
        signature: str = DEFAULT_SIGNATURE,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> Answer:
        """Predict with any signature, `forecast` for example. Raises ModelServerError."""
        return _answer(self._send(protos.PREDICT, _predict_request(model, inputs, version, signature), timeout))

    def status(self, model: str, version: Version = None, timeout: float = DEFAULT_TIMEOUT_S) -> list[VersionStatus]:
        """The versions of `model` (or the requested one), newest first. Raises ModelServerError."""
        return _statuses(self._send(protos.GET_MODEL_STATUS, _status_request(model, version), timeout))

    def metadata(self, model: str, version: Version = None, timeout: float = DEFAULT_TIMEOUT_S) -> Metadata:
        """The signatures of a version. Raises ModelServerError."""
        return _metadata(self._send(protos.GET_MODEL_METADATA, _metadata_request(model, version), timeout))

    def reload(self, config: config_pb2.ModelServerConfig, timeout: float = RELOAD_TIMEOUT_S) -> None:
        """Make the server serve the models of `config`; returns once they are served.

        Raises ModelServerError if a model, or a version with a label, cannot be loaded; then nothing has changed.
        """
        self._send(protos.RELOAD_CONFIG, config_pb2.ReloadConfigRequest(config=config), timeout)

    def _send(self, method: str, request: Any, timeout: float) -> Any:
        try:
            return self._methods[method](request, timeout=timeout)
        except grpc.RpcError as error:
            raise _refused(error, self.address, self._credentials) from None

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> PredictClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncPredictClient:
    """The same calls as coroutines. The first call creates the channel, on the event loop that runs it.

    A client may be created on one thread and used on another's loop; on a second loop it connects again.
    """

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        self.address = address
        self._credentials = credentials
        self._channel: grpc.aio.Channel | None = None
        self._methods: dict[str, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def predict(
        self,
        model: str,
        assets: Sequence[str],
        rows: np.ndarray,
        version: Version = None,
        signature: str = DEFAULT_SIGNATURE,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> Prediction:
        """See PredictClient.predict."""
        return _prediction(await self.call(model, _inputs(assets, rows), version, signature, timeout))

    async def call(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        version: Version = None,
        signature: str = DEFAULT_SIGNATURE,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> Answer:
        """See PredictClient.call."""
        return _answer(await self._send(protos.PREDICT, _predict_request(model, inputs, version, signature), timeout))

    async def status(
        self, model: str, version: Version = None, timeout: float = DEFAULT_TIMEOUT_S
    ) -> list[VersionStatus]:
        """See PredictClient.status."""
        return _statuses(await self._send(protos.GET_MODEL_STATUS, _status_request(model, version), timeout))

    async def metadata(self, model: str, version: Version = None, timeout: float = DEFAULT_TIMEOUT_S) -> Metadata:
        """See PredictClient.metadata."""
        return _metadata(await self._send(protos.GET_MODEL_METADATA, _metadata_request(model, version), timeout))

    async def _send(self, method: str, request: Any, timeout: float) -> Any:
        loop = asyncio.get_running_loop()
        if self._channel is None or self._loop is not loop:
            self._channel = channel(self.address, self._credentials, CHANNEL_OPTIONS, grpc.aio)
            self._methods = _methods(self._channel)
            self._loop = loop
        try:
            return await self._methods[method](request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise _refused(error, self.address, self._credentials) from None

    async def close(self) -> None:
        """End the calls in flight and close the channel; the client connects again when used again."""
        channel, self._channel = self._channel, None
        if channel is not None and self._loop is asyncio.get_running_loop():
            await channel.close()

    async def __aenter__(self) -> AsyncPredictClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


# -- requests and responses ------------------------------------------------------------------------------

_RESPONSES: dict[str, Any] = {
    protos.PREDICT: serving_pb2.PredictResponse,
    protos.GET_MODEL_STATUS: serving_pb2.GetModelStatusResponse,
    protos.GET_MODEL_METADATA: serving_pb2.GetModelMetadataResponse,
    protos.RELOAD_CONFIG: config_pb2.ReloadConfigResponse,
}


def _methods(channel: Any) -> dict[str, Any]:
    return {
        path: channel.unary_unary(path, lambda message: message.SerializeToString(), response.FromString)
        for path, response in _RESPONSES.items()
    }


def _refused(error: Any, address: str, credentials: Credentials | None) -> ModelServerError:
    details = error.details() or ""
    return ModelServerError(error.code(), details, address, trouble(details, address, credentials))


def _inputs(assets: Sequence[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    values = np.asarray(rows, np.float32)
    if values.ndim != 3 or len(assets) != len(values):
        raise ValueError(f"rows must be [B, L, S] with B assets: {len(assets)} assets, rows {values.shape}")
    return {"asset": np.array([name.encode() for name in assets], object), "rows": values}


def _spec(spec: serving_pb2.ModelSpec, model: str, version: Version) -> serving_pb2.ModelSpec:
    spec.name = model
    if isinstance(version, str):
        spec.version_label = version
    elif version is not None:
        spec.version.value = version
    return spec


def predict_request(
    model: str,
    assets: Sequence[str],
    rows: np.ndarray,
    version: Version = None,
    signature: str = DEFAULT_SIGNATURE,
) -> serving_pb2.PredictRequest:
    """The request that `predict` sends. Raises ValueError for invalid shapes."""
    return _predict_request(model, _inputs(assets, rows), version, signature)


def _predict_request(
    model: str, inputs: Mapping[str, np.ndarray], version: Version, signature: str
) -> serving_pb2.PredictRequest:
    request = serving_pb2.PredictRequest()
    _spec(request.model_spec, model, version).signature_name = signature
    for name, array in inputs.items():
        tensors.encode(np.asarray(array), request.inputs[name])
    return request


def _status_request(model: str, version: Version) -> serving_pb2.GetModelStatusRequest:
    request = serving_pb2.GetModelStatusRequest()
    _spec(request.model_spec, model, version)
    return request


def _metadata_request(model: str, version: Version) -> serving_pb2.GetModelMetadataRequest:
    request = serving_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    _spec(request.model_spec, model, version)
    return request


def _answer(response: serving_pb2.PredictResponse) -> Answer:
    outputs = {name: tensors.decode(proto) for name, proto in response.outputs.items()}
    return Answer(outputs, response.model_spec.version.value)


def _prediction(answer: Answer) -> Prediction:
    missing = {"score", "contribution", "expected"} - answer.outputs.keys()
    if missing:
        raise ValueError(f"the answer has no {', '.join(sorted(missing))}: it has {sorted(answer.outputs)}")
    outputs = answer.outputs
    return Prediction(outputs["score"], outputs["contribution"], outputs["expected"], answer.version)


def _statuses(response: serving_pb2.GetModelStatusResponse) -> list[VersionStatus]:
    states = serving_pb2.ModelVersionStatus.State
    statuses = [
        VersionStatus(entry.version, states.Name(entry.state), entry.status.error_code, entry.status.error_message)
        for entry in response.model_version_status
    ]
    return sorted(statuses, key=lambda status: -status.version)


def _metadata(response: serving_pb2.GetModelMetadataResponse) -> Metadata:
    packed = response.metadata["signature_def"]
    if packed.type_url != protos.SIGNATURE_DEF_MAP_URL:
        raise ValueError(f"signature_def is a {packed.type_url!r}, not {protos.SIGNATURE_DEF_MAP_URL!r}")
    definitions = serving_pb2.SignatureDefMap.FromString(packed.value).signature_def
    signatures = {
        name: Signature(_specs(definition.inputs), _specs(definition.outputs))
        for name, definition in definitions.items()
    }
    return Metadata(response.model_spec.version.value, signatures)


def _specs(infos: Mapping[str, serving_pb2.TensorInfo]) -> dict[str, TensorSpec]:
    return {name: TensorSpec(tensors.data_type_name(info.dtype), _shape(info)) for name, info in infos.items()}


def _shape(info: serving_pb2.TensorInfo) -> tuple[int | None, ...] | None:
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
