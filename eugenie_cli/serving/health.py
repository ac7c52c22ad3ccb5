"""Checks whether a model server answers, and if not, why."""

from __future__ import annotations

import grpc

from eugenie_cli.serving import tls_diagnosis
from eugenie_cli.tfserving import protos
from eugenie_cli.tfserving.channel import channel
from eugenie_cli.tfserving.credentials import Credentials, trouble
from eugenie_cli.tfserving.protos import health_pb2

ASK_TIMEOUT_S = 2.0

NO_ANSWER = "nothing answers there"


def is_serving(address: str, timeout_s: float = ASK_TIMEOUT_S, credentials: Credentials | None = None) -> bool:
    """True when the server at `address` reports that it serves requests."""
    return not why_not_serving(address, timeout_s, credentials)


def why_not_serving(address: str, timeout_s: float = ASK_TIMEOUT_S, credentials: Credentials | None = None) -> str:
    """Empty when the server at `address` reports that it serves requests; otherwise the reason, as far as it is known.

    TensorFlow Serving has no health service: its answer UNIMPLEMENTED shows that it is running.
    """
    try:
        with channel(address, credentials, [("grpc.enable_http_proxy", 0)]) as connected:
            check = connected.unary_unary(
                protos.HEALTH_CHECK,
                lambda message: message.SerializeToString(),
                health_pb2.HealthCheckResponse.FromString,
            )
            answer = check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return ""
        tls_error = trouble(error.details() or "", address, credentials)
        if error.code() is not grpc.StatusCode.UNAVAILABLE or not (tls_error or credentials):
            return NO_ANSWER
        # a server that shuts down also closes the connection of a client without TLS
        guess = tls_error if credentials is not None else ""
        return tls_diagnosis.refusal(address, credentials, timeout_s) or guess or NO_ANSWER
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else NO_ANSWER
