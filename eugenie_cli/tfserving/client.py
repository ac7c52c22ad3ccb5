"""The synchronous client of TensorFlow Serving's gRPC API. Ships to stream workers: numpy, grpcio and protobuf only.

`PredictClient` may be shared by threads. It takes `host:port` or `unix:/path`, and credentials for a TLS port. It does
not retry: `ModelServerError.retryable` says whether the caller may.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import grpc
import numpy as np

from eugenie_cli.tfserving import protos
from eugenie_cli.tfserving.channel import CHANNEL_OPTIONS, DEFAULT_TIMEOUT_S, channel, methods_of
from eugenie_cli.tfserving.credentials import Credentials
from eugenie_cli.tfserving.errors import ModelServerError, server_error
from eugenie_cli.tfserving.messages import (
    DEFAULT_SIGNATURE,
    Answer,
    Metadata,
    Prediction,
    Version,
    VersionStatus,
    call_request,
    metadata_request,
    predict_request,
    read_answer,
    read_metadata,
    read_prediction,
    read_statuses,
    segment_inputs,
    status_request,
)
from eugenie_cli.tfserving.protos import config_pb2

RELOAD_TIMEOUT_S = 120.0
"""A version loads in one or two seconds; several versions on a busy machine take longer."""


class PendingPrediction:
    """A Predict call in flight."""

    def __init__(self, future: Any, address: str, credentials: Credentials | None = None) -> None:
        self._future = future
        self._address = address
        self._credentials = credentials

    def result(self) -> Prediction:
        """Wait for the answer. Raises ModelServerError."""
        try:
            return read_prediction(read_answer(self._future.result()))
        except grpc.FutureCancelledError:
            raise ModelServerError(grpc.StatusCode.CANCELLED, "the call was cancelled", self._address) from None
        except grpc.RpcError as error:
            raise server_error(error, self._address, self._credentials) from None


class PredictClient:
    """Synchronous client. Connects on the first call; a context manager."""

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        """Raises OSError if a file of the credentials cannot be read."""
        self.address = address
        self._credentials = credentials
        self._channel = channel(address, credentials, CHANNEL_OPTIONS)
        self._methods = methods_of(self._channel)

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
        return read_prediction(self.call(model, segment_inputs(assets, rows), version, signature, timeout))

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
        return read_answer(self._send(protos.PREDICT, call_request(model, inputs, version, signature), timeout))

    def status(self, model: str, version: Version = None, timeout: float = DEFAULT_TIMEOUT_S) -> list[VersionStatus]:
        """The versions of `model` (or the requested one), newest first. Raises ModelServerError."""
        return read_statuses(self._send(protos.GET_MODEL_STATUS, status_request(model, version), timeout))

    def metadata(self, model: str, version: Version = None, timeout: float = DEFAULT_TIMEOUT_S) -> Metadata:
        """The signatures of a version. Raises ModelServerError."""
        return read_metadata(self._send(protos.GET_MODEL_METADATA, metadata_request(model, version), timeout))

    def reload(self, config: config_pb2.ModelServerConfig, timeout: float = RELOAD_TIMEOUT_S) -> None:
        """Make the server serve the models of `config`; returns once they are served.

        Raises ModelServerError if a model, or a version with a label, cannot be loaded; then nothing has changed.
        """
        self._send(protos.RELOAD_CONFIG, config_pb2.ReloadConfigRequest(config=config), timeout)

    def _send(self, method: str, request: Any, timeout: float) -> Any:
        try:
            return self._methods[method](request, timeout=timeout)
        except grpc.RpcError as error:
            raise server_error(error, self.address, self._credentials) from None

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> PredictClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
