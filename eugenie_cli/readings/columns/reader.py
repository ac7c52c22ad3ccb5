"""Payloads -> columns of readings, each already routed to its place in the site.

Typical messages of gateways are read column by column. Any other message (with a member that is missing, of another
type, too large or unreadable) is read as a whole by `payload.compile_payload`, the reference: so both give the same
outcome for every message, and nothing here decides on a rejection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.avro import SchemaOf
from eugenie_cli.readings.columns.flat_json import FlatJson
from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.columns.long import LongRows
from eugenie_cli.readings.columns.messages import compile_decoder
from eugenie_cli.readings.columns.objects import ObjectColumns, Objects
from eugenie_cli.readings.columns.qualities import Qualities
from eugenie_cli.readings.columns.sensor_index import UNREAD, Identity, PlaceOf, Places
from eugenie_cli.readings.columns.values import Values
from eugenie_cli.readings.columns.wide import WideRows
from eugenie_cli.readings.kafka_record import Members, bind_record, enclosing
from eugenie_cli.readings.mapping import PARTS
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.readings.stated import start_of
from eugenie_cli.readings.timestamps import TimeRule


@dataclass(frozen=True)
class Columns:
    """N readings of a batch of messages, in no particular order, and the rejections."""

    message: NDArray[np.int64]
    """[N]: index of the message that contained the reading."""
    place: NDArray[np.int64]
    """[N]: the sensor's place in the site; -1 - k for the unknown identity `unknown[k]`."""
    ts: NDArray[np.int64]
    """[N]: ms since 1970 UTC."""
    value: NDArray[np.float64]
    """[N]: engineering units; NaN if the quality is bad."""
    unknown: list[Identity]
    rejected: list[tuple[int, Rejected]]
    """(index of the message, rejection): messages, or measurements in one, that are not readings."""

    def after(
        self,
        message: NDArray[np.int64],
        place: NDArray[np.int64],
        ts: NDArray[np.int64],
        value: NDArray[np.float64],
    ) -> Columns:
        """These columns appended to others of the same batch."""
        return Columns(
            np.concatenate([message, self.message]),
            np.concatenate([place, self.place]),
            np.concatenate([ts, self.ts]),
            np.concatenate([value, self.value]),
            self.unknown,
            self.rejected,
        )


ReadColumns = Callable[..., Columns]
"""(payloads [N], the members of their records [N], if the mapping has parts of the record) -> columns."""


def compile_columns(
    mapping: Mapping[str, Any], timezone: str, place_of: PlaceOf, schema_of: SchemaOf | None = None
) -> ReadColumns:
    """The mapping as a function of many payloads. Other arguments and errors: as for `compile_payload`."""
    return _Reader(mapping, timezone, place_of, schema_of).read


class _Reader:
    def __init__(
        self, mapping: Mapping[str, Any], timezone: str, place_of: PlaceOf, schema_of: SchemaOf | None
    ) -> None:
        self._reference = compile_payload(mapping, timezone, schema_of)
        bound = bind_record(mapping)
        self._is_in_payload = bound == mapping
        self._is_of_several = any((mapping.get(part) or {}).get("paths") for part in PARTS) or bool(
            mapping.get("columns")
        )
        mapping, self._enclose = bound, enclosing(bound)
        self._decode = compile_decoder(mapping, schema_of)
        ts = mapping.get("ts") or {"path": "ts"}
        if start_of(ts, timezone) is not None:
            self._is_of_several, ts = True, {"path": ts["path"]}
        self._instants = Instants(*TimeRule.of(ts, timezone))
        self._places = Places(place_of)
        self._qualities = Qualities(mapping.get("quality"))
        self._values = Values(mapping.get("value"))
        self._objects = Objects(self._values)
        self._rows = WideRows(mapping) if mapping.get("shape") == "wide" else LongRows(mapping)
        self._flat: FlatJson | None = None
        if self._is_in_payload and FlatJson.can_read(mapping):
            self._flat = FlatJson(mapping, self._places, self._instants, self._values, self._qualities)

    def read(self, payloads: Sequence[bytes | None], members: Sequence[Members] | None = None) -> Columns:
        """Payloads as columns; None for a message without a payload. `members`: of their records."""
        self._places.begin()
        if self._is_of_several:  # rare: the reference reads them
            return self._by_reference(payloads, members, range(len(payloads)))
        all_numbers = np.arange(len(payloads))
        flat = None if self._flat is None else self._flat.read(payloads)
        if flat is None:
            return self._general(payloads, members, all_numbers)
        place, ts, value, fine = flat
        if fine.all():
            return Columns(all_numbers, place, ts, value, self._places.unknown(), [])
        rest = self._general(payloads, members, np.flatnonzero(~fine))
        return rest.after(all_numbers[fine], place[fine], ts[fine], value[fine])

    def _general(
        self, payloads: Sequence[bytes | None], members: Sequence[Members] | None, numbers: NDArray[np.int64]
    ) -> Columns:
        """The messages with these numbers, of any kind."""
        index, messages, unread = self._decode(payloads, numbers.tolist())
        if not self._is_in_payload:
            own = repeat(None) if members is None else map(members.__getitem__, index)
            messages = list(map(self._enclose, messages, own))
        raw, refused = self._rows.read(index, messages)
        ts, timed = self._instants.of_members(raw.ts)
        place = self._places.of_column(raw.identity)
        fine = place != UNREAD
        good = None
        if raw.quality is not None:
            good, readable = self._qualities.of_members(raw.quality)
            fine &= readable
        value, readable = self._values.of_members(raw.value, good)
        if self._values.had_objects:
            self._objects.read(raw.value, good, ObjectColumns(ts, timed, value, readable))
        fine &= timed & readable
        rest = {*unread, *refused, *raw.message[~fine].tolist()}
        kept = ~np.isin(raw.message, list(rest)) if rest else np.ones(len(raw.message), bool)
        by_reference = self._by_reference(payloads, members, sorted(rest))
        return by_reference.after(raw.message[kept], place[kept], ts[kept], value[kept])

    def _by_reference(
        self, payloads: Sequence[bytes | None], members: Sequence[Members] | None, numbers: Sequence[int]
    ) -> Columns:
        """The outcomes of the messages that only the reference reads."""
        rejected: list[tuple[int, Rejected]] = []
        rows: list[tuple[int, int, int, float]] = []
        for number in numbers:
            for outcome in self._reference(payloads[number], None if members is None else members[number]):
                if isinstance(outcome, Rejected):
                    rejected.append((number, outcome))
                else:
                    at = self._places.of((outcome.asset, outcome.sensor, outcome.tag))
                    rows.append((number, at, outcome.ts, outcome.value))
        message, place, ts, value = ([row[column] for row in rows] for column in range(4))
        return Columns(
            np.array(message, np.int64),
            np.array(place, np.int64),
            np.array(ts, np.int64),
            np.array(value, np.float64),
            self._places.unknown(),
            rejected,
        )
