"""The model server in its own process, compared with the graph in this process, and with many callers at once."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import numpy as np
import uvloop

from benchmarks.common.plant import CLASS, WINDOW, Plant
from eugenie_cli.progress import Progress
from eugenie_cli.serving import local
from eugenie_cli.serving.status import ServingStatus
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.tfserving import protos, tensors
from eugenie_cli.tfserving.async_client import AsyncPredictClient
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.messages import predict_request
from eugenie_cli.tfserving.protos import serving_pb2

LARGE = 128
"""Windows per request in the comparison of the server with the ceiling."""

CALLERS = 64
TURNS = 5
"""Turns with callers of one window: single turns differ by half on a shared machine."""

IN_FLIGHT = 4
"""Large requests in flight: two per core."""

Call = Callable[[int], Awaitable[bytes]]


def served(site: Site, plant: Plant, seconds: float, progress: Progress) -> dict[str, Any]:
    """The server with large requests compared with its ceiling, and with many callers of one window each."""
    import tensorflow as tf

    graph = tf.saved_model.load(str(workspace_of(site).models / CLASS / "1")).signatures["serving_default"]
    values = large_request(plant)
    names = [plant.names[number % plant.assets] for number in range(LARGE)]
    asset, rows = tf.constant(names), tf.constant(values)
    server = local.start(site, progress)
    with PredictClient(server.socket) as client:
        assert client.predict(CLASS, names, values).score.shape == (LARGE, 1)

        def ceiling() -> float:
            return rate_of(lambda: graph(asset=asset, rows=rows), seconds / 4, threads=len(os.sched_getaffinity(0)))

        def requests() -> float:
            return rate_of(lambda: client.predict(CLASS, names, values), seconds / 4, threads=IN_FLIGHT)

        rounds = [(ceiling(), requests()) for _ in range(4)]
    most, reached = (statistics.mean(rates) * LARGE for rates in zip(*rounds, strict=True))
    progress.say(f"{LARGE} windows per request: {reached:,.0f} windows/s, in this process {most:,.0f}")
    return {
        "server_share_of_ceiling_128": reached / most,
        "server_windows_per_s_128": reached,
        "ceiling_windows_per_s_128": most,
        **uvloop.run(single_windows(server, plant, seconds, progress)),
    }


def large_request(plant: Plant) -> np.ndarray:
    """float32 [LARGE, M, S]."""
    values = plant.values(0, WINDOW).astype(np.float32)
    return np.ascontiguousarray(values[:, np.arange(LARGE) % values.shape[1]].transpose(1, 0, 2))


def rate_of(act: Callable[[], object], seconds: float, threads: int) -> float:
    """How often per second `threads` threads call `act`. Raises whatever `act` raises."""
    until = time.monotonic() + seconds

    def work() -> int:
        count = 0
        while time.monotonic() < until:
            act()
            count += 1
        return count

    began = time.monotonic()
    with ThreadPoolExecutor(threads) as workers:
        counts = [worker.result() for worker in [workers.submit(work) for _ in range(threads)]]
    return sum(counts) / (time.monotonic() - began)


async def single_windows(server: ServingStatus, plant: Plant, seconds: float, progress: Progress) -> dict[str, Any]:
    """Requests with one window from CALLERS that each wait for their response.

    The server's capacity is measured with requests prepared before and responses read afterwards, because the callers
    share its cores. In turns, the same is measured with our client, which builds and reads each in the measured time.
    """
    window = large_request(plant)[:1]
    names = [plant.names[number % plant.assets] for number in range(CALLERS)]
    figures: dict[str, Any] = {}
    async with AsyncPredictClient(server.socket) as client, ready_made(server.socket, names, window) as call:
        right = [await client.predict(CLASS, [name], window) for name in names]
        answers: list[bytes] = [b""] * CALLERS

        async def bare(number: int) -> None:
            answers[number] = await call(number)

        async def with_client(number: int) -> None:
            await client.predict(CLASS, [names[number]], window)

        kinds = {"": bare, "_with_client": with_client}
        rates: dict[str, list[float]] = {suffix: [] for suffix in kinds}
        waits: dict[str, list[float]] = {suffix: [] for suffix in kinds}
        for _ in range(TURNS):
            for suffix, ask in kinds.items():
                taken = await asked_at_once(ask, seconds)
                rates[suffix].append(len(taken) / seconds)
                waits[suffix].extend(taken)
    for suffix, turns in rates.items():
        p50, p99 = (float(np.percentile(waits[suffix], q)) * 1_000 for q in (50, 99))
        figures |= {
            f"single_window_rps_64{suffix}": statistics.median(turns),
            f"single_window_rps_64{suffix}_best": max(turns),
            f"p50_ms_64{suffix}": p50,
            f"p99_ms_64{suffix}": p99,
        }
        what = f"{CALLERS} callers of one window{suffix.replace('_', ' ')}"
        rates_text = ", ".join(f"{rate:,.0f}" for rate in turns)
        progress.say(f"{what}: {rates_text} requests/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    for expected, answer in zip(right, answers, strict=True):
        score = tensors.decode(serving_pb2.PredictResponse.FromString(answer).outputs["score"])
        np.testing.assert_allclose(score, expected.score, rtol=1e-5)
    return figures


@asynccontextmanager
async def ready_made(socket: str | None, names: Sequence[str], window: np.ndarray) -> AsyncIterator[Call]:
    """Yields a function that sends the prepared request of a caller and returns the raw response."""
    requests = [predict_request(CLASS, [name], window).SerializeToString() for name in names]
    async with grpc.aio.insecure_channel(str(socket)) as channel:
        predict = channel.unary_unary(protos.PREDICT)

        async def call(number: int) -> bytes:
            return await predict(requests[number], timeout=30)

        yield call


async def asked_at_once(ask: Callable[[int], Awaitable[None]], seconds: float) -> list[float]:
    """Seconds of each request of CALLERS that was answered within `seconds` after a second of warm-up."""
    taken: list[float] = []
    begin = time.monotonic() + 1.0
    end = begin + seconds

    async def caller(number: int) -> None:
        while (asked := time.monotonic()) < end:
            await ask(number)
            if begin <= (answered := time.monotonic()) < end:
                taken.append(answered - asked)

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    return taken
