"""The exported graph against a plain Keras export, and the model server against the graph run in its own process.

Everything in a ratio is measured in turns, in one run. The server is a process of its own; its callers share the cores
with it, as a stream job does. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import numpy as np
import psutil
import report
import stream_model
import uvloop
from stream_plant import CLASS, Plant

from eugenie_cli.console import Console
from eugenie_cli.progress import Progress
from eugenie_cli.serving import local, model_info, release_config
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.serving.status import ServingStatus
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.tfserving import protos, tensors
from eugenie_cli.tfserving.client import AsyncPredictClient, PredictClient, predict_request
from eugenie_cli.tfserving.protos import serving_pb2

if TYPE_CHECKING:
    from eugenie_cli.detection.detector import LstmDetector

BATCHES = (1, 32)
LARGE = 128
"""Windows of a request with which the server is held against the ceiling."""

CALLERS = 64
TURNS = 5
"""Of the callers of one window: single turns differ by half where a machine is shared."""

IN_FLIGHT = 4
"""Large requests that are on their way at once: two for each core."""

Arrays = dict[str, np.ndarray]
Run = Callable[[], Any]
Call = Callable[[int], Awaitable[bytes]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--models", type=int, default=50, help="in one server, to compare with one")
    options = parser.parse_args()
    report.end_on_term()
    _threads_as_in_the_server()
    progress, folder = Console(), Path(tempfile.mkdtemp(prefix="eugenie-bench-"))
    plant = Plant(32)
    site = plant.site(folder)
    try:
        detector = stream_model.publish(site, plant, progress)
        figures = exported(site, plant, detector, options.seconds, progress)
        figures |= served(site, plant, options.seconds, progress)
        figures |= many(site, plant, options, progress)
    finally:
        local.stop(site, progress)
        shutil.rmtree(folder, ignore_errors=True)
    report.finish("serving", {**figures, "cores": len(os.sched_getaffinity(0))})


def _threads_as_in_the_server() -> None:
    """Before anything runs a graph in this process: it cannot be changed afterwards."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(len(os.sched_getaffinity(0)))


# -- the graph ------------------------------------------------------------------------------------------------


def exported(site: Site, plant: Plant, detector: LstmDetector, seconds: float, progress: Progress) -> dict[str, Any]:
    """Windows a second of the exported forecast and of a plain export of the Keras network, and their difference."""
    import tensorflow as tf

    from eugenie_cli.detection import network

    keras_folder = site.base / "keras"
    horizons, sensors = len(detector.horizons), len(detector.sensors)
    network.restore(detector.network, sensors, horizons).export(str(keras_folder), verbose=False)
    keras_graph = tf.saved_model.load(str(keras_folder)).signatures["serving_default"]
    ours = tf.saved_model.load(str(workspace_of(site).models / CLASS / "1")).signatures

    figures: dict[str, Any] = {}
    largest = 0.0
    for batch in BATCHES:
        values = windows(plant, detector, batch)
        mean, deviation = detector.mean[:batch, None], detector.deviation[:batch, None]
        encoded = tf.constant(network.encode(network.scale(values, mean, deviation)))
        asset, rows = tf.constant(list(plant.names[:batch])), tf.constant(values)
        runs: dict[str, Run] = {
            "keras": lambda encoded=encoded: keras_graph(encoded),
            "forecast": lambda asset=asset, rows=rows: ours["forecast"](asset=asset, rows=rows),
            "score": lambda asset=asset, rows=rows: ours["serving_default"](asset=asset, rows=rows),
        }
        theirs = next(iter(runs["keras"]().values())).numpy()[:, -1]
        forecast = (runs["forecast"]()["forecast"].numpy() - mean) / deviation
        largest = max(largest, float(np.abs(theirs - forecast).max()))
        rates = {name: rate * batch for name, rate in in_turns(runs, seconds).items()}
        figures |= {f"{name}_windows_per_s_b{batch}": rate for name, rate in rates.items()}
        figures[f"export_ratio_b{batch}"] = rates["forecast"] / rates["keras"]
        figures[f"export_ratio_with_scores_b{batch}"] = rates["score"] / rates["keras"]
        progress.say(f"batch {batch}: {rates['forecast']:,.0f} windows/s, plain Keras {rates['keras']:,.0f}")
    return {**figures, "max_abs_difference": largest}


def windows(plant: Plant, detector: LstmDetector, count: int) -> np.ndarray:
    """float32 [count, M, S], engineering units: one window of each of the first assets."""
    values = plant.values(0, detector.window).astype(np.float32)
    of = np.arange(count) % values.shape[1]
    return np.ascontiguousarray(values[:, of].transpose(1, 0, 2))


def in_turns(runs: dict[str, Run], seconds: float) -> dict[str, float]:
    """Runs a second of each, in short turns: the machine's moods strike all alike."""
    taken, done = dict.fromkeys(runs, 0.0), dict.fromkeys(runs, 0)
    for run in runs.values():
        for _ in range(5):
            run()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name, run in runs.items():
            began = time.perf_counter()
            for _ in range(10):
                run()
            taken[name] += time.perf_counter() - began
            done[name] += 10
    return {name: done[name] / taken[name] for name in runs}


# -- the server -----------------------------------------------------------------------------------------------


def served(site: Site, plant: Plant, seconds: float, progress: Progress) -> dict[str, Any]:
    """The server with large requests against its ceiling, and with many callers of one window each."""
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
    progress.say(f"{LARGE} windows a request: {reached:,.0f} windows/s, in the process {most:,.0f}")
    return {
        "server_share_of_ceiling_128": reached / most,
        "server_windows_per_s_128": reached,
        "ceiling_windows_per_s_128": most,
        **uvloop.run(single_windows(server, plant, seconds, progress)),
    }


def large_request(plant: Plant) -> np.ndarray:
    """float32 [LARGE, M, S]."""
    from stream_plant import WINDOW

    values = plant.values(0, WINDOW).astype(np.float32)
    return np.ascontiguousarray(values[:, np.arange(LARGE) % values.shape[1]].transpose(1, 0, 2))


def rate_of(act: Run, seconds: float, threads: int) -> float:
    """How often a second `act` is done by so many threads."""
    counts = [0] * threads
    until = time.monotonic() + seconds

    def work(number: int) -> None:
        while time.monotonic() < until:
            act()
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    began = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.monotonic() - began)


async def single_windows(server: ServingStatus, plant: Plant, seconds: float, progress: Progress) -> dict[str, Any]:
    """Requests of one window by CALLERS that each wait for their answer.

    What the server can do is measured with requests that were made before and answers that are read afterwards: the
    callers share its cores. Beside it, in turns, the same with our client, which makes and reads each on the way.
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
        told = ", ".join(f"{rate:,.0f}" for rate in turns)
        progress.say(f"{what}: {told} requests/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    for expected, answer in zip(right, answers, strict=True):
        score = tensors.decode(serving_pb2.PredictResponse.FromString(answer).outputs["score"])
        np.testing.assert_allclose(score, expected.score, rtol=1e-5)
    return figures


@asynccontextmanager
async def ready_made(socket: str | None, names: Sequence[str], window: np.ndarray) -> AsyncIterator[Call]:
    """Sends the request of a number, which is made already, and gives the answer as it came."""
    requests = [predict_request(CLASS, [name], window).SerializeToString() for name in names]
    async with grpc.aio.insecure_channel(str(socket)) as channel:
        predict = channel.unary_unary(protos.PREDICT)

        async def call(number: int) -> bytes:
            return await predict(requests[number], timeout=30)

        yield call


async def asked_at_once(ask: Callable[[int], Awaitable[None]], seconds: float) -> list[float]:
    """What each request of CALLERS took, s, of those answered in `seconds` after a second of warming up."""
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


# -- many models ----------------------------------------------------------------------------------------------


def many(site: Site, plant: Plant, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """One server with many models beside one with one: the time to load them, memory, and the cost of a request."""
    figures: dict[str, Any] = {}
    first = workspace_of(site).models / CLASS
    window, names = large_request(plant)[:1], [plant.names[0]]
    costs: dict[str, float] = {}
    for label, count in (("1_model", 1), ("many_models", options.models)):
        local.stop(site)
        for number in range(1, count):
            as_class(first / "1", f"{CLASS}-{number}")
        models = [CLASS, *(f"{CLASS}-{number}" for number in range(1, count))]
        release_config.write(site, {name: ReleasedModel(name, "", (1,), {"champion": 1}) for name in models})
        began = time.monotonic()
        server = local.start(site, progress)
        figures[f"started_s_{label}"] = time.monotonic() - began
        process = psutil.Process(server.pid)
        with PredictClient(server.socket) as client:
            for model in models:
                client.predict(model, names, window)
            figures[f"memory_mib_{label}"] = process.memory_info().rss / 2**20
            cpu, calls = sum(process.cpu_times()[:2]), 0
            until = time.monotonic() + options.seconds
            while time.monotonic() < until:
                client.predict(models[calls % count], names, window)
                calls += 1
            costs[label] = (sum(process.cpu_times()[:2]) - cpu) / calls
        figures[f"cpu_ms_of_a_request_{label}"] = costs[label] * 1_000
    figures["cost_ratio_many_models"] = costs["many_models"] / costs["1_model"]
    figures["models"] = options.models
    progress.say(f"{options.models} models: {figures['started_s_many_models']:.1f} s to start")
    return figures


def as_class(version: Path, name: str) -> None:
    """The same model as one of another class."""
    copy = version.parent.with_name(name) / version.name
    shutil.copytree(version, copy, dirs_exist_ok=True)
    info = replace(model_info.read(copy), class_name=name)
    (copy / model_info.LOCATION).write_text(model_info.render(info), encoding="utf-8")


if __name__ == "__main__":
    main()
