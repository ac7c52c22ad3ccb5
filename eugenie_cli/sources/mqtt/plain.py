"""Plain messages -> readings, by the mapping and the column reader of the stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch, Series
from eugenie_cli.printable import printable
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.columns.conversions import converting
from eugenie_cli.readings.columns.reader import compile_columns
from eugenie_cli.readings.kafka_record import RecordParts
from eugenie_cli.readings.schema_registry import SchemaRegistry, patient
from eugenie_cli.site.message_mapping import message_mapping
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.interface import Tally, router_of
from eugenie_cli.sources.mqtt.received import Received
from eugenie_cli.sources.mqtt.settings import MqttSettings
from eugenie_cli.sources.mqtt.topics import HEADER
from eugenie_cli.sources.places import Places

REMEMBERED = 100_000
"""Topics whose names are kept: more than a plant has sensors."""
SHOWN = 240


class PlainMessages:
    """Reads messages of a source with `topics`. `by_arrival`: whether the arrival of a message is its instant."""

    def __init__(self, source: MqttSettings, site: Site) -> None:
        readings = source.mapping
        assert readings is not None  # noqa: S101 - for the type checker: it has no `sparkplug`
        try:
            mapping = message_mapping(readings, site.timezone, site.resolve)
        except ValueError as error:
            raise EugenieError(
                f"{site.file}: sources: {source.name}: readings.{error}", "see docs/readings.md"
            ) from None
        router = router_of(site)
        self._places = Places(router.ignoring_case() if readings.case == "ignore" else router)
        self._parts = RecordParts.of(mapping)
        self._patterns = source.patterns
        self._named = tuple(HEADER + name for name in source.named)
        self._names: dict[str, tuple[bytes, ...]] = {}
        self._series: tuple[Series, ...] = ()
        self.by_arrival = self._parts.timestamp
        registry = mapping.get("registry")
        schema_of = None if registry is None else patient(SchemaRegistry(**registry), lambda _: None)
        read = compile_columns(mapping, site.timezone, self._places.of, schema_of)
        self._read = converting(read, mapping, self._places.class_and_sensor)

    def read(self, messages: Sequence[Received], tally: Tally) -> Batch:
        """The readings of messages, in any order."""
        members = None
        if self._parts:
            raw: list[list[bytes | None]] = []
            if self._parts.key:
                raw.append([message.topic.encode() for message in messages])
            names = [self._names_in(message.topic) for message in messages] if self._named else []
            for header in self._parts.headers:
                if header in self._named:
                    at = self._named.index(header)
                    raw.append([found[at] for found in names])
                else:
                    raw.append([message.headers.get(header) for message in messages])
            members = self._parts.members(raw, [message.at_ms for message in messages])
        columns = self._read([message.payload for message in messages], members)
        tally.records += len(messages)
        for number, rejected in columns.rejected:
            self._reject(tally, messages[number].topic, rejected.reason, rejected.detail)
        known = columns.place >= 0
        if not known.all():
            for row in np.flatnonzero(~known).tolist():
                name = " ".join(filter(None, columns.unknown[-1 - int(columns.place[row])]))
                topic = messages[int(columns.message[row])].topic
                self._reject(tally, topic, reject_reasons.UNKNOWN_TAG, f"the site has no {name!r}")
        order = np.argsort(columns.message[known], kind="stable")  # as they came
        place, ts, value = columns.place[known][order], columns.ts[known][order], columns.value[known][order]
        if len(self._series) != len(self._places.series):  # it only grows; the same tuple makes records faster
            self._series = tuple(self._places.series)
        return Batch(self._series, place.astype(np.int32), ts, value)

    def _reject(self, tally: Tally, topic: str, reason: str, detail: str) -> None:
        if tally.reject(reason, 1) > 0:
            tally.example(reason, printable(topic, SHOWN), printable(detail, SHOWN))

    def _names_in(self, topic: str) -> tuple[bytes, ...]:
        names = self._names.get(topic)
        if names is None:
            found = (pattern.names_in(topic) for pattern in self._patterns)
            texts = next((names for names in found if names is not None), ("",) * len(self._named))
            names = tuple(text.encode() for text in texts)
            if len(self._names) >= REMEMBERED:
                self._names.clear()
            self._names[topic] = names
        return names
