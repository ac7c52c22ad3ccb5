"""Decodes a batch of messages into one share per task: readings in columns, dead letters, event time. Pure.

Every check that needs the message itself is made here: malformed, from the future, unknown tag, late. `shard` only has
to make rows.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.episodes.records import dead_letter, dumps, iso
from eugenie_cli.flink_job import unknown_tags
from eugenie_cli.flink_job.key_groups import tasks
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.unknown_tags import Key, UnknownTag  # states of earlier releases find the class here
from eugenie_cli.flink_job.watermark import NOT_YET, Watermark
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.avro import SchemaOf
from eugenie_cli.readings.columns.reader import Columns, compile_columns
from eugenie_cli.readings.kafka_record import Members, shown
from eugenie_cli.readings.schema_registry import SchemaRegistry, patient

log = logging.getLogger(__name__)

LETTERS_TASK = 0
"""The task that receives dead letters. It has the first shard, with which unknown tags are counted."""

EARLIEST_CLOCK_MS = 1_451_606_400_000
"""2016-01-01 UTC: records have had timestamps since then (Kafka 0.10). An earlier timestamp (-1, 0, or of a clock that
was never set) counts as missing, and a machine whose clock shows an earlier time counts as having no clock."""

REPORT_EVERY_MS = 1_000
"""How often (wall clock) one of several decoders reports its progress to every task, including tasks that get no
readings from it: otherwise they would consider it idle."""

NEVER = int(np.iinfo(np.int64).max) // 2
"""An instant after all others; adding to it does not overflow."""


Readings = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float64]"]
"""N readings in columns: places (`sensor_index`), instants in ms since 1970 UTC, values in engineering units (NaN: bad
quality)."""


@dataclass
class Share:
    """The part of a batch that one task receives."""

    readings: dict[int, Readings] = field(default_factory=dict)
    """By shard."""
    letters: list[tuple[str, bytes]] = field(default_factory=list)
    """(reason, record) of each rejected message."""
    unknown_tags: dict[Key, UnknownTag] = field(default_factory=dict)
    complete: int | None = None
    """ms since 1970 UTC: this decoder sends no more readings up to here. None: not reported in this share."""
    decoder: int = 0
    """The number that identifies this decoder among several."""


@dataclass(frozen=True)
class Messages:
    """N records of the readings topic."""

    payload: Sequence[bytes | None]
    partition: NDArray[np.int64]
    offset: NDArray[np.int64]
    sent: NDArray[np.int64]
    """Timestamps in Kafka, ms since 1970 UTC; set by the producer if the topic uses create time."""
    members: Sequence[Members] | None = None
    """What each record adds to its message; None if the mapping takes nothing from records."""


class Decoder:
    """Decodes consecutive batches; `clock.now` is the event time reached."""

    def __init__(self, spec: JobSpec) -> None:
        self._topic = spec.kafka.readings
        self._max_ahead = spec.max_ahead_ms
        self._ignores_unknown = spec.unknown == unknown_tags.IGNORE
        self._shards = spec.shards
        self._tasks = tasks(spec.shards, spec.parallelism)
        self._task_of = {shard: task for task, shards in self._tasks.items() for shard in shards}
        self._alone = spec.parallelism == 1
        self._number = 0 if self._alone else int.from_bytes(os.urandom(7), "big")
        self._reported_ms: int | None = None
        self._steps = {equipment.step_ms for equipment in spec.classes}
        self._routes = SensorIndex(spec)
        self._read = compile_columns(spec.mapping, spec.timezone, self._routes.place_of, _schemas(spec))
        self.clock = Watermark(spec.partitions, spec.parallelism, spec.out_of_orderness_ms, spec.idle_timeout_ms)

    def decode(self, messages: Messages, wall_ms: int) -> dict[int, Share]:
        """Task -> its share, for tasks that receive one."""
        columns = self._read(messages.payload, messages.members)
        refusals = Refusals()
        for index, rejected in columns.rejected:
            refusals.add(index, rejected.reason, rejected.detail)
        message, place, ts = columns.message, columns.place, columns.ts
        arrival = arrivals(messages.sent, wall_ms)
        future = ts > (arrival + self._max_ahead)[message]
        known = place >= 0
        step = self._routes.step[np.where(known, place, 0)]
        edges = -(-ts // step) * step
        late = known & ~future & (edges <= self.clock.now)
        if future.any() or late.any():
            self._refuse(refusals, columns, arrival, future, late)
        unknown = self._unknown_tags(columns, messages, ~known & ~future)
        before = self.clock.now
        self.clock.advance(_largest(messages.partition[message], ts, ~future), wall_ms)

        shares: dict[int, Share] = {}
        self._distribute(shares, place, ts, columns.value, known & ~future & ~late)
        if refusals.entries or unknown:
            share = shares.setdefault(LETTERS_TASK, Share())
            share.letters, share.unknown_tags = refusals.letters(messages, self._topic), unknown
        self._report(shares, before, wall_ms)
        return shares

    def _report(self, shares: dict[int, Share], before: int, wall_ms: int) -> None:
        """Report event time to tasks that receive a share, and periodically to all tasks."""
        is_due = self._crossed(before)
        if not self._alone and (self._reported_ms is None or not 0 <= wall_ms - self._reported_ms < REPORT_EVERY_MS):
            is_due = True
        if is_due:
            self._reported_ms = wall_ms
            for task in self._tasks:
                shares.setdefault(task, Share())
        for share in shares.values():
            share.complete, share.decoder = self.clock.now, self._number

    def _crossed(self, before: int) -> bool:
        """Whether rows may have become due since event time was `before`."""
        return any(self.clock.now // step > before // step for step in self._steps)

    def _distribute(
        self,
        shares: dict[int, Share],
        place: NDArray[np.int64],
        ts: NDArray[np.int64],
        value: NDArray[np.float64],
        accepted: NDArray[np.bool_],
    ) -> None:
        """Distribute readings to the tasks of their shards."""
        if not accepted.all():
            place, ts, value = place[accepted], ts[accepted], value[accepted]
        shard = self._routes.shard[place]
        order = np.argsort(shard, kind="stable")
        place, ts, value = place[order], ts[order], value[order]
        ends = np.cumsum(np.bincount(shard, minlength=self._shards)).tolist()
        for number, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
            if end > begin:
                share = shares.setdefault(self._task_of[number], Share())
                share.readings[number] = place[begin:end], ts[begin:end], value[begin:end]

    def _refuse(
        self,
        refusals: Refusals,
        columns: Columns,
        arrival: NDArray[np.int64],
        future: NDArray[np.bool_],
        late: NDArray[np.bool_],
    ) -> None:
        for row in np.flatnonzero(future).tolist():
            index, instant = int(columns.message[row]), iso(int(columns.ts[row]))
            ahead = f"{self._max_ahead / 1000:g} s"
            detail = f"{instant} is more than {ahead} after its arrival, {iso(int(arrival[index]))}"
            refusals.add(index, reject_reasons.FUTURE, detail)
        for row in np.flatnonzero(late).tolist():
            detail = f"{iso(int(columns.ts[row]))}: its row is complete, event time is {iso(self.clock.now)}"
            refusals.add(int(columns.message[row]), reject_reasons.LATE, detail)

    def _unknown_tags(self, columns: Columns, messages: Messages, mask: NDArray[np.bool_]) -> dict[Key, UnknownTag]:
        rows = np.flatnonzero(mask)
        if not len(rows):
            return {}
        number, first, count = np.unique(-1 - columns.place[rows], return_index=True, return_counts=True)
        message = columns.message[rows[first]]
        order = np.argsort(message, kind="stable")
        message = message[order]
        numbers = count[order], messages.partition[message], messages.offset[message]
        if self._ignores_unknown:
            return unknown_tags.total(*numbers)
        return unknown_tags.summarise([columns.unknown[index] for index in number[order].tolist()], *numbers)


def arrivals(sent: NDArray[np.int64], wall_ms: int) -> NDArray[np.int64]:
    """Best estimate of when records arrived, int64 [N] in ms: the earlier of the timestamp in Kafka and now.

    The timestamp alone does not suffice: a producer that sets it has the same wrong clock as its readings. Nor does the
    wall clock: read an hour later, a reading half an hour ahead no longer lies in the future.
    """
    stamped = np.where(sent >= EARLIEST_CLOCK_MS, sent, NEVER)
    return np.minimum(stamped, wall_ms if wall_ms >= EARLIEST_CLOCK_MS else NEVER)


def _schemas(spec: JobSpec) -> SchemaOf | None:
    """The registry of Avro schemas. While it is unreachable, decoding waits, and back pressure holds the readings."""
    registry = spec.mapping.get("registry")
    if registry is None:
        return None
    return patient(SchemaRegistry(**registry), lambda text: log.warning("%s", text))


class Refusals:
    """Rejected parts of a batch: the first detail and the count for each message and reason."""

    def __init__(self) -> None:
        self.entries: dict[tuple[int, str], list] = {}

    def add(self, index: int, reason: str, detail: str) -> None:
        """Add a rejected reading or message. A message with a thousand late readings gives one letter."""
        self.entries.setdefault((index, reason), [detail, 0])[1] += 1

    def letters(self, messages: Messages, topic: str) -> list[tuple[str, bytes]]:
        """(reason, dead letter) for each. Letters about several readings have a `count`."""
        letters = []
        for (index, reason), (detail, count) in self.entries.items():
            partition, offset = int(messages.partition[index]), int(messages.offset[index])
            letter = dead_letter(reason, detail, messages.payload[index], topic, partition, offset)
            if messages.members is not None:
                letter["record"] = shown(messages.members[index])
            letters.append((reason, dumps(letter if count == 1 else {**letter, "count": count})))
        return letters


def _largest(partition: NDArray[np.int64], ts: NDArray[np.int64], counted: NDArray[np.bool_]) -> Mapping[int, int]:
    """Partition -> the largest instant among its readings where `counted` is true."""
    if not counted.all():
        partition, ts = partition[counted], ts[counted]
    if not len(ts):
        return {}
    if (partition == partition[0]).all():
        return {int(partition[0]): int(ts.max())}
    numbers, index = np.unique(partition, return_inverse=True)
    largest = np.full(len(numbers), NOT_YET, np.int64)
    np.maximum.at(largest, index, ts)
    return dict(zip(numbers.tolist(), largest.tolist(), strict=True))
