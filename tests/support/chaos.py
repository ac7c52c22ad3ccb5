"""Injects faults into a running stream and checks that they do not change its results.

with keeping(site):                          # restarts what dies
    submit(site, start="earliest")
    feed = Feed(site, messages)
    with feed.trickle(8_000, rate=400):      # readings keep arriving while
        FAULTS["broker"](site)               # something is killed
    ...
    outcome = finish(site, feed)             # sends the rest, ends the stream and collects its results
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from eugenie_cli.broker import consume
from eugenie_cli.broker.produce import Producer
from eugenie_cli.engines import flink, kafka, process
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.operations.site_engines import SERVING
from eugenie_cli.operations.supervisor import Supervisor
from eugenie_cli.serving import local
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.stop import stop
from support.chaos_plant import Message

RECOVERED_WITHIN_S = 240.0
"""Limit for a stream that hangs: a machine with a load of 10 is slow, not broken. The actual time is measured."""

AWAY_S = float(os.environ.get("EUGENIE_CHAOS_AWAY") or (30 if os.environ.get("EUGENIE_CHAOS") == "full" else 10))
"""How long the model server stays down."""

WORKER_MODULE = "pyflink.fn_execution"


def on_topics(site: Site, name: str, partitions: int = 1, parallelism: int = 1) -> Site:
    """The same site with its own four topics."""
    topics = {kind: f"{site.site}-{name}.{kind}" for kind in ("readings", "anomalies", "scores", "dead_letters")}
    kept = site.kafka.topics.model_copy(update=topics)
    return site.model_copy(
        update={
            "kafka": site.kafka.model_copy(update={"topics": kept, "partitions": partitions}),
            "stream": site.stream.model_copy(update={"parallelism": parallelism}),
        }
    )


class ProgressLog:
    """A Progress that records its messages with their time."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(f"{time.strftime('%H:%M:%S')} {message}")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Callable[[float], None]]:
        self.say(label)
        yield lambda amount: None


@contextmanager
def keeping(site: Site, log: ProgressLog) -> Iterator[Supervisor]:
    """Run the site's supervisor on a thread, as `eugenie up --supervise` does."""
    supervisor, ended = Supervisor(site, log, only=()), threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(ended,), name="keeper")
    thread.start()
    try:
        yield supervisor
    finally:
        ended.set()
        thread.join()


# -- readings that keep arriving ----------------------------------------------------------------------------


class Feed:
    """Sends messages in order; none is lost while the broker is unreachable for less than a minute."""

    def __init__(self, site: Site, outgoing: Sequence[Message]) -> None:
        self._site = site
        self._outgoing = outgoing
        self.sent = 0

    @property
    def left(self) -> int:
        return len(self._outgoing) - self.sent

    def send(self, count: int) -> None:
        """Send the next `count` messages; returns when all are delivered."""
        with Producer(self._site) as producer:
            self._send(producer, count)

    @contextmanager
    def trickle(self, count: int, rate: float) -> Iterator[None]:
        """Send `count` messages at `rate` per second during the block, and the remaining ones at once at its end.

        The producer exists before the block begins, so it keeps sending whatever the block does to the broker.
        """
        hurry = threading.Event()
        with ThreadPoolExecutor(1, "feed") as pool, Producer(self._site) as producer:
            sending = pool.submit(self._send, producer, count, rate, hurry)
            try:
                yield
            finally:
                hurry.set()
                sending.result()

    def _send(
        self, producer: Producer, count: int, rate: float | None = None, hurry: threading.Event | None = None
    ) -> None:
        """Send the next `count` messages, at most `rate` per second until `hurry` is set."""
        began, first = time.monotonic(), self.sent
        for key, payload in self._outgoing[first : first + count]:
            while rate and hurry and not hurry.is_set() and self.sent - first > (time.monotonic() - began) * rate:
                time.sleep(0.01)
            producer.send(str(self._site.topics.readings), key, payload)
            self.sent += 1
        producer.flush()


class Watch:
    """Follows the committed scores of a site, which show the stream's progress."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self.latest = ""
        """The instant of the newest row, ISO 8601."""
        self._written: list[int] = []
        """When the rows were written, ms since 1970: rows read after a fault may have been written before it."""

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for(self, reached: Callable[[], bool], what: str) -> float:
        """Wait until `reached`; returns the seconds that it took. `what` describes the condition in the error."""
        began = time.monotonic()
        while not reached():
            assert self._thread.is_alive(), "the thread that watches the scores has died"
            assert time.monotonic() - began < RECOVERED_WITHIN_S, f"{what}: not within {RECOVERED_WITHIN_S:.0f} s"
            time.sleep(0.05)
        return time.monotonic() - began

    def wait_for_rows(self, count: int, what: str, since_ms: int | None = None) -> float:
        """Wait for `count` committed rows that were written after an instant, by default now."""
        since = _now_ms() if since_ms is None else since_ms
        return self.wait_for(lambda: sum(written > since for written in self._written) >= count, what)

    def _run(self) -> None:
        topic = str(self._site.topics.scores)
        for record in consume.read(self._site, topic, since_ms=0, follow=True, stop=self._ended.is_set):
            self.latest = max(self.latest, json.loads(record.value or b"{}").get("ts", ""))
            self._written.append(record.timestamp_ms)


# -- faults -------------------------------------------------------------------------------------------------


def kill(site: Site, name: str) -> None:
    """Send SIGKILL to an engine, by the pid in its run file."""
    running = process.identify(run_file(workspace_of(site), name))
    assert running is not None, f"{name} is not running"
    os.kill(running.pid, signal.SIGKILL)


def kill_worker(site: Site) -> None:
    """Send SIGKILL to a Python worker of the job, never to the TaskManager itself."""
    alive = workers(site)
    assert alive, "the job has no Python worker"
    alive[0].kill()


def workers(site: Site) -> list[psutil.Process]:
    """The Python processes that the TaskManager started for the job, oldest first."""
    running = process.identify(run_file(workspace_of(site), flink.TASKMANAGER))
    processes = []
    for child in psutil.Process(running.pid).children(recursive=True) if running is not None else []:
        with contextlib.suppress(psutil.Error):
            arguments = child.cmdline()
            if any(WORKER_MODULE in argument for argument in arguments) and "python" in arguments[0]:
                processes.append(child)
    return sorted(processes, key=lambda child: child.create_time())


def server_away(site: Site) -> None:
    """Kill the model server and restart it only after AWAY_S seconds."""
    file = run_file(workspace_of(site), SERVING)
    running = process.identify(file)
    assert running is not None, "the model server is not running"
    file.unlink()  # before it dies, so that the supervisor takes it for stopped on purpose and does not restart it
    os.kill(running.pid, signal.SIGKILL)
    time.sleep(AWAY_S)
    local.start(site)


@contextmanager
def no_checkpoints(site: Site) -> Iterator[None]:
    """Make checkpoints impossible to write or read by replacing their folder with a file."""
    folder = workspace_of(site).checkpoints
    aside = folder.with_name("checkpoints-aside")
    folder.rename(aside)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)


FAULTS: dict[str, Callable[[Site], None]] = {
    "TaskManager": lambda site: kill(site, flink.TASKMANAGER),
    "JobManager": lambda site: kill(site, flink.JOBMANAGER),
    "broker": lambda site: kill(site, kafka.NAME),
    "Python worker": kill_worker,
    "model server": lambda site: kill(site, SERVING),
}
"""Targets of kills. The supervisor restarts them; Flink does the rest."""


@dataclass(frozen=True)
class Survived:
    """A fault, and the seconds until new rows were committed again."""

    fault: str
    seconds: float


def survive(site: Site, watch: Watch, feed: Feed, fault: str, strike: Callable[[Site], None], count: int) -> Survived:
    """Strike while the next `count` readings arrive, and wait until the stream commits rows of later readings.

    A third of the readings is sent first, and its rows are committed before the rest is sent: if the job starts slowly,
    not all readings may arrive before the strike.
    """
    since_ms = _now_ms()
    feed.send(count // 3)
    watch.wait_for_rows(ROWS_BEFORE, f"rows before the end of the {fault}", since_ms)
    with feed.trickle(count - count // 3, rate=RATE):
        began, since_ms = time.monotonic(), _now_ms()
        strike(site)
        watch.wait_for_rows(IN_FLIGHT_ROWS, f"rows after the end of the {fault}", since_ms)
        return Survived(fault, time.monotonic() - began)


def _now_ms() -> int:
    return int(time.time() * 1000)


RATE = 500.0
"""Readings per second while something is killed: 20 seconds of the plant's time per second."""
ROWS_BEFORE = 200
IN_FLIGHT_ROWS = 500
"""More rows than were read but not committed when the fault struck, at 8 rows per second of the plant's time."""


def random_kills(site: Site, watch: Watch, feed: Feed, kills: int, seed: int) -> Iterator[Survived]:
    """Kill random targets, `kills` times, while readings arrive."""
    rng = random.Random(seed)
    for number in range(kills):
        fault = rng.choice(sorted(FAULTS))
        share = feed.left // (kills + 1 - number)
        yield survive(site, watch, feed, fault, FAULTS[fault], share)


# -- results ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """All committed results of a run."""

    scores: dict[tuple[str, str], dict[str, Any]]
    """(asset, ts) -> record."""
    anomalies: dict[str, list[dict[str, Any]]]
    """Asset -> its records in order."""
    dead: Counter[str]
    """Readings in dead letters by reason."""
    rows: Counter[str]
    """Sums of `readings` and `bad_quality` over the score records."""
    repeated: int
    """Score records of rows that already have one."""

    @property
    def accounted(self) -> int:
        return sum(self.dead.values()) + sum(self.rows.values())


def finish(site: Site, feed: Feed) -> Outcome:
    """Send the remaining messages, drain the stream and read its results."""
    feed.send(feed.left)
    stop(site, drain=True)
    return outcome(site)


def outcome(site: Site) -> Outcome:
    """The committed results on the site's topics."""
    scores: dict[tuple[str, str], dict[str, Any]] = {}
    anomalies: dict[str, list[dict[str, Any]]] = {}
    dead, rows, repeated = Counter[str](), Counter[str](), 0
    for row in records(site, site.topics.scores):
        repeated += (row["asset"], row["ts"]) in scores
        scores[row["asset"], row["ts"]] = row
        rows.update({name: row[name] for name in ("readings", "bad_quality")})
    for anomaly in records(site, site.topics.anomalies):
        anomalies.setdefault(anomaly["asset"], []).append(anomaly)
    for letter in records(site, site.topics.dead_letters):
        dead[letter["reason"]] += letter.get("count", 1)
    return Outcome(scores, anomalies, dead, rows, repeated)


def records(site: Site, topic: str | None) -> Iterator[dict[str, Any]]:
    for record in consume.read(site, str(topic), until_end=True):
        if record.value:
            yield json.loads(record.value)


def differences(actual: Outcome, expected: Outcome) -> list[str]:
    """Descriptions of the differences between two outcomes; empty if they are equal."""
    lines = [f"{actual.repeated} rows scored twice"] if actual.repeated else []
    for name, ours, theirs in (
        ("score", actual.scores, expected.scores),
        ("anomalies of", actual.anomalies, expected.anomalies),
        ("dead letters", actual.dead, expected.dead),
        ("in rows", actual.rows, expected.rows),
    ):
        different = [key for key in {**theirs, **ours} if ours.get(key) != theirs.get(key)]
        if different:
            lines.append(f"{len(different)} differ: {name}")
            lines += [f"  {key}: {ours.get(key)} instead of {theirs.get(key)}" for key in different[:3]]
    return lines
