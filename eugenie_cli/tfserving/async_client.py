"""The asynchronous client of TensorFlow Serving's gRPC API.

`AsyncPredictClient` belongs to one event loop. It takes the same addresses and credentials as `PredictClient`, and does
not retry either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import grpc
import grpc.aio
import numpy as np

from eugenie_cli.tfserving import protos
from eugenie_cli.tfserving.channel import CHANNEL_OPTIONS, DEFAULT_TIMEOUT_S, channel, methods_of
from eugenie_cli.tfserving.credentials import Credentials
from eugenie_cli.tfserving.errors import server_error
from eugenie_cli.tfserving.messages import (
    DEFAULT_SIGNATURE,
    Answer,
    Metadata,
    Prediction,
    Version,
    VersionStatus,
    call_request,
    metadata_request,
    read_answer,
    read_metadata,
    read_prediction,
    read_statuses,
    segment_inputs,
    status_request,
)


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
        return read_prediction(await self.call(model, segment_inputs(assets, rows), version, signature, timeout))

    async def call(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        version: Version = None,
        signature: str = DEFAULT_SIGNATURE,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> Answer:
        """See PredictClient.call."""
        return read_answer(await self._send(protos.PREDICT, call_request(model, inputs, version, signature), timeout))

    async def status(
        self, model: str, version: Version = None, timeout: float = DEFAULT_TIMEOUT_S
    ) -> list[VersionStatus]:
        """See PredictClient.status."""
        return read_statuses(await self._send(protos.GET_MODEL_STATUS, status_request(model, version), timeout))

    async def metadata(self, model: str, version: Version = None, timeout: float = DEFAULT_TIMEOUT_S) -> Metadata:
        """See PredictClient.metadata."""
        return read_metadata(await self._send(protos.GET_MODEL_METADATA, metadata_request(model, version), timeout))

    async def _send(self, method: str, request: Any, timeout: float) -> Any:
        loop = asyncio.get_running_loop()
        if self._channel is None or self._loop is not loop:
            self._channel = channel(self.address, self._credentials, CHANNEL_OPTIONS, grpc.aio)
            self._methods = methods_of(self._channel)
            self._loop = loop
        try:
            return await self._methods[method](request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise server_error(error, self.address, self._credentials) from None

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
