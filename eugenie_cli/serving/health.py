"""Whether a model server answers, and what keeps it from that."""

from __future__ import annotations

import grpc

from eugenie_cli.serving import tls_diagnosis
from eugenie_cli.tfserving import protos
from eugenie_cli.tfserving.credentials import Credentials, channel, trouble
from eugenie_cli.tfserving.protos import health_pb2

ASK_TIMEOUT_S = 2.0

NO_ANSWER = "nothing answers there"


def is_serving(address: str, timeout_s: float = ASK_TIMEOUT_S, credentials: Credentials | None = None) -> bool:
    """True when the server at `address` says that it answers requests."""
    return not why_not_serving(address, timeout_s, credentials)


def why_not_serving(address: str, timeout_s: float = ASK_TIMEOUT_S, credentials: Credentials | None = None) -> str:
    """Empty when the server at `address` says that it answers requests; else what keeps it, as far as it is known.

    TensorFlow Serving has no health service: that it says so (UNIMPLEMENTED) shows that it is there.
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
        said = trouble(error.details() or "", address, credentials)
        if error.code() is not grpc.StatusCode.UNAVAILABLE or not (said or credentials):
            return NO_ANSWER
        guessed = said if credentials is not None else ""  # one that ends hangs up on a caller without TLS, too
        return tls_diagnosis.refusal(address, credentials, timeout_s) or guessed or NO_ANSWER
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else NO_ANSWER
