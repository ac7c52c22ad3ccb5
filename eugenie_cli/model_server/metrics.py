"""The server's metrics as a page for Prometheus, under TensorFlow Serving's names.

prometheus_client cannot write these names: it appends _total to counters, and changes the bounds of buckets.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import psutil

from eugenie_cli.model_server.status_error import Refusal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REQUESTS = ":tensorflow:serving:request_count"
LATENCY = ":tensorflow:serving:request_latency"

GRPC, REST = "GRPC", "REST"
"""The interface that received a request."""

BOUNDS_US = tuple(10 * 1.8**power for power in range(33))
"""Upper bounds of the latency buckets in microseconds: from 10 us to 25 minutes, as in TensorFlow Serving."""


@dataclass
class _Latencies:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_US) + 1))
    total_us: float = 0.0


class Monitor:
    """Counts requests by model, method and outcome. Used on the event loop only."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str]] = Counter()
        self._latencies: dict[tuple[str, str, str], _Latencies] = {}
        self._process = psutil.Process()

    @contextmanager
    def request(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Count the block as a request for a model, and measure its duration."""
        began = perf_counter()
        status = "OK"
        try:
            yield
        except Refusal as refusal:
            status = refusal.code.name
            raise
        except BaseException:
            status = "INTERNAL"
            raise
        finally:
            self._requests[model, status] += 1
            taken_us = (perf_counter() - began) * 1e6
            latencies = self._latencies.setdefault((model, api, entrypoint), _Latencies())
            latencies.buckets[bisect_left(BOUNDS_US, taken_us)] += 1
            latencies.total_us += taken_us

    def page(self) -> str:
        """All metrics in Prometheus' text format."""
        lines = [f"# TYPE {REQUESTS} counter"]
        for (model, status), count in sorted(self._requests.items()):
            lines.append(f'{REQUESTS}{{model_name="{_escaped(model)}",status="{status}"}} {count}')
        lines.append(f"# TYPE {LATENCY} histogram")
        for (model, api, entrypoint), latencies in sorted(self._latencies.items()):
            labels = f'model_name="{_escaped(model)}",API="{api}",entrypoint="{entrypoint}"'
            count = 0
            for bound, inside in zip([*BOUNDS_US, float("inf")], latencies.buckets, strict=True):
                count += inside
                edge = "+Inf" if bound == float("inf") else f"{bound:.6g}"
                lines.append(f'{LATENCY}_bucket{{{labels},le="{edge}"}} {count}')
            lines.append(f"{LATENCY}_sum{{{labels}}} {latencies.total_us:.0f}")
            lines.append(f"{LATENCY}_count{{{labels}}} {count}")
        with self._process.oneshot():
            cpu, memory = self._process.cpu_times(), self._process.memory_info().rss
        lines += ["# TYPE process_cpu_seconds_total counter", f"process_cpu_seconds_total {cpu.user + cpu.system:.2f}"]
        lines += ["# TYPE process_resident_memory_bytes gauge", f"process_resident_memory_bytes {memory}"]
        return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
