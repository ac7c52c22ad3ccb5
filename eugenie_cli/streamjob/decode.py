"""Messages of a batch -> what each task gets of it: readings in columns, dead letters, and the clock. Pure.

Every verdict that needs the message itself falls here: malformed, from the future, of a tag that the site does not
have, late. `windows` has only to make rows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.episodes.records import dead_letter, dumps, iso
from eugenie_cli.readings import reasons
from eugenie_cli.readings.avro import SchemaOf
from eugenie_cli.readings.columnar.places import Identity
from eugenie_cli.readings.columnar.reader import Columns, compile_columns
from eugenie_cli.readings.registry import SchemaRegistry, patient
from eugenie_cli.streamjob.clock import Clock
from eugenie_cli.streamjob.keys import tasks
from eugenie_cli.streamjob.routes import Routes
from eugenie_cli.streamjob.spec import JobSpec

log = logging.getLogger(__name__)

FOR_LETTERS = 0
"""The task that dead letters go to. It has the first shard, with which tags that the site does not have are counted."""


@dataclass(frozen=True)
class Strange:
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
    strange: dict[Identity, Strange] = field(default_factory=dict)
    complete: int | None = None
    """ms since 1970 UTC: no more readings come up to here. None where other decoders have a say in it."""


@dataclass(frozen=True)
class Messages:
    """N records of the readings topic."""

    payload: Sequence[bytes | None]
    partition: NDArray[np.int64]
    offset: NDArray[np.int64]
    sent: NDArray[np.int64]
    """Their timestamps in Kafka, ms since 1970 UTC."""


class Decoder:
    """Decodes batches one after another; `clock.now` is how far event time has come."""

    def __init__(self, spec: JobSpec) -> None:
        self._topic = spec.kafka.readings
        self._max_ahead = spec.max_ahead_ms
        self._shards = spec.shards
        self._task_of = {
            shard: task for task, shards in tasks(spec.shards, spec.parallelism).items() for shard in shards
        }
        self._alone = spec.parallelism == 1
        self._steps = {one.step_ms for one in spec.classes}
        self._routes = Routes(spec)
        self._read = compile_columns(spec.mapping, spec.timezone, self._routes.place_of, _schemas(spec))
        self.clock = Clock(spec.partitions, spec.parallelism, spec.out_of_orderness_ms, spec.idle_timeout_ms)

    def decode(self, messages: Messages, wall_ms: int) -> dict[int, Share]:
        """Task -> its share, for the tasks that get any."""
        columns = self._read(messages.payload)
        refusals = Refusals()
        for index, rejected in columns.rejected:
            refusals.add(index, rejected.reason, rejected.detail)
        message, place, ts = columns.message, columns.place, columns.ts
        future = ts > messages.sent[message] + self._max_ahead
        known = place >= 0
        step = self._routes.step[np.where(known, place, 0)]
        edges = -(-ts // step) * step
        late = known & ~future & (edges <= self.clock.now)
        if future.any() or late.any():
            self._refuse(refusals, columns, messages, future, late)
        strange = self._strange(columns, messages, ~known & ~future)
        before = self.clock.now
        self.clock.advance(_largest(messages.partition[message], ts, ~future), wall_ms)

        shares: dict[int, Share] = {}
        self._deal(shares, place, ts, columns.value, known & ~future & ~late)
        if refusals.found or strange:
            share = shares.setdefault(FOR_LETTERS, Share())
            share.letters, share.strange = refusals.letters(messages, self._topic), strange
        if self._alone and (shares or self._crossed(before)):
            shares.setdefault(0, Share()).complete = self.clock.now
        return shares

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
        messages: Messages,
        future: NDArray[np.bool_],
        late: NDArray[np.bool_],
    ) -> None:
        for row in np.flatnonzero(future).tolist():
            index, instant = int(columns.message[row]), iso(int(columns.ts[row]))
            detail = f"{instant} is more than {self._max_ahead // 1000} s after {iso(int(messages.sent[index]))}"
            refusals.add(index, reasons.FUTURE, detail)
        for row in np.flatnonzero(late).tolist():
            detail = f"{iso(int(columns.ts[row]))}: its row is made, event time is {iso(self.clock.now)}"
            refusals.add(int(columns.message[row]), reasons.LATE, detail)

    def _strange(self, columns: Columns, messages: Messages, mask: NDArray[np.bool_]) -> dict[Identity, Strange]:
        found: dict[Identity, Strange] = {}
        for row in np.flatnonzero(mask).tolist():
            identity = columns.unknown[-1 - int(columns.place[row])]
            index = int(columns.message[row])
            before = found.get(identity)
            if before is None:
                found[identity] = Strange(1, int(messages.partition[index]), int(messages.offset[index]))
            else:
                found[identity] = Strange(before.count + 1, before.partition, before.offset)
        return found


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
    return {
        number: int(ts[mine].max())
        for number in np.unique(partition[counted]).tolist()
        if (mine := counted & (partition == number)).any()
    }
