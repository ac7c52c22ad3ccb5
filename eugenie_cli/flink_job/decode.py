"""Decodes a batch of messages into one share per task: readings in columns, dead letters. Pure.

Every check that needs the message itself is made here: malformed, unknown tag, from the future. Whether a reading is
late depends on the other readings of its asset, which `task_rows` knows. What is known to be of another plant's tag
counts as an unknown tag, whatever else is wrong with it: its texts and clocks would fill the dead letters.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.episodes.records import dead_letter, dumps, iso
from eugenie_cli.flink_job import unknown_tags
from eugenie_cli.flink_job.frontier import Frontier
from eugenie_cli.flink_job.instants import FOREVER
from eugenie_cli.flink_job.key_groups import tasks
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.share import Readings, Share, counted
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.unknown_tags import Key, UnknownTag  # states of earlier releases find the class here
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.avro import SchemaOf
from eugenie_cli.readings.columns.conversions import converting
from eugenie_cli.readings.columns.reader import Columns, compile_columns
from eugenie_cli.readings.columns.sensor_index import Identity
from eugenie_cli.readings.kafka_record import Members, shown
from eugenie_cli.readings.reading import RejectedMeasurement
from eugenie_cli.readings.schema_registry import SchemaRegistry, patient

log = logging.getLogger(__name__)

LETTERS_TASK = 0
"""The task that receives dead letters. It has the first shard, with which unknown tags are counted."""

EARLIEST_CLOCK_MS = 1_451_606_400_000
"""2016-01-01 UTC: records have had timestamps since then (Kafka 0.10). An earlier timestamp (-1, 0, or of a clock that
was never set) counts as missing, and a machine whose clock shows an earlier time counts as having no clock."""

REPORT_EVERY_MS = 1_000
"""How often (wall clock) every task learns which partitions have been heard, even if it gets no readings from them."""


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
    """Decodes consecutive batches; `clock.now` is the event time reached, for display."""

    def __init__(self, spec: JobSpec) -> None:
        self._topic = spec.kafka.readings
        self._max_ahead = spec.max_ahead_ms
        self._ignores_unknown = spec.unknown == unknown_tags.IGNORE
        self._shards = spec.shards
        self._tasks = tasks(spec.shards, spec.parallelism)
        self._task_of = {shard: task for task, shards in self._tasks.items() for shard in shards}
        self._heard: dict[int, dict[int, tuple[int, int]]] = {task: {} for task in self._tasks}
        self._reported_ms: int | None = None
        self._routes = SensorIndex(spec)
        read = compile_columns(spec.mapping, spec.timezone, self._routes.place_of, _schemas(spec))
        self._read = converting(read, spec.mapping, self._routes.sensor_of)
        self.clock = Frontier(spec.out_of_orderness_ms)

    def decode(self, messages: Messages, wall_ms: int) -> dict[int, Share]:
        """Task -> its share, for tasks that receive one."""
        columns = self._read(messages.payload, messages.members)
        refusals = Refusals()
        foreign: list[tuple[int, Identity]] = []
        for index, rejected in columns.rejected:
            if isinstance(rejected, RejectedMeasurement) and self._routes.place_of(*rejected.identity) is None:
                foreign.append((index, rejected.identity))
            else:
                refusals.add(index, rejected.reason, rejected.detail)
        message, place, ts = columns.message, columns.place, columns.ts
        arrival = arrivals(messages.sent, wall_ms)
        known = place >= 0
        future = known & (ts > (arrival + self._max_ahead)[message])
        ahead: dict[str, tuple[int, int]] = {}
        if future.any():
            self._refuse(refusals, columns, arrival, future)
            ahead = self._ahead(place, ts - arrival[message], future)
        accepted = known & ~future
        unknown = self._unknown_tags(columns, messages, foreign)
        self.clock.advance(ts[accepted], arrival[message[accepted]])

        shares: dict[int, Share] = {}
        self._distribute(shares, columns, messages, arrival, accepted)
        if refusals.entries or unknown:
            share = shares.setdefault(LETTERS_TASK, Share())
            share.letters, share.unknown_tags = refusals.letters(messages, self._topic), unknown
            share.future = ahead
        self._report(shares, messages, wall_ms)
        return shares

    def _report(self, shares: dict[int, Share], messages: Messages, wall_ms: int) -> None:
        """Tell tasks what has been heard of each partition: those that receive a share, and periodically all."""
        read = extremes(messages.partition, messages.offset)
        for heard in self._heard.values():
            for number, (smallest, largest) in read.items():
                least, most = heard.get(number, (smallest, largest))
                heard[number] = min(least, smallest), max(most, largest)
        if self._reported_ms is None or not 0 <= wall_ms - self._reported_ms < REPORT_EVERY_MS:
            self._reported_ms = wall_ms
            for task in self._tasks:
                shares.setdefault(task, Share())
        for task, share in shares.items():
            share.heard, self._heard[task] = self._heard[task], {}

    def _distribute(
        self,
        shares: dict[int, Share],
        columns: Columns,
        messages: Messages,
        arrival: NDArray[np.int64],
        accepted: NDArray[np.bool_],
    ) -> None:
        """Distribute readings to the tasks of their shards."""
        shard = np.where(accepted, self._routes.shard[np.where(accepted, columns.place, 0)], self._shards)
        # in each shard in the order of arrival, which odd messages, read by the scalar rule, do not have here;
        # readings that are not accepted come last
        order = np.lexsort((columns.message, shard))
        ends = np.cumsum(np.bincount(shard, minlength=self._shards + 1))[:-1].tolist()
        message = columns.message[order]
        ordered = Readings(
            columns.place[order],
            columns.ts[order],
            columns.value[order],
            arrival[message],
            messages.partition[message],
            messages.offset[message],
        )
        for number, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
            if end > begin:
                share = shares.setdefault(self._task_of[number], Share())
                share.readings[number] = ordered.only(slice(begin, end))

    def _refuse(
        self, refusals: Refusals, columns: Columns, arrival: NDArray[np.int64], future: NDArray[np.bool_]
    ) -> None:
        for row in np.flatnonzero(future).tolist():
            index, instant = int(columns.message[row]), iso(int(columns.ts[row]))
            ahead = f"{self._max_ahead / 1000:g} s"
            detail = f"{instant} is more than {ahead} after its arrival, {iso(int(arrival[index]))}"
            refusals.add(index, reject_reasons.FUTURE, detail)

    def _ahead(
        self, place: NDArray[np.int64], ahead_ms: NDArray[np.int64], refused: NDArray[np.bool_]
    ) -> dict[str, tuple[int, int]]:
        """Asset -> the number of its refused readings, and how far ahead (ms) they are at most."""
        return counted(place[refused], ahead_ms[refused], lambda number: self._routes.name_of(number)[0])

    def _unknown_tags(
        self, columns: Columns, messages: Messages, foreign: list[tuple[int, Identity]]
    ) -> dict[Key, UnknownTag]:
        """Readings of unknown tags, and what would not even have been readings: (message, tag)."""
        rows = np.flatnonzero(columns.place < 0)
        if not len(rows) and not foreign:
            return {}
        number, first, count = np.unique(-1 - columns.place[rows], return_index=True, return_counts=True)
        identities = [columns.unknown[index] for index in number.tolist()]
        message = columns.message[rows[first]]
        if foreign:
            identities += [identity for _, identity in foreign]
            message = np.concatenate((message, [index for index, _ in foreign])).astype(np.int64)
            count = np.concatenate((count, np.ones(len(foreign), np.int64)))
        order = np.argsort(message, kind="stable")
        message = message[order]
        numbers = count[order], messages.partition[message], messages.offset[message]
        if self._ignores_unknown:
            return unknown_tags.total(*numbers)
        return unknown_tags.summarise([identities[index] for index in order.tolist()], *numbers)


def extremes(partition: NDArray[np.int64], offset: NDArray[np.int64]) -> dict[int, tuple[int, int]]:
    """Partition -> the smallest and the largest offset of N records."""
    if not len(partition):
        return {}
    if (partition == partition[0]).all():  # the usual case, without sorting
        return {int(partition[0]): (int(offset.min()), int(offset.max()))}
    numbers, index = np.unique(partition, return_inverse=True)
    smallest, largest = np.full(len(numbers), FOREVER, np.int64), np.full(len(numbers), -1, np.int64)
    np.minimum.at(smallest, index, offset)
    np.maximum.at(largest, index, offset)
    return dict(zip(numbers.tolist(), zip(smallest.tolist(), largest.tolist(), strict=True), strict=True))


def arrivals(sent: NDArray[np.int64], wall_ms: int) -> NDArray[np.int64]:
    """Best estimate of when records arrived, int64 [N] in ms: the earlier of the timestamp in Kafka and now.

    The timestamp alone does not suffice: a producer that sets it has the same wrong clock as its readings. Nor does the
    wall clock: read an hour later, a reading half an hour ahead no longer lies in the future.
    """
    stamped = np.where(sent >= EARLIEST_CLOCK_MS, sent, FOREVER)
    return np.minimum(stamped, wall_ms if wall_ms >= EARLIEST_CLOCK_MS else FOREVER)


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
