"""What a unix socket saves a stream job on the model server's machine: the same Predict calls over it and over TCP.

The stream job's client makes one call at a time, in blocks that alternate between the two ways, so that other load on
the machine affects both alike. CPU time is that of the client and the server together.
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import engines, model, report
from benchmarks.common.plant import CLASS, SENSORS, WINDOW, Plant
from eugenie_cli.console import Console
from eugenie_cli.serving import local
from eugenie_cli.serving.status import ServingStatus
from eugenie_cli.tfserving.client import PredictClient

WAYS = ("socket", "tcp")
SEGMENT_ROWS = 64
"""Rows that one segment scores, as in a backlog."""

BLOCK, HEAVY_BLOCK = 25, 5
"""Calls over one way before the other's turn: some tenths of a second."""

Call = Callable[[PredictClient], Any]


@dataclass
class Spent:
    """Seconds of each call, and CPU seconds of all of them, client and server."""

    wall: list[float] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.wall) * 1_000

    @property
    def cpu_ms(self) -> float:
        return self.cpu / len(self.wall) * 1_000


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.colocation", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--calls", type=int, default=3_000, help="calls with one window over each way; a tenth as many with segments"
    )
    calls = parser.parse_args().calls
    report.end_on_term()
    progress, folder = Console(), Path(tempfile.mkdtemp(prefix="eugenie-bench-"))
    plant = Plant(8)
    site = plant.site(folder)
    try:
        with report.failures_in_words(progress), engines.watched(site):
            model.publish(site, plant, progress)
            server = local.start(site, progress)
            figures = measure(server, plant, calls)
    finally:
        local.stop(site, progress)
        shutil.rmtree(folder, ignore_errors=True)
    report.finish("colocation", figures)


def measure(server: ServingStatus, plant: Plant, calls: int) -> dict[str, Any]:
    """Every kind of call over both ways. Kinds: a live window, a backlog's segments, a status query without work."""
    kinds: dict[str, tuple[Call, int, int]] = {
        "1_window": (predict(plant, 1, 1), calls, BLOCK),
        "8_segments": (predict(plant, 8, SEGMENT_ROWS), calls // 10, HEAVY_BLOCK),
        "status": (lambda client: client.status(CLASS), calls, BLOCK),
    }
    figures: dict[str, Any] = {}
    with PredictClient(server.socket) as socket, PredictClient(server.address) as tcp:
        clients = dict(zip(WAYS, (socket, tcp), strict=True))
        for kind, (call, count, block) in kinds.items():
            spent = alternate(call, clients, count, block, server_clock(server))
            by_socket, by_tcp = spent["socket"], spent["tcp"]
            figures[f"p50_ratio_{kind}"] = by_socket.p50_ms / by_tcp.p50_ms
            figures[f"cpu_ratio_{kind}"] = by_socket.cpu_ms / by_tcp.cpu_ms
            figures |= {f"p50_ms_{kind}_{way}": times.p50_ms for way, times in spent.items()}
            figures |= {f"cpu_ms_{kind}_{way}": times.cpu_ms for way, times in spent.items()}
            figures[f"calls_{kind}"] = len(by_tcp.wall)
            print(f"{kind}: {by_socket.p50_ms:.2f} ms by socket, {by_tcp.p50_ms:.2f} ms by TCP", file=sys.stderr)
    return figures


def predict(plant: Plant, segments: int, rows: int) -> Call:
    """A Predict call for `segments` assets, with `rows` rows to score for each."""
    values = plant.values(0, WINDOW + rows - 1)[:, :segments].astype(np.float32)
    segment = np.ascontiguousarray(values.transpose(1, 0, 2))
    assert segment.shape == (segments, WINDOW + rows - 1, len(SENSORS))
    names = list(plant.names[:segments])
    return lambda client: client.predict(CLASS, names, segment)


def alternate(
    call: Call, clients: Mapping[str, PredictClient], count: int, block: int, server_cpu: Callable[[], float]
) -> dict[str, Spent]:
    """At least `count` calls over each way, in blocks; the ways take turns in starting a round."""
    spent = {way: Spent() for way in clients}
    for client in clients.values():
        for _ in range(block):  # connect, and warm the model
            call(client)
    for number in range(-(-count // block)):
        for way in sorted(clients, reverse=bool(number % 2)):
            cpu = time.process_time() + server_cpu()
            for _ in range(block):
                began = time.perf_counter()
                call(clients[way])
                spent[way].wall.append(time.perf_counter() - began)
            spent[way].cpu += time.process_time() + server_cpu() - cpu
    return spent


def server_clock(server: ServingStatus) -> Callable[[], float]:
    """CPU seconds of the server's process, to the nanosecond: /proc counts in hundredths, longer than a call."""
    clock = ctypes.c_int()
    failed = ctypes.CDLL(None).clock_getcpuclockid(server.pid, ctypes.byref(clock))
    if failed:
        raise OSError(failed, "no CPU clock of the model server")
    return lambda: time.clock_gettime(clock.value)


if __name__ == "__main__":
    main()
