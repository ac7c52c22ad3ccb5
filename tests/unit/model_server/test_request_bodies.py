"""Bodies of HTTP requests: too large ones are refused while they arrive, and work ends when its caller hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import grpc
import pytest

from eugenie_cli.model_server import request_bodies
from eugenie_cli.model_server.request_bodies import RequestBodies, check_length, until_disconnected
from eugenie_cli.model_server.status_error import Refusal


def receiving(parts: Iterable[bytes], *, hangs_up: bool = False):
    """An ASGI server's `receive`: after the parts it waits, or reports that the caller hung up."""
    remaining = list(parts)

    async def receive() -> dict[str, object]:
        if remaining:
            return {"type": "http.request", "body": remaining.pop(0), "more_body": bool(remaining) or hangs_up}
        if not hangs_up:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return receive


async def read(bodies: RequestBodies, *parts: bytes, hangs_up: bool = False) -> bytes:
    with bodies.one() as body:
        return await body.read(receiving(parts, hangs_up=hangs_up))


def test_a_body_comes_in_parts_and_its_room_is_given_back() -> None:
    room = RequestBodies()
    assert asyncio.run(read(room, b"ab", b"", b"cd")) == b"abcd"
    assert room.held == 0


def test_what_is_too_large_is_refused_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_bodies, "MAX_BODY_BYTES", 5)
    monkeypatch.setattr(request_bodies, "MAX_BODIES_BYTES", 8)
    room = RequestBodies()
    with pytest.raises(Refusal, match="larger than 5 bytes") as refused:
        asyncio.run(read(room, b"abc", b"def", b"never read"))
    assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    with room.one() as other:
        asyncio.run(other.read(receiving([b"12345"])))
        with pytest.raises(Refusal, match="too large together") as together:
            asyncio.run(read(room, b"1234"))
        assert together.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert asyncio.run(read(room, b"123")) == b"123"
    assert room.held == 0


@pytest.mark.parametrize("length", [b"33554433", b"9" * 5_000])
def test_a_length_that_is_announced_is_refused_before_a_byte_comes(length: bytes) -> None:
    with pytest.raises(Refusal, match="is larger than"):
        check_length([(b"host", b"x"), (b"content-length", length)])
    check_length([(b"content-length", b"33554432")])
    check_length([(b"content-length", b"-1"), (b"content-length", b"x")])  # left to the HTTP server


def test_a_caller_that_hangs_up_while_he_sends_is_gone() -> None:
    with pytest.raises(Refusal, match="disconnected"):
        asyncio.run(read(RequestBodies(), b"abc", hangs_up=True))


def test_work_ends_when_its_caller_hangs_up() -> None:
    ended = []

    async def work() -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return b""

    with pytest.raises(Refusal, match="disconnected") as gone:
        asyncio.run(until_disconnected(receiving([], hangs_up=True), work()))
    assert gone.value.code is grpc.StatusCode.CANCELLED and ended == [True]


def test_work_of_a_caller_who_stays_is_answered() -> None:
    async def work() -> bytes:
        await asyncio.sleep(0.01)
        return b"answer"

    async def fails() -> bytes:
        raise Refusal(grpc.StatusCode.NOT_FOUND, "no such model")

    assert asyncio.run(until_disconnected(receiving([]), work())) == b"answer"
    with pytest.raises(Refusal, match="no such model"):
        asyncio.run(until_disconnected(receiving([]), fails()))
