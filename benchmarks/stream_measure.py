"""How the jobs of the stream benchmark are measured, all in the same way.

Speed is read from the results: the broker stamps each record as it takes it, so the first and the last stamp bound the
time, and the records between them say how many readings they account for. No consumer runs meanwhile. CPU time is that
of all engine processes (the Python workers of Flink included) between the same two instants, by a sampler.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from eugenie_cli.broker import consume
from eugenie_cli.embedded import engines
from eugenie_cli.site.model import Site

SAMPLE_S = 0.2
WORKERS = "flink-python"
"""Python processes that the TaskManager started, told apart from its JVM."""


@dataclass(frozen=True)
class Result:
    """A record of a job's results, and when the broker took it (seconds since 1970)."""

    taken: float
    readings: int
    scored: bool
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Pace:
    """Readings that were accounted for in `seconds` of the wall clock, and CPU seconds meanwhile, by engine."""

    readings: int
    seconds: float
    cpu: Mapping[str, float]

    @property
    def readings_per_s(self) -> float:
        return self.readings / self.seconds

    @property
    def cpu_s(self) -> float:
        return sum(self.cpu.values())

    @property
    def readings_per_cpu_s(self) -> float:
        return self.readings / self.cpu_s

    def cpu_s_per_million(self) -> dict[str, float]:
        """CPU seconds for a million readings, by engine."""
        return {name: used / self.readings * 1e6 for name, used in self.cpu.items()}


def results(site: Site, topic: str) -> list[Result]:
    """All committed records of a topic of scores."""
    found = []
    for one in consume.read(site, topic, until_end=True):
        record = json.loads(one.value or b"{}")
        readings = record["readings"] + record.get("bad_quality", 0)
        found.append(Result(one.timestamp_ms / 1000, readings, record.get("score") is not None, record))
    return found


def pace(found: list[Result], meter: CpuMeter, first: Callable[[Result], bool], share: float = 1.0) -> Pace:
    """From the first result that `first` accepts to the last of all; of the last `share` of that time only.

    What the broker took at the very first instant was worked for before it, and does not count. Raises ValueError when
    everything came at once.
    """
    begin = min(one.taken for one in found if first(one))
    end = max(one.taken for one in found)
    begin = end - share * (end - begin)
    if end <= begin:
        raise ValueError("all results came at once: measure more readings")
    readings = sum(one.readings for one in found if one.taken > begin)
    before, after = meter.at(begin), meter.at(end)
    return Pace(readings, end - begin, {name: used - before.get(name, 0.0) for name, used in after.items()})


class CpuMeter:
    """CPU seconds (user and system) of a site's engines since they started, sampled while the `with` block runs."""

    def __init__(self, site: Site) -> None:
        running = [one for one in engines.status(site) if one.pid is not None]
        self._engines = {one.name: psutil.Process(one.pid) for one in running}
        self._used: dict[tuple[int, float], tuple[str, float]] = {}
        self._times: list[float] = []
        self._samples: list[dict[str, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cpu-meter", daemon=True)

    def __enter__(self) -> CpuMeter:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def at(self, instant: float) -> dict[str, float]:
        """CPU seconds by engine at an instant (seconds since 1970), between the samples around it."""
        after = min(max(bisect.bisect_left(self._times, instant), 1), len(self._times) - 1)
        early, late = self._times[after - 1], self._times[after]
        weight = min(max((instant - early) / (late - early), 0.0), 1.0)
        before, then = self._samples[after - 1], self._samples[after]
        return {name: (1 - weight) * before.get(name, 0.0) + weight * used for name, used in then.items()}

    def _run(self) -> None:
        self._sample()
        while not self._stop.wait(SAMPLE_S):
            self._sample()
        self._sample()

    def _sample(self) -> None:
        for name, process in self._processes():
            with contextlib.suppress(psutil.Error):  # it ended: what it had used stays counted
                times = process.cpu_times()
                self._used[process.pid, process.create_time()] = name, times.user + times.system
        total: dict[str, float] = {}
        for name, used in self._used.values():
            total[name] = total.get(name, 0.0) + used
        self._times.append(time.time())
        self._samples.append(total)

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        for name, engine in self._engines.items():
            yield name, engine
            with contextlib.suppress(psutil.Error):
                for child in engine.children(recursive=True):
                    yield WORKERS if name == "flink-taskmanager" else name, child
