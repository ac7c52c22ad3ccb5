"""Messages of a batch -> what each shard gets of it: readings in columns, dead letters, and the clock. Pure.

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
from eugenie_cli.streamjob.routes import Routes
from eugenie_cli.streamjob.spec import JobSpec

log = logging.getLogger(__name__)

FOR_LETTERS = 0
"""The shard that dead letters travel with."""


@dataclass(frozen=True)
class Strange:
    """Readings of one identity that the site does not have: how many, and where the first lies."""

    count: int
    partition: int
    offset: int


@dataclass
class Portion:
    """What one shard gets of a batch."""

    place: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """[N], of this shard."""
    ts: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """[N]: ms since 1970 UTC."""
    value: NDArray[np.float64] = field(default_factory=lambda: np.empty(0, np.float64))
    """[N]: engineering units, NaN when the quality is bad."""
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
        self._alone = spec.parallelism == 1
        self._steps = {one.step_ms for one in spec.classes}
        self._routes = Routes(spec)
        self._read = compile_columns(spec.mapping, spec.timezone, self._routes.place_of, _schemas(spec))
        self.clock = Clock(spec.partitions, spec.parallelism, spec.out_of_orderness_ms, spec.idle_timeout_ms)

    def decode(self, messages: Messages, wall_ms: int) -> dict[int, Portion]:
        """Shard -> its portion, for the shards that get any."""
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

        portions: dict[int, Portion] = {}
        self._deal(portions, place, ts, columns.value, known & ~future & ~late)
        if refusals.found or strange:
            portion = portions.setdefault(FOR_LETTERS, Portion())
            portion.letters, portion.strange = refusals.letters(messages, self._topic), strange
        if self._alone:
            self._tell(portions, before)
        return portions

    def _tell(self, portions: dict[int, Portion], before: int) -> None:
        """Say how far event time has come, also to shards that get nothing else when rows may be due."""
        if any(self.clock.now // step > before // step for step in self._steps):
            for shard in range(self._shards):
                portions.setdefault(shard, Portion())
        for portion in portions.values():
            portion.complete = self.clock.now

    def _deal(
        self,
        portions: dict[int, Portion],
        place: NDArray[np.int64],
        ts: NDArray[np.int64],
        value: NDArray[np.float64],
        taken: NDArray[np.bool_],
    ) -> None:
        """Readings to their shards."""
        if not taken.all():
            place, ts, value = place[taken], ts[taken], value[taken]
        shard = self._routes.shard[place]
        order = np.argsort(shard, kind="stable")
        place, ts, value = place[order], ts[order], value[order]
        ends = np.cumsum(np.bincount(shard, minlength=self._shards)).tolist()
        for number, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
            if end > begin:
                portions[number] = Portion(place[begin:end], ts[begin:end], value[begin:end])

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
