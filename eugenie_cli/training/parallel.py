"""Trains several classes at a time, each in its own process."""

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

# The memory of one training process: TensorFlow and MLflow, a batch, the plots.
JOB_BYTES = 1_500 * 2**20
# TensorFlow and numpy's libraries read these when they are loaded.
_THREADS = ("TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_POLL_S = 0.2
_PARENT_POLL_S = 1.0


def affordable(jobs: int) -> int:
    """As many of `jobs` as fit into the free memory; at least one."""
    return max(1, min(jobs, psutil.virtual_memory().available // JOB_BYTES))


def train_in_parallel(
    site: Site,
    class_names: Sequence[str],
    progress: Progress,
    options: TrainingOptions,
    *,
    jobs: int,
    parent: str | None,
) -> Training:
    """Runs `train_class` for every class, `jobs` at a time, sharing the cores. A failure of one class, even a killed
    process, does not affect the others."""
    most = affordable(jobs)
    if most < jobs:
        progress.say(f"training {most} at a time: not enough memory for {jobs}")
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    waiting = list(class_names)
    running: dict[str, Any] = {}
    ended: dict[str, TrainedVersion | FailedClass] = {}
    threads = max(1, len(os.sched_getaffinity(0)) // most)
    with ExitStack() as bars:
        advance = bars.enter_context(progress.task("train", total=len(class_names), unit="classes"))
        display = _Display(progress)
        bars.callback(_end, running)
        while waiting or running:
            while waiting and len(running) < most:
                name = waiting.pop(0)
                with _environment(threads):
                    running[name] = context.Process(
                        target=_train,
                        args=(site, name, options, parent, messages, os.getpid()),
                        name=f"train {name}",
                    )
                    running[name].start()
            _receive(messages, display, ended)
            for name, process in list(running.items()):
                if process.is_alive():
                    continue
                process.join()
                _receive(messages, display, ended)  # its last messages
                if name not in ended:
                    reason = f"its process ended with exit code {process.exitcode}"
                    ended[name] = FailedClass(name, reason, "run the command again")
                del running[name]
                display.close(name)
                advance(1)
    results = [ended[name] for name in class_names]
    return Training(
        tuple(result for result in results if isinstance(result, TrainedVersion)),
        tuple(result for result in results if isinstance(result, FailedClass)),
    )


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """Sets the number of a job's threads in the environment that it inherits."""
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


def _receive(messages: Any, display: _Display, ended: dict[str, TrainedVersion | FailedClass]) -> None:
    """Handles the jobs' messages until none arrives for a moment."""
    while True:
        try:
            name, kind, content = messages.get(timeout=_POLL_S)
        except queue.Empty:
            return
        if kind == "ended":
            ended[name] = content
        else:
            display.handle(name, kind, content)


def _end(running: dict[str, Any]) -> None:
    for process in running.values():
        process.terminate()
    for process in running.values():
        process.join()


class _Display:
    """Shows the progress of all jobs on one terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, tuple[ExitStack, Advance]] = {}

    def handle(self, name: str, kind: str, content: Any) -> None:
        if kind == "say":
            self._progress.say(content)
        elif kind == "begin":
            self.close(name)
            stack = ExitStack()
            self._bars[name] = (stack, stack.enter_context(self._progress.task(*content)))
        elif kind == "advance" and name in self._bars:
            self._bars[name][1](content)
        elif kind == "end":
            self.close(name)

    def close(self, name: str) -> None:
        if name in self._bars:
            self._bars.pop(name)[0].close()


# -- in the job's process --------------------------------------------------------------------------------------


class _Relayed:
    """A Progress that sends its messages through a queue."""

    def __init__(self, name: str, messages: Any) -> None:
        self._name, self._messages = name, messages

    def say(self, message: str) -> None:
        self._messages.put((self._name, "say", message))

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Advance]:
        self._messages.put((self._name, "begin", (label, total, unit)))
        try:
            yield lambda amount: self._messages.put((self._name, "advance", amount))
        finally:
            self._messages.put((self._name, "end", None))


def _train(site: Site, name: str, options: TrainingOptions, parent: str, messages: Any, starter: int) -> None:
    from eugenie_cli.training.devices import use_one_thread_per_operation

    signal.signal(signal.SIGTERM, signals.interrupt)
    use_one_thread_per_operation()
    threading.Thread(target=_die_with, args=(starter,), daemon=True).start()
    try:
        version = train_class(site, name, _Relayed(name, messages), options, parent=lambda: parent)
    except EugenieError as problem:
        messages.put((name, "ended", FailedClass(name, problem.reason, problem.hint)))
    except Exception as problem:  # noqa: BLE001 - no failure of this class may affect the others
        reason = f"{type(problem).__name__}: {problem}"
        messages.put((name, "ended", FailedClass(name, reason, "train the class on its own")))
    else:
        messages.put((name, "ended", version))


def _die_with(starter: int) -> None:
    """Ends the job when the command that started it is killed."""
    while os.getppid() == starter:
        time.sleep(_PARENT_POLL_S)
    os._exit(1)
