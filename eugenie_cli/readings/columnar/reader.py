"""Payloads -> columns of readings, each already routed to its place in the site.

What gateways normally send is read column by column. A message that is anything else (a member that is missing, of
another type, too large or unreadable) goes whole through `payload.compile_payload`, the reference: so both say the same
of every message, and nothing here knows a reason for a rejection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from eugenie_cli.readings.avro import SchemaOf, compile_avro
from eugenie_cli.readings.columnar.instants import compile_instants
from eugenie_cli.readings.columnar.long import LongRows
from eugenie_cli.readings.columnar.places import UNREAD, Identity, PlaceOf, Places
from eugenie_cli.readings.columnar.qualities import Qualities
from eugenie_cli.readings.columnar.values import Values
from eugenie_cli.readings.columnar.wide import WideRows
from eugenie_cli.readings.mapping import MAX_PAYLOAD
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Rejected


@dataclass(frozen=True)
class Columns:
    """N readings of a batch of messages, in no particular order, and what were none."""

    message: NDArray[np.int64]
    """[N]: index of the message that each came in."""
    place: NDArray[np.int64]
    """[N]: where the site has it; -1 - k for what the site does not have and `unknown[k]` names."""
    ts: NDArray[np.int64]
    """[N]: ms since 1970 UTC."""
    value: NDArray[np.float64]
    """[N]: engineering units, NaN when the quality is bad."""
    unknown: list[Identity]
    rejected: list[tuple[int, Rejected]]
    """(index of the message, why): messages, or measurements of one, that are no readings."""


ReadColumns = Callable[[Sequence["bytes | None"]], Columns]


def compile_columns(
    mapping: Mapping[str, Any], timezone: str, place_of: PlaceOf, schema_of: SchemaOf | None = None
) -> ReadColumns:
    """The mapping as a function of many payloads. Other arguments and errors as `compile_payload` has them."""
    return _Reader(mapping, timezone, place_of, schema_of).read


class _Reader:
    def __init__(
        self, mapping: Mapping[str, Any], timezone: str, place_of: PlaceOf, schema_of: SchemaOf | None
    ) -> None:
        self._reference = compile_payload(mapping, timezone, schema_of)
        self._decode: Callable[[bytes], Any] = orjson.loads
        if mapping.get("format") == "avro" and schema_of is not None:
            self._decode = compile_avro(schema_of)
        ts = mapping.get("ts") or {"path": "ts"}
        self._instants = compile_instants(ts.get("unit") or "iso", ts.get("format"), ts.get("timezone") or timezone)
        self._places = Places(place_of)
        self._qualities = Qualities(mapping.get("quality"))
        self._values = Values(mapping.get("value"))
        self._rows = WideRows(mapping) if mapping.get("shape") == "wide" else LongRows(mapping)

    def read(self, payloads: Sequence[bytes | None]) -> Columns:
        """Payloads, None for a message without one, as columns."""
        self._places.begin()
        index, messages, unread = self._messages(payloads)
        raw, refused = self._rows.read(index, messages)
        rest = {*unread, *refused}
        ts, fine = self._instants(raw.ts)
        place = self._places.of_column(raw.identity)
        fine &= place != UNREAD
        good = None
        if raw.quality is not None:
            good, readable = self._qualities.of_column(raw.quality)
            fine &= readable
        value, readable = self._values.of_column(raw.value, good)
        fine &= readable
        rest.update(raw.message[~fine].tolist())
        kept = np.ones(len(payloads), bool)
        kept[list(rest)] = False
        kept = kept[raw.message]
        columns = Columns(raw.message[kept], place[kept], ts[kept], value[kept], [], [])
        return self._with_rest(columns, payloads, sorted(rest))

    def _messages(self, payloads: Sequence[bytes | None]) -> tuple[Sequence[int], list[Any], list[int]]:
        """Decoded messages, their numbers before them, and the numbers of those that could not be decoded."""
        try:
            if max(map(len, payloads), default=0) <= MAX_PAYLOAD:  # type: ignore[arg-type]  # None is a TypeError
                return range(len(payloads)), list(map(self._decode, payloads)), []  # type: ignore[arg-type]
        except (TypeError, ValueError):
            pass  # one of thousands: then one by one
        index, messages, unread = [], [], []
        for number, payload in enumerate(payloads):
            try:
                if payload is None or len(payload) > MAX_PAYLOAD:
                    raise ValueError
                messages.append(self._decode(payload))
                index.append(number)
            except ValueError:
                unread.append(number)
        return index, messages, unread

    def _with_rest(self, columns: Columns, payloads: Sequence[bytes | None], rest: list[int]) -> Columns:
        """Columns with the outcomes of the messages that the reference reads."""
        rejected: list[tuple[int, Rejected]] = []
        more: list[tuple[int, int, int, float]] = []
        for index in rest:
            for outcome in self._reference(payloads[index]):
                if isinstance(outcome, Rejected):
                    rejected.append((index, outcome))
                else:
                    at = self._places.of((outcome.asset, outcome.sensor, outcome.tag))
                    more.append((index, at, outcome.ts, outcome.value))
        message, place, ts, value = ([row[column] for row in more] for column in range(4))
        return Columns(
            np.concatenate([columns.message, np.array(message, np.int64)]),
            np.concatenate([columns.place, np.array(place, np.int64)]),
            np.concatenate([columns.ts, np.array(ts, np.int64)]),
            np.concatenate([columns.value, np.array(value, np.float64)]),
            self._places.unknown(),
            rejected,
        )
