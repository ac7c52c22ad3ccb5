"""Messages of a batch -> what each task gets of it: readings in columns, dead letters, and the clock. Pure.

Every verdict that needs the message itself falls here: malformed, from the future, of a tag that the site does not
have, late. `windows` has only to make rows.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.episodes.records import dead_letter, dumps, iso
from eugenie_cli.flink_job.key_groups import tasks
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.watermark import NOT_YET, Watermark
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.avro import SchemaOf
from eugenie_cli.readings.columns.reader import Columns, compile_columns
from eugenie_cli.readings.columns.sensor_index import Identity
from eugenie_cli.readings.schema_registry import SchemaRegistry, patient

log = logging.getLogger(__name__)

FOR_LETTERS = 0
"""The task that dead letters go to. It has the first shard, with which tags that the site does not have are counted."""

CLOCKS_BEGIN = 1_451_606_400_000
"""2016-01-01 UTC: records have had timestamps since then (Kafka 0.10). One that is stamped before (-1, 0, the first
days of a clock that was never set) counts as not stamped, and a machine whose clock shows less has none."""

TELL_EVERY_MS = 1_000
"""Of the wall clock: how often one of several decoders says to every task how far it has come, even to those that get
no reading of it. Else they would take it for idle."""

NEVER = int(np.iinfo(np.int64).max) // 2
"""An instant after all others, safe to add to."""


@dataclass(frozen=True)
class UnknownTag:
    """Readings of one identity that the site does not have: how many, and where the first lies."""

    count: int
    partition: int
    offset: int


Readings = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float64]"]
"""N readings in columns: places, instants in ms since 1970 UTC, values in engineering units (NaN: bad quality)."""


@dataclass
class Share:
    """What one task gets of a batch."""

    readings: dict[int, Readings] = field(default_factory=dict)
    """By shard."""
    letters: list[tuple[str, bytes]] = field(default_factory=list)
    """(reason, record) of each message that is no reading."""
    strange: dict[Identity, UnknownTag] = field(default_factory=dict)
    complete: int | None = None
    """ms since 1970 UTC: this decoder sends no more readings up to here. None: that is not said now."""
    decoder: int = 0
    """Which decoder says so, where there are several: a number that is its own."""


@dataclass(frozen=True)
class Messages:
    """N records of the readings topic."""

    payload: Sequence[bytes | None]
    partition: NDArray[np.int64]
    offset: NDArray[np.int64]
    sent: NDArray[np.int64]
    """Their timestamps in Kafka, ms since 1970 UTC: whatever the producer set, where the topic keeps that."""


class Decoder:
    """Decodes batches one after another; `clock.now` is how far event time has come."""

    def __init__(self, spec: JobSpec) -> None:
        self._topic = spec.kafka.readings
        self._max_ahead = spec.max_ahead_ms
        self._shards = spec.shards
        self._tasks = tasks(spec.shards, spec.parallelism)
        self._task_of = {shard: task for task, shards in self._tasks.items() for shard in shards}
        self._alone = spec.parallelism == 1
        self._number = 0 if self._alone else int.from_bytes(os.urandom(7), "big")
        self._told: int | None = None
        self._steps = {one.step_ms for one in spec.classes}
        self._routes = SensorIndex(spec)
        self._read = compile_columns(spec.mapping, spec.timezone, self._routes.place_of, _schemas(spec))
        self.clock = Watermark(spec.partitions, spec.parallelism, spec.out_of_orderness_ms, spec.idle_timeout_ms)

    def decode(self, messages: Messages, wall_ms: int) -> dict[int, Share]:
        """Task -> its share, for the tasks that get any."""
        columns = self._read(messages.payload)
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
        strange = self._strange(columns, messages, ~known & ~future)
        before = self.clock.now
        self.clock.advance(_largest(messages.partition[message], ts, ~future), wall_ms)

        shares: dict[int, Share] = {}
        self._deal(shares, place, ts, columns.value, known & ~future & ~late)
        if refusals.found or strange:
            share = shares.setdefault(FOR_LETTERS, Share())
            share.letters, share.strange = refusals.letters(messages, self._topic), strange
        self._tell(shares, before, wall_ms)
        return shares

    def _tell(self, shares: dict[int, Share], before: int, wall_ms: int) -> None:
        """Say how far event time has come: to those that get a share, and now and then to all."""
        is_due = self._crossed(before)
        if not self._alone and (self._told is None or not 0 <= wall_ms - self._told < TELL_EVERY_MS):
            is_due = True
        if is_due:
            self._told = wall_ms
            for task in self._tasks:
                shares.setdefault(task, Share())
        for share in shares.values():
            share.complete, share.decoder = self.clock.now, self._number

    def _crossed(self, before: int) -> bool:
        """Whether rows may be due since the clock showed `before`."""
        return any(self.clock.now // step > before // step for step in self._steps)

    def _deal(
        self,
        shares: dict[int, Share],
        place: NDArray[np.int64],
        ts: NDArray[np.int64],
        value: NDArray[np.float64],
        taken: NDArray[np.bool_],
    ) -> None:
        """Readings to the tasks of their shards."""
        if not taken.all():
            place, ts, value = place[taken], ts[taken], value[taken]
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
            detail = f"{iso(int(columns.ts[row]))}: its row is made, event time is {iso(self.clock.now)}"
            refusals.add(int(columns.message[row]), reject_reasons.LATE, detail)

    def _strange(self, columns: Columns, messages: Messages, mask: NDArray[np.bool_]) -> dict[Identity, UnknownTag]:
        rows = np.flatnonzero(mask)
        if not len(rows):
            return {}
        number, first, count = np.unique(-1 - columns.place[rows], return_index=True, return_counts=True)
        at = columns.message[rows[first]]
        where = zip(messages.partition[at].tolist(), messages.offset[at].tolist(), strict=True)
        return {
            columns.unknown[one]: UnknownTag(often, *place)
            for one, often, place in zip(number.tolist(), count.tolist(), where, strict=True)
        }


def arrivals(sent: NDArray[np.int64], wall_ms: int) -> NDArray[np.int64]:
    """When records arrived, as far as can be known, int64 [N] in ms: at the timestamp in Kafka, and before now.

    Their own timestamp alone will not do: a producer that sets it has the same wrong clock as its readings. The wall
    clock alone neither: read an hour later, a reading of half an hour ahead is none of the future any more.
    """
    stamped = np.where(sent >= CLOCKS_BEGIN, sent, NEVER)
    return np.minimum(stamped, wall_ms if wall_ms >= CLOCKS_BEGIN else NEVER)


def _schemas(spec: JobSpec) -> SchemaOf | None:
    """The registry of Avro schemas. While it is away decoding waits, and Flink holds the readings back."""
    registry = spec.mapping.get("registry")
    if registry is None:
        return None
    return patient(SchemaRegistry(**registry), lambda text: log.warning("%s", text))


class Refusals:
    """What of a batch is no reading: for each message and reason the first detail, and how often."""

    def __init__(self) -> None:
        self.found: dict[tuple[int, str], list] = {}

    def add(self, index: int, reason: str, detail: str) -> None:
        """One reading, or one message, that is refused. An array of a thousand late readings is one letter."""
        self.found.setdefault((index, reason), [detail, 0])[1] += 1

    def letters(self, messages: Messages, topic: str) -> list[tuple[str, bytes]]:
        """(reason, dead letter). `count` stands in those that are of several readings."""
        written = []
        for (index, reason), (detail, count) in self.found.items():
            partition, offset = int(messages.partition[index]), int(messages.offset[index])
            letter = dead_letter(reason, detail, messages.payload[index], topic, partition, offset)
            written.append((reason, dumps(letter if count == 1 else {**letter, "count": count})))
        return written


def _largest(partition: NDArray[np.int64], ts: NDArray[np.int64], counted: NDArray[np.bool_]) -> Mapping[int, int]:
    """Partition -> the largest instant of its readings that are `counted`."""
    if not counted.all():
        partition, ts = partition[counted], ts[counted]
    if not len(ts):
        return {}
    if (partition == partition[0]).all():
        return {int(partition[0]): int(ts.max())}
    numbers, place = np.unique(partition, return_inverse=True)
    largest = np.full(len(numbers), NOT_YET, np.int64)
    np.maximum.at(largest, place, ts)
    return dict(zip(numbers.tolist(), largest.tolist(), strict=True))
