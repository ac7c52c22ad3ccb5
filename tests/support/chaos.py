"""Faults for a running stream, and the proof that they changed nothing.

with keeping(site):                          # what dies is started again
    submit(site, start="earliest")
    feed = Feed(site, messages)
    with feed.trickle(8_000, rate=400):      # readings go on arriving while
        FAULTS["broker"](site)               # something is killed
    ...
    outcome = finish(site, feed)             # the rest, the end of the stream, and all that came out of it
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
from eugenie_cli.operations import lifecycle
from eugenie_cli.operations.supervisor import Supervisor
from eugenie_cli.serving import local
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.stop import stop
from support.chaos_plant import Message

RECOVERED_WITHIN_S = 240.0
"""A machine with a load of 10 is slow, not broken: it is a limit for hanging, and measured is what it took."""

AWAY_S = float(os.environ.get("EUGENIE_CHAOS_AWAY") or (30 if os.environ.get("EUGENIE_CHAOS") == "full" else 10))
"""How long the model server stays away."""

WORKER_WORDS = "pyflink.fn_execution"


def on_topics(site: Site, name: str, partitions: int = 1, parallelism: int = 1) -> Site:
    """The same site on four topics of its own."""
    topics = {kind: f"{site.site}-{name}.{kind}" for kind in ("readings", "anomalies", "scores", "dead_letters")}
    kept = site.kafka.topics.model_copy(update=topics)
    return site.model_copy(
        update={
            "kafka": site.kafka.model_copy(update={"topics": kept, "partitions": partitions}),
            "stream": site.stream.model_copy(update={"parallelism": parallelism}),
        }
    )


class Told:
    """A Progress that keeps what it is told, with the time."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(f"{time.strftime('%H:%M:%S')} {message}")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Callable[[float], None]]:
        self.say(label)
        yield lambda amount: None


@contextmanager
def keeping(site: Site, told: Told) -> Iterator[Supervisor]:
    """The site's keeper, as `eugenie up --supervise` runs it, on a thread."""
    keeper, ended = Supervisor(site, told, only=()), threading.Event()
    thread = threading.Thread(target=keeper.run, args=(ended,), name="keeper")
    thread.start()
    try:
        yield keeper
    finally:
        ended.set()
        thread.join()


# -- readings that go on arriving ---------------------------------------------------------------------------


class Feed:
    """Sends messages in their order; a broker that is away for less than a minute loses none of them."""

    def __init__(self, site: Site, outgoing: Sequence[Message]) -> None:
        self._site = site
        self._outgoing = outgoing
        self.sent = 0

    @property
    def left(self) -> int:
        return len(self._outgoing) - self.sent

    def send(self, count: int) -> None:
        """Send the next `count`; returns when all are delivered."""
        with Producer(self._site) as producer:
            self._send(producer, count)

    @contextmanager
    def trickle(self, count: int, rate: float) -> Iterator[None]:
        """Send `count` at `rate` a second for the duration of the block, what is left of them at its end at once.

        The producer is there before the block begins: whatever the block does to the broker, it sends on.
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
        """Send the next `count`, no more than `rate` a second until `hurry` is set."""
        began, first = time.monotonic(), self.sent
        for key, payload in self._outgoing[first : first + count]:
            while rate and hurry and not hurry.is_set() and self.sent - first > (time.monotonic() - began) * rate:
                time.sleep(0.01)
            producer.send(str(self._site.topics.readings), key, payload)
            self.sent += 1
        producer.flush()


class Watch:
    """Follows the committed scores of a site: how far the stream has come."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self.latest = ""
        """The newest row's instant, ISO 8601."""
        self._made: list[int] = []
        """When the rows were made, ms since 1970: what is read after a fault may have been made before it."""

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def wait_for(self, reached: Callable[[], bool], what: str) -> float:
        """Wait until `reached`; returns after how many seconds. `what` is said when it takes too long."""
        began = time.monotonic()
        while not reached():
            assert self._thread.is_alive(), "nobody watches the scores any more"
            assert time.monotonic() - began < RECOVERED_WITHIN_S, f"{what}: not within {RECOVERED_WITHIN_S:.0f} s"
            time.sleep(0.05)
        return time.monotonic() - began

    def wait_for_rows(self, count: int, what: str, since_ms: int | None = None) -> float:
        """Wait for `count` committed rows that were made after an instant (left out: now)."""
        since = _now_ms() if since_ms is None else since_ms
        return self.wait_for(lambda: sum(made > since for made in self._made) >= count, what)

    def _run(self) -> None:
        topic = str(self._site.topics.scores)
        for one in consume.read(self._site, topic, since_ms=0, follow=True, stop=self._ended.is_set):
            self.latest = max(self.latest, json.loads(one.value or b"{}").get("ts", ""))
            self._made.append(one.timestamp_ms)


# -- faults -------------------------------------------------------------------------------------------------


def kill(site: Site, name: str) -> None:
    """SIGKILL to an engine, by the pid of its run file."""
    running = process.identify(run_file(workspace_of(site), name))
    assert running is not None, f"{name} does not run"
    os.kill(running.pid, signal.SIGKILL)


def kill_worker(site: Site) -> None:
    """SIGKILL to a Python worker of the job, never to the TaskManager itself."""
    alive = workers(site)
    assert alive, "the job has no Python worker"
    alive[0].kill()


def workers(site: Site) -> list[psutil.Process]:
    """The Python processes that the TaskManager has started for the job, oldest first."""
    running = process.identify(run_file(workspace_of(site), flink.TASKMANAGER))
    found = []
    for child in psutil.Process(running.pid).children(recursive=True) if running is not None else []:
        with contextlib.suppress(psutil.Error):
            words = child.cmdline()
            if any(WORKER_WORDS in word for word in words) and "python" in words[0]:
                found.append(child)
    return sorted(found, key=lambda child: child.create_time())


def server_away(site: Site) -> None:
    """The model server is killed, and nobody starts it for AWAY_S seconds."""
    file = run_file(workspace_of(site), lifecycle.SERVING)
    running = process.identify(file)
    assert running is not None, "the model server does not run"
    file.unlink()  # before it dies: what was stopped on purpose, the keeper does not start
    os.kill(running.pid, signal.SIGKILL)
    time.sleep(AWAY_S)
    local.start(site)


@contextmanager
def no_checkpoints(site: Site) -> Iterator[None]:
    """Nothing can be written where checkpoints lie, and nothing read: a file is in the folder's place."""
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
    "model server": lambda site: kill(site, lifecycle.SERVING),
}
"""What a kill can hit. The keeper revives it; Flink does the rest."""


@dataclass(frozen=True)
class Survived:
    """A fault, and after how many seconds new rows were committed again."""

    fault: str
    seconds: float


def survive(site: Site, watch: Watch, feed: Feed, fault: str, strike: Callable[[Site], None], count: int) -> Survived:
    """Strike while the next `count` readings arrive, and wait until the stream gives rows for readings after that.

    A third of them comes first, and has given rows when the others begin: when a job is slow to start, not everything
    must have come before the strike.
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
"""Readings a second while something is killed: 20 seconds of the plant's time in a second."""
ROWS_BEFORE = 200
IN_FLIGHT_ROWS = 500
"""More than what had been read and not committed when the fault struck: 8 rows a second of the plant's time."""


def random_kills(site: Site, watch: Watch, feed: Feed, kills: int, seed: int) -> Iterator[Survived]:
    """As many kills, each of something else than chance would have it spare, while readings arrive."""
    rng = random.Random(seed)
    for number in range(kills):
        fault = rng.choice(sorted(FAULTS))
        share = feed.left // (kills + 1 - number)
        yield survive(site, watch, feed, fault, FAULTS[fault], share)


# -- what came out ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """All committed results of a run."""

    scores: dict[tuple[str, str], dict[str, Any]]
    """(asset, ts) -> record."""
    anomalies: dict[str, list[dict[str, Any]]]
    """Asset -> its records in their order."""
    dead: Counter[str]
    """Readings in dead letters, by reason."""
    rows: Counter[str]
    """`readings` and `bad_quality` of the score records."""
    repeated: int
    """Score records of a row that has one already."""

    @property
    def accounted(self) -> int:
        return sum(self.dead.values()) + sum(self.rows.values())


def finish(site: Site, feed: Feed) -> Outcome:
    """Send what is left, drain the stream, read what it made."""
    feed.send(feed.left)
    stop(site, drain=True)
    return outcome(site)


def outcome(site: Site) -> Outcome:
    """What is committed on the site's topics."""
    scores: dict[tuple[str, str], dict[str, Any]] = {}
    anomalies: dict[str, list[dict[str, Any]]] = {}
    dead, rows, repeated = Counter[str](), Counter[str](), 0
    for one in records(site, site.topics.scores):
        repeated += (one["asset"], one["ts"]) in scores
        scores[one["asset"], one["ts"]] = one
        rows.update({name: one[name] for name in ("readings", "bad_quality")})
    for one in records(site, site.topics.anomalies):
        anomalies.setdefault(one["asset"], []).append(one)
    for one in records(site, site.topics.dead_letters):
        dead[one["reason"]] += one.get("count", 1)
    return Outcome(scores, anomalies, dead, rows, repeated)


def records(site: Site, topic: str | None) -> Iterator[dict[str, Any]]:
    for record in consume.read(site, str(topic), until_end=True):
        if record.value:
            yield json.loads(record.value)


def differences(found: Outcome, wanted: Outcome) -> list[str]:
    """In words, what is not the same in both; empty when everything is."""
    told = [f"{found.repeated} rows scored twice"] if found.repeated else []
    for name, here, there in (
        ("score", found.scores, wanted.scores),
        ("anomalies of", found.anomalies, wanted.anomalies),
        ("dead letters", found.dead, wanted.dead),
        ("in rows", found.rows, wanted.rows),
    ):
        apart = [key for key in {**there, **here} if here.get(key) != there.get(key)]
        if apart:
            told.append(f"{len(apart)} differ: {name}")
            told += [f"  {key}: {here.get(key)} instead of {there.get(key)}" for key in apart[:3]]
    return told
