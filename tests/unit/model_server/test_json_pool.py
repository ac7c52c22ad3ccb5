"""Large JSON in separate processes: the same results and refusals, and the fate of requests whose process ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

import grpc
import numpy as np
import psutil
import pytest

from eugenie_cli.model_server import rest_codec
from eugenie_cli.model_server.json_pool import LARGE_ANSWER, LARGE_BODY, VERY_LARGE_BODY, JsonPool
from eugenie_cli.model_server.signature import DEFAULT_SIGNATURE, SignatureSpec, Spec
from eugenie_cli.model_server.status_error import Refusal
from eugenie_cli.tfserving.protos import tensor_pb2

SIGNATURES = {
    DEFAULT_SIGNATURE: SignatureSpec(
        DEFAULT_SIGNATURE,
        {"asset": Spec(tensor_pb2.DT_STRING, (-1,)), "rows": Spec(tensor_pb2.DT_FLOAT, (-1, -1, 2))},
        {"score": Spec(tensor_pb2.DT_FLOAT, (-1, -1))},
    )
}


def body(value: float, large: bool = True) -> bytes:
    written = json.dumps({"instances": [{"asset": "p", "rows": [[value, float("nan")]]}]}).encode()
    return written + b" " * LARGE_BODY if large else written


def run(act: Callable[[JsonPool], Awaitable[None]]) -> None:
    """Run with at most one process, which has ended afterwards."""

    async def running() -> None:
        json_pool = JsonPool(1)
        try:
            await act(json_pool)
        finally:
            await json_pool.close()
        assert workers() == []

    asyncio.run(running())


def workers() -> list[psutil.Process]:
    processes = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # raised for a zombie, too
            if "json_pool_worker" in " ".join(child.cmdline()):
                processes.append(child)
    return processes


async def value_of(json_pool: JsonPool, content: bytes) -> float:
    return float((await json_pool.read(content, SIGNATURES)).inputs["rows"][0, 0, 0])


def test_what_is_small_needs_no_process() -> None:
    async def act(json_pool: JsonPool) -> None:
        assert await value_of(json_pool, body(1, large=False)) == 1
        assert await json_pool.write(False, {"score": np.zeros(LARGE_ANSWER, np.float32)})
        assert workers() == []

    run(act)


@pytest.mark.slow
def test_what_is_large_is_read_and_written_as_what_is_small() -> None:
    async def act(json_pool: JsonPool) -> None:
        found, expected = await json_pool.read(body(2), SIGNATURES), rest_codec.read(body(2, large=False), SIGNATURES)
        assert (found.signature, found.by_rows) == (expected.signature, expected.by_rows)
        for name, array in expected.inputs.items():
            assert found.inputs[name].dtype == array.dtype
            np.testing.assert_array_equal(found.inputs[name], array)
        outputs = {"score": np.arange(2.0 * LARGE_ANSWER, dtype=np.float32), "name": np.array([b"\xff"] * 2, object)}
        assert await json_pool.write(False, outputs) == rest_codec.write(False, outputs)
        assert len(workers()) == 1

    run(act)


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong", [b"[", b"[" * LARGE_BODY, b'{"instances": [1]}', b'{"inputs": {}, "signature_name": "x"}']
)
def test_refusals_are_the_same_and_the_process_stays(wrong: bytes) -> None:
    with pytest.raises(Refusal) as expected:
        rest_codec.read(wrong, SIGNATURES)

    async def act(json_pool: JsonPool) -> None:
        with pytest.raises(Refusal) as refused:
            await json_pool.read(wrong + b" " * LARGE_BODY, SIGNATURES)
        assert refused.value.code is expected.value.code
        assert refused.value.words.split(":")[0] == expected.value.words.split(":")[0]
        before = workers()
        assert await value_of(json_pool, body(3)) == 3
        assert workers() == before

    run(act)


@pytest.mark.slow
def test_a_process_that_dies_takes_its_request_with_it_and_no_other() -> None:
    async def act(json_pool: JsonPool) -> None:
        assert await value_of(json_pool, body(4)) == 4
        (process,) = workers()
        process.suspend()
        held = asyncio.create_task(value_of(json_pool, body(5)))
        waiting = asyncio.create_task(value_of(json_pool, body(6)))
        await asyncio.sleep(0)  # both have begun: the first fills the pipe, the second waits for its turn
        process.kill()
        with pytest.raises(Refusal, match="the process that was to read the JSON ended with code -9") as lost:
            await held
        assert lost.value.code is grpc.StatusCode.INTERNAL
        assert await waiting == 6

    run(act)


@pytest.mark.slow
def test_the_response_to_an_abandoned_request_goes_to_no_other() -> None:
    async def act(json_pool: JsonPool) -> None:
        assert await value_of(json_pool, body(7)) == 7
        (process,) = workers()
        process.suspend()
        given_up = asyncio.create_task(value_of(json_pool, body(8)))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert await value_of(json_pool, body(9)) == 9
        psutil.wait_procs([process], 60)
        assert process not in workers()

    run(act)


@pytest.mark.slow
def test_a_process_that_read_very_much_does_not_keep_its_memory() -> None:
    async def act(json_pool: JsonPool) -> None:
        assert await value_of(json_pool, body(10) + b" " * VERY_LARGE_BODY) == 10
        assert workers() == []
        assert await value_of(json_pool, body(11)) == 11

    run(act)
