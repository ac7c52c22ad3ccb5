"""gRPC channels to a model server: their options and methods. Ships to stream workers: grpcio and protobuf only."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import grpc

from eugenie_cli.tfserving import protos
from eugenie_cli.tfserving.credentials import UNIX, Credentials
from eugenie_cli.tfserving.protos import config_pb2, serving_pb2

DEFAULT_TIMEOUT_S = 30.0
"""A segment of hours for a whole class takes seconds on two cores; a longer call is a fault."""

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

_RESPONSES: dict[str, Any] = {
    protos.PREDICT: serving_pb2.PredictResponse,
    protos.GET_MODEL_STATUS: serving_pb2.GetModelStatusResponse,
    protos.GET_MODEL_METADATA: serving_pb2.GetModelMetadataResponse,
    protos.RELOAD_CONFIG: config_pb2.ReloadConfigResponse,
}


def channel(
    address: str,
    credentials: Credentials | None,
    options: Sequence[tuple[str, Any]],
    kind: ModuleType = grpc,
) -> Any:
    """A channel of `kind` (grpc, or grpc.aio), over TLS if there are credentials and `address` is not a unix socket.

    Raises OSError if a file of the credentials cannot be read.
    """
    if credentials is None or address.startswith(UNIX):
        return kind.insecure_channel(address, options=options)
    return kind.secure_channel(address, credentials.read(), options=options)


def methods_of(channel: Any) -> dict[str, Any]:
    """Path -> the method of a channel that calls it."""
    return {
        path: channel.unary_unary(path, lambda message: message.SerializeToString(), response.FromString)
        for path, response in _RESPONSES.items()
    }
