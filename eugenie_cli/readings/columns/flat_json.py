"""Flat JSON objects with one reading each, parsed by Arrow, without a Python object per message or member.

Arrow reads consecutive objects and does not report where each begins. So only payloads are accepted that cannot run
into each other: one opening brace at the beginning, one closing brace at the end, no line break. If a batch contains
anything else, or a member of an unexpected type, `read` returns None: then the batch is read by the general reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json
from numpy.typing import NDArray

from eugenie_cli.readings.columns.distinct import combined, distinct
from eugenie_cli.readings.columns.field_paths import is_plain
from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.columns.long import NAMES
from eugenie_cli.readings.columns.qualities import Qualities
from eugenie_cli.readings.columns.sensor_index import UNREAD, Places
from eugenie_cli.readings.columns.values import Values
from eugenie_cli.readings.json_text import MAX_PAYLOAD
from eugenie_cli.readings.timestamp_parts import nanos_path
from eugenie_cli.readings.timestamps import formats_of
from eugenie_cli.readings.values import MAX_VALUE

_QUALITY_TYPES = {
    "words": pa.string(),
    "opcda": pa.int64(),
    "opcua": pa.int64(),
    "ignition": pa.int64(),
    "boolean": pa.bool_(),
    "sparkplug": pa.int64(),
    "sitewise": pa.string(),
    "telegraf": pa.string(),
    "factorytalk": pa.string(),
    "wonderware": pa.int64(),
}

_ESCAPED_MARK = re.compile(rb"\\u00(?:69|73|4[eE]|75|6[cC])")
"""A letter of `isNull`, written as an escape."""

FEWEST = 4_000
"""The smallest batch for which this is faster: a call of Arrow costs as much as parsing 2,000 messages."""

LONGEST_PAUSE = 256
"""Batches after a failed attempt before the next one, at most: limits the cost for sites with other messages."""


class FlatColumns(NamedTuple):
    """Place, instant (ms) and value of each of N messages; `fine`: mask of those that could be read."""

    place: NDArray[np.int64]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    fine: NDArray[np.bool_]


class FlatJson:
    """Reads batches whose messages are all flat, with the same types."""

    @staticmethod
    def can_read(mapping: Mapping[str, Any]) -> bool:
        """Whether the mapping uses only members of flat objects."""
        parts = [mapping[name] for name in (*NAMES, "ts", "value", "quality") if mapping.get(name) is not None]
        paths = [part.get("path") for part in parts]
        ts = mapping.get("ts") or {}
        return (
            (mapping.get("format") or "json") == "json"
            and not mapping.get("base64")
            and mapping.get("shape") != "wide"
            and mapping.get("records") is None
            and all(map(is_plain, parts))
            and len(set(paths)) == len(paths)
            and nanos_path(ts) is None
            and not any(part.get("paths") for part in parts)
            # abbreviations of zones are read one by one
            and "%Z" not in " ".join(formats_of(ts.get("formats") or ts.get("format")))
        )

    def __init__(
        self, mapping: Mapping[str, Any], places: Places, instants: Instants, values: Values, qualities: Qualities
    ) -> None:
        ts = mapping.get("ts") or {"path": "ts"}
        self._is_timed_by_text = ts.get("format") is not None or (ts.get("unit") or "iso") == "iso"
        self._names = {name: mapping[name]["path"] for name in NAMES if mapping.get(name) is not None}
        self._ts, self._value = ts["path"], (mapping.get("value") or {"path": "value"})["path"]
        quality = mapping.get("quality")
        self._quality = None if quality is None else quality["path"]
        fields = [(path, pa.string()) for path in self._names.values()]
        fields += [(self._ts, pa.string() if self._is_timed_by_text else pa.int64()), (self._value, pa.float64())]
        if quality is not None:
            fields.append((quality["path"], _QUALITY_TYPES[quality.get("scheme") or "words"]))
        self._parse = pa_json.ParseOptions(
            explicit_schema=pa.schema(fields), newlines_in_values=False, unexpected_field_behavior="ignore"
        )
        self._places, self._instants, self._values, self._qualities = places, instants, values, qualities
        self._pause, self._next_pause = 0, 1

    def read(self, payloads: Sequence[bytes | None]) -> FlatColumns | None:
        """All messages of a batch; None if some are of another kind, or the batch is small."""
        if len(payloads) < FEWEST:
            return None
        if self._pause:
            self._pause -= 1
            return None
        columns = self._columns(payloads)
        if columns is None:
            self._pause, self._next_pause = self._next_pause, min(2 * self._next_pause, LONGEST_PAUSE)
        else:
            self._next_pause = 1
        return columns

    def _columns(self, payloads: Sequence[bytes | None]) -> FlatColumns | None:
        text = _joined(payloads)
        if text is None:
            return None
        try:
            options = pa_json.ReadOptions(use_threads=False, block_size=len(text) + 1)
            table = pa_json.read_json(pa.BufferReader(text), read_options=options, parse_options=self._parse)
        except pa.ArrowInvalid:
            return None
        count = len(payloads)
        if len(table) != count:
            return None
        place = self._place(table, count)
        ts, fine = self._instant(table.column(self._ts).combine_chunks())
        value = table.column(self._value).to_numpy()
        fine &= (place != UNREAD) & (np.abs(value) <= MAX_VALUE)  # False for NaN, which means null or missing
        value = self._values.of_numbers(value)
        if self._quality is not None:
            good, readable = self._qualities.of_column(table.column(self._quality).combine_chunks())
            fine &= readable
            value = np.where(good, value, np.nan)
        return FlatColumns(place, ts, value, fine)

    def _place(self, table: pa.Table, count: int) -> NDArray[np.int64]:
        """Names are looked up once for each combination in the batch."""
        nothing = [None], np.zeros(count, np.int64)
        columns = [
            distinct(table.column(self._names[name]).combine_chunks()) if name in self._names else nothing
            for name in NAMES
        ]
        identities, index = combined(columns)
        return self._places.of_column(identities)[index]

    def _instant(self, column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if self._is_timed_by_text:
            return self._instants.of_plain_texts(column)
        return self._instants.of_members(column.to_pylist())


def _joined(payloads: Sequence[bytes | None]) -> bytes | None:
    """The payloads as lines, if each is an object that cannot run into the next."""
    try:
        text = b"\n".join(payloads)  # type: ignore[arg-type]  # None is a TypeError
    except TypeError:
        return None
    count = len(payloads)
    lengths = np.fromiter(map(len, payloads), np.int64, count)  # type: ignore[arg-type]
    if not count or lengths.min() < 2 or lengths.max() > MAX_PAYLOAD or not text.isascii():
        return None
    characters = np.frombuffer(text, np.uint8)
    ends = np.cumsum(lengths + 1) - 1
    framed = (characters[ends - lengths] == ord("{")) & (characters[ends - 1] == ord("}"))
    once = text.count(b"{") == text.count(b"}") == count and text.count(b"\n") == count - 1 and b"\r" not in text
    return text if once and framed.all() and not _may_be_null(text) else None


def _may_be_null(text: bytes) -> bool:
    """Whether some record may say that it has no value (`typed_values.NULL_MARK`): the general reader looks.

    A search for one byte costs almost nothing, and few texts contain it.
    """
    return (b"N" in text and b'"isNull"' in text) or (b"\\" in text and _ESCAPED_MARK.search(text) is not None)
