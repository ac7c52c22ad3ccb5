"""A request that cannot be answered: the status code and message that TensorFlow Serving uses for it."""

from __future__ import annotations

import grpc

_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class Refusal(Exception):  # noqa: N818 - the caller's error, not the server's
    """Ends a call with the status `code` and the message `words`."""

    def __init__(self, code: grpc.StatusCode, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


def invalid(words: str) -> Refusal:
    """INVALID_ARGUMENT: the request is invalid, regardless of the server's state."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, words)


def not_found(words: str) -> Refusal:
    """NOT_FOUND: no such model or version."""
    return Refusal(grpc.StatusCode.NOT_FOUND, words)


def wrong(words: str) -> Refusal:
    """FAILED_PRECONDITION: the request is valid, but not for the models on this server."""
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, words)


def from_number(number: int, words: str) -> Refusal:
    """The refusal for a canonical error number (TensorFlow's and gRPC's are the same)."""
    return Refusal(_BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN), words)
