"""The demo: everything that a user would do, on a simulated plant, with real engines, narrated step by step."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eugenie_cli import signals
from eugenie_cli.demo.exports import EXPORTS
from eugenie_cli.demo.judge import Ledger, Verdict, contract, judge
from eugenie_cli.demo.live import play
from eugenie_cli.demo.pipeline import open_pipeline
from eugenie_cli.demo.plant.faults import KINDS
from eugenie_cli.demo.plant.plant import MANIFEST, Plant
from eugenie_cli.demo.simulate import SITE_FILE, export_history, live_stream
from eugenie_cli.demo.timeline import HISTORY_DAYS, LIVE_MS, SPEED, last_morning, live_faults
from eugenie_cli.demo.watch import Announcer, AnomalyTail
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import SILENT, Advance, Progress

FOLDER = Path(".eugenie/demo-plant")
STEPS = 7


@dataclass(frozen=True)
class Options:
    """The options of the demo."""

    folder: Path = FOLDER
    seed: int = 1
    speed: float = SPEED
    keep: bool = False


@dataclass(frozen=True)
class Result:
    """The result of the demo. `pages`: name -> address of a web page, which stays up with `--keep`."""

    verdicts: list[Verdict]
    false_alarms: list[Mapping[str, Any]]
    ledger: Ledger
    seconds: float
    pages: Mapping[str, str]
    folder: Path
    site_file: Path

    def contract(self) -> dict[str, Any]:
        """The JSON of `eugenie demo -o json`."""
        return contract(self.verdicts, len(self.false_alarms), self.ledger, self.seconds)


class Steps:
    """Numbered narration: each step and its purpose, one line each."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._number = 0
        self._total = total
        self._progress = progress
        self._began = time.monotonic()

    def next(self, what: str) -> None:
        """Announces the next step."""
        self._number += 1
        elapsed = time.monotonic() - self._began
        self._progress.say(f"[{self._number}/{self._total}] {elapsed:3.0f} s  {what}")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began


def run(options: Options, progress: Progress) -> Result:
    """Runs the demo. However it ends, everything that it started is stopped, unless it succeeds with `keep`.

    Raises EugenieError when a step fails, and KeyboardInterrupt when it is interrupted (including TERM and HUP).
    """
    folder = options.folder.absolute()
    steps = Steps(STEPS, progress)
    prepare(folder, progress)
    done, cancelled = False, threading.Event()
    background = ThreadPoolExecutor(1, "engines")
    with signals.interrupting():
        try:
            result = _run(folder, options, steps, Background(background, cancelled, Aside(progress)), progress)
            done = True
        finally:
            if not (done and options.keep):
                with signals.ignored():  # a second Ctrl-C must not leave processes behind
                    cancelled.set()
                    _stop_all(folder, done, progress)
                    background.shutdown(wait=True, cancel_futures=True)
                    _stop_late_starters(folder)
    return result


def _run(folder: Path, options: Options, steps: Steps, background: Background, progress: Progress) -> Result:
    steps.next("plant: eight simulated pumps export days of normal operation from their historian")
    export_history(folder, options.seed, HISTORY_DAYS, progress, last_morning())
    plant, pipeline = Plant.load(folder), open_pipeline(folder / SITE_FILE)
    engines = background.begin(pipeline.start_engines)

    steps.next("import: exports become checked, aligned history; Kafka, Flink, MLflow and the model server start")
    pipeline.import_history(progress)
    background.check()
    steps.next("train: one forecaster per class learns normal operation; thresholds come from hours it has never seen")
    versions = pipeline.train(progress, background.check)
    steps.next("export: TensorFlow SavedModels contain the complete decision; the model server loads them")
    pipeline.export(versions, progress)
    background.finish(engines)
    job = background.begin(pipeline.submit)
    steps.next("evaluate: would it have cried wolf? Meanwhile a Flink job starts reading from Kafka")
    pipeline.evaluate(plant, progress)
    faults = live_faults(plant, KINDS)
    stream, _ = live_stream(plant, None, faults, progress)
    background.finish(job)

    steps.next(
        f"live: {LIVE_MS / 3_600_000:.1f} hours of the plant at {options.speed:g} times its speed, "
        f"{len(stream):,} readings, {len(faults)} faults unknown to the detector"
    )
    announcer = Announcer(faults, progress)
    with AnomalyTail(pipeline.site, progress):
        sent = pipeline.send(
            lambda sink, topic: play(
                stream,
                sink,
                topic,
                start_ms=plant.end,
                speed=options.speed,
                on_turn=lambda plant_now, _sent: announcer.tell(plant_now),
            ),
        )
        steps.next("stop: the stream drains, and every reading is accounted for")
        pipeline.drain(progress)
    verdicts, false_alarms = judge(pipeline.anomalies(), faults)
    ledger = pipeline.ledger(sent)
    pages = pipeline.pages()
    return Result(verdicts, false_alarms, ledger, steps.seconds, pages, folder, folder / SITE_FILE)


def prepare(folder: Path, progress: Progress) -> None:
    """Stops the engines of an earlier demo and removes its workspace.

    Raises EugenieError when the folder contains anything else.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return
    # a demo that was killed while it simulated its plant has only its site file and perhaps exports
    begun = {path.name for path in folder.iterdir()} in ({SITE_FILE}, {SITE_FILE, EXPORTS})
    if not begun and not (folder / MANIFEST).exists():
        raise EugenieError(
            f"{folder} is not empty and contains no earlier demo",
            "choose another folder with --output-dir",
            ExitCode.USAGE,
        )
    progress.say(f"replacing the earlier demo in {folder}")
    if (folder / SITE_FILE).exists():
        open_pipeline(folder / SITE_FILE).stop_engines(progress)
    shutil.rmtree(folder)


class Background:
    """Steps that run one at a time in the background of the narrated ones, until they are cancelled."""

    def __init__(self, pool: ThreadPoolExecutor, cancelled: threading.Event, progress: Progress) -> None:
        self._pool = pool
        self._cancelled = cancelled
        self._progress = progress
        self._begun: list[Future[None]] = []

    def begin(self, step: Callable[[Progress, Callable[[], bool]], None]) -> Future[None]:
        """Queues a step, which receives a Progress and a function that returns whether it was cancelled."""
        self._begun.append(self._pool.submit(step, self._progress, self._cancelled.is_set))
        return self._begun[-1]

    def check(self) -> None:
        """Raises the error of a failed step early, so that the others do not continue in vain."""
        for step in self._begun:
            if step.done():
                step.result()

    def finish(self, step: Future[None]) -> None:
        """Waits for a step and raises its error, if any. Ctrl-C is handled between two waits."""
        while not step.done():
            wait([step], timeout=0.5)
        step.result()


def _no_bar(amount: float) -> None:
    """An Advance that shows nothing."""


class Aside:
    """Progress of a background step: lines without bars."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def say(self, message: str) -> None:
        self._progress.say(f"  ({message})")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Advance]:  # noqa: ARG002
        self.say(label)
        yield _no_bar


def _stop_all(folder: Path, done: bool, progress: Progress) -> None:
    if not (folder / SITE_FILE).exists():
        return
    progress.say("stopping the engines" if done else "stopping everything that the demo started")
    open_pipeline(folder / SITE_FILE).stop_engines(progress)
    if not done:
        progress.say(f"kept: {folder} (history, models and logs up to this point)")


def _stop_late_starters(folder: Path) -> None:
    """Stops engines that a cancelled step started while the others were being stopped."""
    if (folder / SITE_FILE).exists():
        open_pipeline(folder / SITE_FILE).stop_engines(SILENT)
