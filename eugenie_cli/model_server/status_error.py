"""A request that cannot be answered: the status code and the words that TensorFlow Serving uses for it."""

from __future__ import annotations

import grpc

_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class Refusal(Exception):  # noqa: N818 - the caller's error, not the server's
    """Ends a call with `code` and `words`."""

    def __init__(self, code: grpc.StatusCode, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


def invalid(words: str) -> Refusal:
    """INVALID_ARGUMENT: the request itself is wrong."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, words)


def not_found(words: str) -> Refusal:
    """NOT_FOUND: no such model, version or signature."""
    return Refusal(grpc.StatusCode.NOT_FOUND, words)


def wrong(words: str) -> Refusal:
    """FAILED_PRECONDITION: it is not the request that is wrong, but what is there."""
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, words)


def from_number(number: int, words: str) -> Refusal:
    """The refusal for a canonical error number (TensorFlow's and gRPC's are the same)."""
    return Refusal(_BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN), words)
