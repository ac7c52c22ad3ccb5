"""Errors of a model server. Ships to stream workers: grpcio and the standard library only."""

from __future__ import annotations

from typing import Any

import grpc

from eugenie_cli.tfserving.credentials import Credentials, trouble

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


def server_error(error: Any, address: str, credentials: Credentials | None) -> ModelServerError:
    """The error of a failed call, from a grpc.RpcError."""
    details = error.details() or ""
    return ModelServerError(error.code(), details, address, trouble(details, address, credentials))
