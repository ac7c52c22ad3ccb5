"""A readings topic and the stream job that reads it, in memory: the product's decoders and tasks, with nothing replaced
but what is around them. Kafka is a list per partition, Flink is `flink_in_memory`, the model a formula.

Results are exactly-once as in Flink: a kill takes the job back to its last checkpoint, and what it wrote since is gone.
"""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from pyflink.datastream import TimeDomain

from eugenie_cli.flink_job import alarms, asset_reports, beam_patches, detect_operator
from eugenie_cli.flink_job.decode import Decoder, Messages
from eugenie_cli.flink_job.detect_operator import LAST_INSTANT, Detect
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.key_groups import keys, shards_of, tasks
from eugenie_cli.flink_job.predict import ScoredBatch
from eugenie_cli.flink_job.share import Share
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.readings.kafka_record import RecordParts
from eugenie_cli.streaming.asset_reports import AssetReport, read_reports
from support.flink_in_memory import Kept, Task

BEAT_MS = 1_000
"""How often the job reads what has arrived."""
FETCH = 500
"""Records of a partition that Kafka's client returns at a time."""
CHECKPOINT_MS = 5_000


@dataclass(frozen=True)
class Record:
    """A record of the readings topic."""

    at: int
    """Wall clock (ms) of its arrival."""
    partition: int
    payload: bytes | None
    readings: Mapping[str, int]
    """Whose readings it has, or is meant to have: asset, or another name of the sender -> their number."""
    key: bytes | None = None
    headers: Mapping[str, bytes] = field(default_factory=dict)
    timestamp: int | None = None
    """None: that of its arrival."""


class Written(NamedTuple):
    """A record that the job has written, at a wall clock (ms)."""

    kind: str
    key: str
    record: dict[str, Any]
    at: int


class Formula:
    """The model: the mean of the window. As with real models, a row without a value, or with too few in its window, has
    no score. Of values that are multiples of 1/4 it is exact in whatever order they are summed.
    """

    def __init__(self, stream: StreamInMemory) -> None:
        self._stream = stream

    def scored(self, batches: Iterable[Batch]) -> Iterator[ScoredBatch]:
        for batch in batches:
            self._stream.wall = max(self._stream.wall, self._stream.model_away_until)
            steps = batch.readings.shape[1]
            window = batch.rows.shape[1] - steps + 1
            present = ~np.isnan(batch.rows)
            total, count = np.where(present, batch.rows, 0.0).sum(axis=2), present.sum(axis=2)
            rows = count > 0
            score = np.where(
                (_windows(rows, window) >= 0.8 * window) & rows[:, -steps:],
                _windows(total, window) / np.maximum(_windows(count, window), 1),
                np.nan,
            )
            last = batch.rows[:, -steps:]
            shares = np.nan_to_num(last) + 0.125
            contribution = shares / shares.sum(axis=2, keepdims=True)
            yield ScoredBatch(replace(batch, rows=last), score, contribution, last, 1)

    def close(self) -> None:
        pass


def _windows(columns: np.ndarray, length: int) -> np.ndarray:
    """[B, M - 1 + K] -> sums of windows [B, K]."""
    sums = np.cumsum(np.pad(columns.astype(np.float64), ((0, 0), (1, 0))), axis=1)
    return sums[:, length:] - sums[:, :-length]


class StreamInMemory:
    """The topic, and the job while one runs. Times are the wall clock's, in ms."""

    def __init__(self, spec: JobSpec, records: Iterable[Record], begin: int) -> None:
        self.wall = begin
        self.machine_ms = 0
        """How far the clock of the job's machine is ahead of the wall clock."""
        self.model_away_until = 0
        """Until then the model server does not answer, and the job waits."""
        self.frozen_until = 0
        """Until then the job's machine stands still."""
        self.topic: dict[int, list[Record]] = {}
        for record in sorted(records, key=lambda record: record.at):  # stable: a partition keeps its order
            self.topic.setdefault(record.partition, []).append(record)
        self.results: list[Written] = []
        """Committed."""
        self._open: list[Written] = []
        self._kept, self._read = Kept(), Counter[int]()
        self._last: tuple[Kept, Counter[int], int] = Kept(), Counter(), begin
        self.decoders: list[Decoder] = []
        self.tasks: dict[int, tuple[Detect, Task]] = {}
        self.start(spec)

    # -- the life of a job --

    def start(self, spec: JobSpec | None = None) -> None:
        """Start a job from the last checkpoint."""
        self.spec = spec or self.spec
        kept, read, _ = self._last
        self._kept, self._read, self._open = kept.copy(), Counter(read), []
        self.decoders = [Decoder(self.spec) for _ in range(self.spec.parallelism)]
        self.tasks = {}
        with self._surroundings():
            for number in tasks(self.spec.shards, self.spec.parallelism):
                task = Task(self._kept, number, self.spec.parallelism)
                operator = Detect(self.spec)
                operator.open(task)
                self.tasks[number] = operator, task

    def kill(self) -> None:
        """The job is gone, with what it wrote since its last checkpoint."""
        self.decoders, self.tasks = [], {}

    def checkpoint(self) -> None:
        """Commit what was written, and keep the state. Before a kill: a stop with a savepoint."""
        self.results += self._open
        self._open = []
        self._last = self._kept.copy(), Counter(self._read), self.wall

    def drain(self, end: bool = True) -> None:
        """Read the rest of the topic and end the stream. `end`: the job, too, and nothing of its state is left."""
        self._poll()
        for domain, key, instant in sorted(self._kept.timers, key=lambda timer: timer[1:]):
            if domain is TimeDomain.EVENT_TIME:
                assert instant == LAST_INSTANT
                self._fire(domain, key, instant)
        self.checkpoint()
        if end:
            self.kill()
            self._last = Kept(), Counter(self._read), self.wall

    def run(self, until: int, events: Sequence[tuple[int, Callable[[StreamInMemory], None]]] = ()) -> None:
        """Let time pass. `events`: what happens when, in order."""
        events = list(events)
        while self.wall < until:
            self.wall += BEAT_MS
            while events and events[0][0] <= self.wall:
                events.pop(0)[1](self)
            if not self.tasks or self.wall < self.frozen_until:
                continue
            for domain, key, instant in sorted(self._kept.timers, key=lambda timer: timer[2]):
                if domain is TimeDomain.PROCESSING_TIME and instant <= self.wall + self.machine_ms:
                    self._fire(domain, key, instant)
            self._poll()
            if self.wall - self._last[2] >= CHECKPOINT_MS:
                self.checkpoint()

    # -- what is known of it --

    def gauge(self, name: str) -> int:
        """The sum of a figure over the tasks."""
        return sum(task.metrics.gauges[name]() for _, task in self.tasks.values())

    def reports(self) -> dict[str, AssetReport]:
        """What `stream status` says about assets: asset -> its report."""
        values = {
            f"x.{asset_reports.GROUP}.{key[1]}.{key[2]}": float(of())
            for _, task in self.tasks.values()
            for key, of in task.metrics.gauges.items()
            if isinstance(key, tuple)
        }
        return {report.asset: report for report in read_reports(values, (asset.name for asset in self.spec.assets))}

    def record(self, letter: Mapping[str, Any]) -> Record:
        """The record that a dead letter is about."""
        return self.topic[letter["partition"]][letter["offset"]]

    # -- reading and processing --

    def _poll(self) -> None:
        """Each decoder reads its partitions, as Kafka's client does: a portion of each at a time."""
        number_of = len(self.decoders)
        while fetched := [list(self._fetch(number, number_of)) for number in range(number_of)]:
            if not any(fetched):
                return
            for decoder, portion in zip(self.decoders, fetched, strict=True):
                if portion:
                    self._share(decoder, portion)

    def _fetch(self, number: int, number_of: int) -> Iterator[tuple[int, Record]]:
        for partition, records in self.topic.items():
            begin = self._read[partition]
            if partition % number_of == number and begin < len(records) and records[begin].at <= self.wall:
                portion = [record for record in records[begin : begin + FETCH] if record.at <= self.wall]
                self._read[partition] += len(portion)
                yield from enumerate(portion, begin)

    def _share(self, decoder: Decoder, portion: list[tuple[int, Record]]) -> None:
        records = [record for _, record in portion]
        sent = np.array([record.at if record.timestamp is None else record.timestamp for record in records], np.int64)
        parts = RecordParts.of(self.spec.mapping)
        members = None
        if parts:
            columns = [[record.key for record in records]] if parts.key else []
            columns += [[record.headers.get(name) for record in records] for name in parts.headers]
            members = parts.members(columns, sent.tolist())
        partition = np.array([record.partition for record in records], np.int64)
        offset = np.array([offset for offset, _ in portion], np.int64)
        messages = Messages([record.payload for record in records], partition, offset, sent, members)
        shares: dict[int, Share] = decoder.decode(messages, self.wall + self.machine_ms)
        for number, share in shares.items():
            operator, task = self.tasks[number]
            task.key = keys(self.spec.shards)[tasks(self.spec.shards, self.spec.parallelism)[number][0]]
            self._write(lambda: operator.process_element(pickle.dumps(share), task))  # noqa: B023 - called at once

    def _fire(self, domain: TimeDomain, key: int, instant: int) -> None:
        self._kept.timers.discard((domain, key, instant))
        shard = shards_of(self.spec.shards)[key]
        (number,) = (task for task, own in tasks(self.spec.shards, self.spec.parallelism).items() if shard in own)
        operator, task = self.tasks[number]
        self._write(lambda: operator.on_timer(instant, task.at(key, domain)))

    def _write(self, process: Callable[[], Iterator[Any]]) -> None:
        with self._surroundings():
            rows = list(process())
        for kind, key, texts in rows:
            self._open += [Written(kind, key, json.loads(text), self.wall) for text in texts]

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        def clock() -> int:
            return self.wall + self.machine_ms

        with (
            mock.patch.object(detect_operator, "_wall_ms", clock),
            mock.patch.object(alarms, "_wall_ms", clock),
            mock.patch.object(beam_patches, "apply", lambda: None),  # there is no Beam here
            mock.patch.object(detect_operator, "Predictor", lambda spec, note: Formula(self)),
        ):
            yield
