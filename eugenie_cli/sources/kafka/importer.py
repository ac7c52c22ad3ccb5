"""Reads what a topic still holds. Each import takes up where the last one ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.broker import consume, open_transactions, positions
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.manifest import Item
from eugenie_cli.progress import Advance
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.columns.conversions import converting
from eugenie_cli.readings.columns.reader import Columns, compile_columns
from eugenie_cli.readings.kafka_record import RecordParts
from eugenie_cli.readings.schema_registry import SchemaRegistry, patient
from eugenie_cli.signals import stop_once
from eugenie_cli.site.message_mapping import message_mapping
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.interface import SourceItem, Tally, router_of
from eugenie_cli.sources.kafka.letters import CANONICAL, opened
from eugenie_cli.sources.kafka.offsets import Offsets, lost, new_offsets
from eugenie_cli.sources.kafka.settings import KafkaSourceSettings
from eugenie_cli.sources.places import Places


class KafkaImporter:
    """One item: offsets of a partition, imported once. `stopped` and `interrupted`: as for planned importers."""

    progress_unit = "records"

    def __init__(self, source: KafkaSourceSettings, site: Site) -> None:
        topics = site.topics
        self._topic = source.topic or str(topics.dead_letters if source.dead_letters else topics.readings)
        self._access, self._source, self._site = site.kafka_access, source, site
        readings = source.readings or site.kafka.readings
        self._router = router_of(site).ignoring_case() if readings.case == "ignore" else router_of(site)
        self._places = Places(self._router)
        try:
            mapping = message_mapping(readings, site.timezone, site.resolve)
        except ValueError as error:
            place = "kafka.readings" if source.readings is None else f"sources: {source.name}: readings"
            raise EugenieError(f"{site.file}: {place}.{error}", "see docs/readings.md") from None
        self._parts = RecordParts.of(mapping)
        self._is_text = mapping["format"] not in ("avro", "protobuf")
        self._read_messages = self._reader(mapping)
        self._read_canonical = self._reader(CANONICAL.model_dump(mode="json"))
        self._known: list[Offsets] = []
        """What was imported before, and what this import reads."""
        self.stopped: str | None = None
        self.interrupted = False

    def plan(self, held: Mapping[str, Item]) -> Sequence[SourceItem]:
        """What was imported, as far as this topic goes, and what the topic holds beyond it. Asks the brokers."""
        state = positions.look(self._access, self._topic)
        ends = open_transactions.stable_ends(self._access, self._topic)
        marks = {number: (first, ends[number]) for number, first in state.begin.items()}
        known = [offsets for key in held if (offsets := Offsets.of(key)) is not None]
        new = new_offsets(known, self._topic, state.identity or "", marks)
        self._known = known + new
        return [self._item(offsets, marks) for offsets in self._known if offsets.topic == self._topic]

    def recognized(self, held: Mapping[str, Item]) -> Sequence[SourceItem]:
        """The items in the history that are of this topic. Asks nobody."""
        known = [offsets for key in held if (offsets := Offsets.of(key)) is not None]
        return [self._item(offsets, {}) for offsets in known if offsets.topic == self._topic]

    def items(self) -> Sequence[SourceItem]:
        return self.plan({})

    def missing(self, key: str) -> str:
        offsets = Offsets.of(key)
        return f"the source reads {self._topic} now" if offsets else "it is not of a Kafka topic"

    def settings(self) -> Mapping[str, Any]:
        """The mapping, the time zone, the routing table, and how far ahead of its record a reading may be."""
        mapping = self._source.readings or self._site.kafka.readings
        return {
            "readings": mapping.model_dump(mode="json"),
            "dead_letters": self._source.dead_letters,
            "max_ahead": self._site.stream.max_ahead,
            "timezone": self._site.timezone,
            "routes": sorted([str(field) for field in route] for route in self._router.table()),
        }

    def digest(self, item: SourceItem) -> str:
        """The key: what stands at an offset never changes."""
        return item.key

    def read(self, item: SourceItem, tally: Tally, advance: Advance) -> Iterator[Batch]:
        offsets = Offsets.of(item.key)
        assert offsets is not None  # noqa: S101 - for the type checker: `plan` made the key
        if (count := lost(self._known, offsets)) > 0:
            tally.gap(
                f"{offsets.topic}, partition {offsets.partition}: {count:,} records before offset {offsets.first} were"
                " removed by its retention before they were imported: import more often, or keep the topic longer"
            )
        reached = offsets.first
        with stop_once() as stop:
            for messages in consume.span(self._access, offsets.topic, offsets.partition, offsets.first, offsets.end):
                tally.records += len(messages)
                yield self._batch(messages, tally)
                advance(messages[-1].offset + 1 - reached)
                reached = messages[-1].offset + 1
                if stop.is_set():
                    break
        if stop.is_set():
            self.stopped, self.interrupted = "interrupted", True
            if reached < offsets.end:
                raise EugenieError(f"{item.key}: interrupted", "`eugenie import` reads it again")

    def close(self) -> None:
        """Nothing is kept open between items."""

    def _item(self, offsets: Offsets, marks: Mapping[int, tuple[int, int]]) -> SourceItem:
        first, _ = marks.get(offsets.partition, (0, 0))
        state = {"first": offsets.first, "end": offsets.end, "closed": True}
        return SourceItem(offsets.key, offsets.end - offsets.first, state, fixed=offsets.first < first)

    def _reader(self, mapping: Mapping[str, Any]) -> Callable[..., Columns]:
        registry = mapping.get("registry")
        schema_of = None if registry is None else patient(SchemaRegistry(**registry), lambda _: None)
        read = compile_columns(mapping, self._site.timezone, self._places.of, schema_of)
        return converting(read, mapping, self._places.class_and_sensor)

    def _batch(self, messages: Sequence[consume.Record], tally: Tally) -> Batch:
        """The readings of consecutive records."""
        sent = np.array([message.timestamp_ms for message in messages], np.int64)
        values = [message.value for message in messages]
        if not self._source.dead_letters:
            members = None
            if self._parts:
                raw = [[message.key for message in messages]] if self._parts.key else []
                raw += [[dict(message.headers).get(name) for message in messages] for name in self._parts.headers]
                members = self._parts.members(raw, sent.tolist())
            return self._accepted(self._read_messages(values, members), messages, sent, tally)
        letters = opened(values, is_text=self._is_text)
        for number, why in letters.unusable:
            self._reject(tally, messages[number], reject_reasons.MISSING_FIELD, why)
        parts = []
        for read, payloads in ((self._read_canonical, letters.late), (self._read_messages, letters.messages)):
            numbers = np.array([number for number, _ in payloads], np.int64)
            columns = read([payload for _, payload in payloads], None)
            rejected = [(int(numbers[index]), why) for index, why in columns.rejected]
            columns = replace(columns, message=numbers[columns.message], rejected=rejected)
            parts.append(self._accepted(columns, messages, sent, tally))
        index, ts, value = (np.concatenate(columns) for columns in zip(*map(_columns, parts), strict=True))
        return Batch(tuple(self._places.series), index, ts, value)

    def _accepted(
        self, columns: Columns, messages: Sequence[consume.Record], sent: NDArray[np.int64], tally: Tally
    ) -> Batch:
        """The readings of known sensors that are not ahead of their record; the others are counted."""
        for number, rejected in columns.rejected:
            self._reject(tally, messages[number], rejected.reason, rejected.detail)
        known = columns.place >= 0
        for row in np.flatnonzero(~known).tolist():
            name = " ".join(filter(None, columns.unknown[-1 - int(columns.place[row])]))
            self._reject(tally, messages[int(columns.message[row])], reject_reasons.UNKNOWN_TAG, name)
        arrival = np.where(sent > 0, np.minimum(sent, time.time_ns() // 1_000_000), time.time_ns() // 1_000_000)
        ahead = known & (columns.ts > arrival[columns.message] + self._site.stream.max_ahead)
        for row in np.flatnonzero(ahead).tolist():
            instant = np.datetime64(int(columns.ts[row]), "ms")
            detail = f"{instant}Z is ahead of the record's timestamp by more than `stream.max_ahead`"
            self._reject(tally, messages[int(columns.message[row])], reject_reasons.FUTURE, detail)
        keep = known & ~ahead
        return Batch(
            tuple(self._places.series), columns.place[keep].astype(np.int32), columns.ts[keep], columns.value[keep]
        )

    def _reject(self, tally: Tally, message: consume.Record, reason: str, detail: str) -> None:
        if tally.reject(reason, 1) > 0:
            tally.example(reason, f"{message.topic}, partition {message.partition}, offset {message.offset}", detail)


def _columns(batch: Batch) -> tuple[NDArray[Any], ...]:
    return batch.index, batch.ts, batch.value
