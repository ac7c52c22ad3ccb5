"""Bodies of HTTP requests: limits for one and for all together, and work that ends when its caller hangs up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any

import grpc
from starlette.types import Receive

from eugenie_cli.model_server.status_error import Refusal

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Of JSON: three million values, one day of an asset with thirty sensors and one row per second. Parsed, it takes up to
twenty times as much memory. Larger requests need gRPC."""

MAX_BODIES_BYTES = 256 * 1024 * 1024
"""Of all requests that are being read or await their response."""


class RequestBodies:
    """Counts the bytes that all callers together hold. Belongs to one event loop."""

    def __init__(self) -> None:
        self.held = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[Body]:
        """Space for one request, until it is answered."""
        body = Body(self)
        try:
            yield body
        finally:
            self.held -= body.size


class Body:
    """The body of one request."""

    def __init__(self, bodies: RequestBodies) -> None:
        self.size = 0
        self._bodies = bodies

    async def read(self, receive: Receive) -> bytes:
        """The complete body. Raises Refusal if it, or all bodies together, are too large, or if the caller hung up."""
        parts: list[bytes] = []
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise _gone()
            parts.append(event.get("body", b""))
            self.size += len(parts[-1])
            self._bodies.held += len(parts[-1])
            if self.size > MAX_BODY_BYTES:
                raise _too_large()
            if self._bodies.held > MAX_BODIES_BYTES:
                words = "the unanswered requests are too large together: try again"
                raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, words)
            if not event.get("more_body"):
                return b"".join(parts)


def check_length(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raises Refusal if the content-length header announces a body that is too large."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > MAX_BODY_BYTES:
            raise _too_large()


async def until_disconnected(receive: Receive, work: Coroutine[Any, Any, bytes]) -> bytes:
    """The result of `work`, which is cancelled if the caller hangs up. Raises Refusal in that case."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise _gone()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _gone() -> Refusal:
    return Refusal(grpc.StatusCode.CANCELLED, "the caller disconnected")


def _too_large() -> Refusal:
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, f"the request is larger than {MAX_BODY_BYTES:,} bytes")
