"""Resources of a site's engines while a job runs: CPU time by process and thread, memory, and how busy operators are.

A sampler reads /proc a few times a second; later queries interpolate between its samples. A thread of the TaskManager
that works for one Flink task, a chain of operators, has the task's name, shortened to 15 characters.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import json
import os
import re
import string
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from eugenie_cli.engines import endpoints
from eugenie_cli.operations.status import status
from eugenie_cli.site.schema import Site

SAMPLE_S = 0.5
BUSY_EVERY = 4
"""Samples between two queries to Flink, which updates its busy times once a second."""

TASKMANAGER = "flink-taskmanager"
WORKERS = "flink-python"
"""Python processes that the TaskManager started, separate from its JVM."""

ANSWER_S = 30.0

SMALL = 0.01
"""Threads with a smaller share of the CPU time than this are summed up."""

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_THREAD_NAME = 15
_UTIME = 11
# position of utime after the thread's name in /proc/<pid>/task/<tid>/stat; stime follows it
_DIGITS = string.digits + "-#_"

Use = dict[str, float]


class Clock(NamedTuple):
    """A thread whose CPU time is read; `thread` 0: a process."""

    engine: str
    process: int
    thread: int


class Meter:
    """CPU seconds (user and system) of a site's engines since they started, sampled while the `with` block runs."""

    def __init__(self, site: Site) -> None:
        running = [engine for engine in status(site) if engine.pid is not None]
        self._engines = {engine.name: psutil.Process(engine.pid) for engine in running}
        self._flink = endpoints.flink(site)
        self._job: str | None = None
        self._tasks: dict[str, str] = {}
        self._busy: dict[str, list[float]] = defaultdict(list)
        self._used: dict[Clock, float] = {}
        self._named: dict[Clock, str] = {}
        self._times: list[float] = []
        self._samples: list[dict[Clock, float]] = []
        self._memory: list[float] = []
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def watch(self, job: str) -> None:
        """From now on, name threads after this job's operators, and query how busy they are."""
        self._job = job

    def busy(self) -> Use:
        """Mean share of the time in which each operator was busy, including waiting for its Python worker."""
        return {name: sum(shares) / len(shares) for name, shares in self._busy.items()}

    def memory_mib(self) -> float:
        """Peak resident memory of the TaskManager and its Python workers together, MiB."""
        return max(self._memory)

    def cpu(self, begin: float, end: float) -> Use:
        """CPU seconds by engine between two instants (seconds since 1970)."""
        total: Use = defaultdict(float)
        for clock, used in self._between(begin, end).items():
            if not clock.thread:
                total[clock.engine] += used
        return dict(total)

    def busiest_worker(self) -> tuple[int, float] | None:
        """The Python worker with the most CPU time so far: its process, and that time."""
        used = {clock.process: spent for clock, spent in self._used.copy().items() if clock[::2] == (WORKERS, 0)}
        return max(used.items(), key=lambda entry: entry[1]) if used else None

    def operators(self, begin: float, end: float) -> Use:
        """The same by operator: threads of the TaskManager by name, the other processes as a whole."""
        total = self.cpu(begin, end)
        least = SMALL * sum(total.values())
        threads: Use = defaultdict(float)
        for clock, used in self._between(begin, end).items():
            if clock.thread:
                name = self._named[clock]
                threads[f"{clock.engine}: {self._tasks.get(name) or name.rstrip(_DIGITS)}"] += used
        for name, used in threads.items():
            if used >= least:
                total[name] = used
                total[name.split(":")[0]] -= used
        return total

    # -- sampling ------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            for number in itertools.count():
                self._sample()
                if self._job is not None and number % BUSY_EVERY == 0:
                    self._ask(self._job)
                if self._stop.wait(SAMPLE_S):
                    break
            self._sample()
        except BaseException as error:  # noqa: BLE001 - raised when the block ends
            self._error = error

    def _sample(self) -> None:
        memory = 0.0
        for engine, process in self._processes():
            with contextlib.suppress(psutil.Error, OSError):  # it has ended: its CPU time so far stays counted
                times = process.cpu_times()
                self._used[Clock(engine, process.pid, 0)] = times.user + times.system
                if engine in (TASKMANAGER, WORKERS):
                    memory += process.memory_info().rss / 2**20
                if engine == TASKMANAGER:
                    self._sample_threads(engine, process.pid)
        self._memory.append(memory)
        self._times.append(time.time())
        self._samples.append(dict(self._used))

    def _sample_threads(self, engine: str, process: int) -> None:
        for task in Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(OSError):
                _, _, rest = (task / "stat").read_text().partition("(")
                name, _, numbers = rest.rpartition(")")
                clock = Clock(engine, process, int(task.name))
                fields = numbers.split()
                self._used[clock] = (int(fields[_UTIME]) + int(fields[_UTIME + 1])) * TICK_S
                self._named[clock] = name

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        for name, engine in self._engines.items():
            yield name, engine
            with contextlib.suppress(psutil.Error):
                for child in engine.children(recursive=True):
                    yield WORKERS if name == TASKMANAGER else name, child

    def _ask(self, job: str) -> None:
        for vertex in self._get(f"/jobs/{job}")["vertices"]:
            name, parallelism = vertex["name"], vertex["parallelism"]
            for number in range(1, parallelism + 1):
                for thread in shortened(f"{name} ({number}/{parallelism})#0"):
                    self._tasks[thread] = plain(name)
            busy = self._get(f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics?get=busyTimeMsPerSecond&agg=avg")
            # the string NaN until it is measured
            self._busy[plain(name)] += [metric["avg"] / 1_000 for metric in busy if isinstance(metric["avg"], float)]

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self._flink + path, timeout=ANSWER_S) as answer:  # noqa: S310 - the cluster's own address
            return json.load(answer)

    def _between(self, begin: float, end: float) -> dict[Clock, float]:
        before, after = self._at(begin), self._at(end)
        return {clock: used - before.get(clock, 0.0) for clock, used in after.items()}

    def _at(self, instant: float) -> dict[Clock, float]:
        after = min(max(bisect.bisect_left(self._times, instant), 1), len(self._times) - 1)
        early, late = self._times[after - 1], self._times[after]
        weight = min(max((instant - early) / (late - early), 0.0), 1.0)
        before, then = self._samples[after - 1], self._samples[after]
        return {clock: (1 - weight) * before.get(clock, 0.0) + weight * used for clock, used in then.items()}


def shortened(name: str) -> tuple[str, str]:
    """Two forms in 15 bytes of a Java thread's name in the kernel: truncated or, in newer JVMs, without its middle."""
    text = name.encode()
    cut = text[:_THREAD_NAME]
    without_middle = text[:7] + b".." + text[-6:] if len(text) > _THREAD_NAME else text
    return cut.decode("utf-8", "replace"), without_middle.decode("utf-8", "replace")


def plain(vertex: str) -> str:
    """A vertex's name without the planner's numbers and arguments: `Source: readings[1] -> Calc[2]` ..."""
    return re.sub(r"\[\d+\]|\(.*\)", "", vertex)[:80]
