"""Several classes at a time, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psutil

from eugenie_cli import signals
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Advance, Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.training.options import TrainingOptions
from eugenie_cli.training.result import FailedClass, TrainedVersion, Training
from eugenie_cli.training.train import train_class

# What a training takes: TensorFlow and MLflow, a batch, the plots.
JOB_BYTES = 1_500 * 2**20
# Read by TensorFlow and the libraries beneath numpy when they are loaded.
_THREADS = ("TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_POLL_S = 0.2
_PARENT_POLL_S = 1.0


def affordable(jobs: int) -> int:
    """At most `jobs`, and as many as the free memory has room for; at least one."""
    return max(1, min(jobs, psutil.virtual_memory().available // JOB_BYTES))


def train_beside(
    site: Site,
    class_names: Sequence[str],
    progress: Progress,
    wanted: TrainingOptions,
    *,
    jobs: int,
    parent: str | None,
) -> Training:
    """`train_class` of every class, `jobs` at a time, which share the cores. What becomes of one is nothing to the
    others, be it that its process is killed."""
    most = affordable(jobs)
    if most < jobs:
        progress.say(f"{most} at a time: there is no memory for {jobs}")
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    waiting = list(class_names)
    running: dict[str, Any] = {}
    ended: dict[str, TrainedVersion | FailedClass] = {}
    threads = max(1, len(os.sched_getaffinity(0)) // most)
    with ExitStack() as bars:
        advance = bars.enter_context(progress.task("train", total=len(class_names), unit="classes"))
        shown = _Shown(progress)
        bars.callback(_end, running)
        while waiting or running:
            while waiting and len(running) < most:
                name = waiting.pop(0)
                with _environment(threads):
                    running[name] = context.Process(
                        target=_train,
                        args=(site, name, wanted, parent, told, os.getpid()),
                        name=f"train {name}",
                    )
                    running[name].start()
            _listen(told, shown, ended)
            for name, process in list(running.items()):
                if process.is_alive():
                    continue
                process.join()
                _listen(told, shown, ended)  # what it said last
                if name not in ended:
                    ended[name] = FailedClass(name, f"its process ended ({process.exitcode})", "run the command again")
                del running[name]
                shown.close(name)
                advance(1)
    results = [ended[name] for name in class_names]
    return Training(
        tuple(result for result in results if isinstance(result, TrainedVersion)),
        tuple(result for result in results if isinstance(result, FailedClass)),
    )


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """The threads of a job, in the environment that it inherits."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _listen(told: Any, shown: _Shown, ended: dict[str, TrainedVersion | FailedClass]) -> None:
    """Takes what the jobs say until they are silent for a moment."""
    while True:
        try:
            name, kind, what = told.get(timeout=_POLL_S)
        except queue.Empty:
            return
        if kind == "ended":
            ended[name] = what
        else:
            shown.take(name, kind, what)


def _end(running: dict[str, Any]) -> None:
    for process in running.values():
        process.terminate()
    for process in running.values():
        process.join()


class _Shown:
    """The jobs' progress, on the one terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, tuple[ExitStack, Advance]] = {}

    def take(self, name: str, kind: str, what: Any) -> None:
        if kind == "say":
            self._progress.say(what)
        elif kind == "begin":
            self.close(name)
            stack = ExitStack()
            self._bars[name] = (stack, stack.enter_context(self._progress.task(*what)))
        elif kind == "advance" and name in self._bars:
            self._bars[name][1](what)
        elif kind == "end":
            self.close(name)

    def close(self, name: str) -> None:
        if name in self._bars:
            self._bars.pop(name)[0].close()


# -- in the job's process --------------------------------------------------------------------------------------


class _Relayed:
    """A Progress that speaks through a queue."""

    def __init__(self, name: str, told: Any) -> None:
        self._name, self._told = name, told

    def say(self, message: str) -> None:
        self._told.put((self._name, "say", message))

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Advance]:
        self._told.put((self._name, "begin", (label, total, unit)))
        try:
            yield lambda amount: self._told.put((self._name, "advance", amount))
        finally:
            self._told.put((self._name, "end", None))


def _train(site: Site, name: str, wanted: TrainingOptions, parent: str, told: Any, starter: int) -> None:
    from eugenie_cli.training.devices import one_thread_an_operation

    signal.signal(signal.SIGTERM, signals.interrupt)
    one_thread_an_operation()
    threading.Thread(target=_die_with, args=(starter,), daemon=True).start()
    try:
        done = train_class(site, name, _Relayed(name, told), wanted, parent=lambda: parent)
    except EugenieError as problem:
        told.put((name, "ended", FailedClass(name, problem.reason, problem.hint)))
    except Exception as problem:  # noqa: BLE001 - whatever it is, it is this class's alone
        told.put((name, "ended", FailedClass(name, f"{type(problem).__name__}: {problem}", "train it by itself")))
    else:
        told.put((name, "ended", done))


def _die_with(starter: int) -> None:
    """A job ends when the command that started it was killed."""
    while os.getppid() == starter:
        time.sleep(_PARENT_POLL_S)
    os._exit(1)
