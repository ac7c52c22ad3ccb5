"""Parts of a reading that the Kafka record carries outside its payload: in its key, a header or its timestamp.

They become members of the decoded message, under names that no gateway writes. From there on they are found by their
path, as every other part is, so that the reference and the column reader agree on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import orjson

from eugenie_cli.readings.framing import FRAME, MAGIC
from eugenie_cli.readings.json_text import decoded
from eugenie_cli.readings.mapping import PARTS, WHOLE

KEY, TIMESTAMP, VALUE = "<record key>", "<record timestamp>", "<record value>"
"""Members that stand for the record's key, timestamp and value. `VALUE` is the payload as a whole."""

Members: TypeAlias = "Mapping[str, Any]"
"""The members that one record adds to its message."""

SHOWN = 1_000
"""Characters of a key or header in a dead letter, which must not become longer than its topic accepts."""

REMEMBERED = 4_096
"""Decoded keys and headers kept in memory: about one per sensor."""

_BLANKS = " \t\r\n"
_LONGEST_VARINT = 4  # bytes: for keys of up to 128 MiB


@dataclass(frozen=True)
class RecordParts:
    """What a mapping takes from the record itself. Nothing else of a record is read from Kafka."""

    key: bool
    headers: tuple[str, ...]
    timestamp: bool

    @staticmethod
    def of(mapping: Mapping[str, Any]) -> RecordParts:
        """`mapping`: `ReadingsMapping.model_dump(mode="json")`."""
        parts = [mapping[name] for name in PARTS if mapping.get(name)]
        sources = {part.get("record") for part in parts}
        headers = dict.fromkeys(part["header"] for part in parts if part.get("header"))
        return RecordParts("key" in sources, tuple(headers), "timestamp" in sources)

    def __bool__(self) -> bool:
        return self.key or bool(self.headers) or self.timestamp

    def members(self, raw: Sequence[Sequence[bytes | None]], sent: Sequence[int]) -> list[Members]:
        """The members of N records.

        `raw`: the keys [N], if the mapping takes the key, then the values [N] of each header, in the order of
        `headers`. `sent`: the records' timestamps [N], ms since 1970 UTC, negative if a record has none.
        """
        columns: dict[str, Sequence[Any]] = {}
        names = [*([KEY] if self.key else []), *map(_header, self.headers)]
        for name, values in zip(names, raw, strict=True):
            columns[name] = [None if value is None else _text(value) for value in values]
        if self.timestamp:
            columns[TIMESTAMP] = [instant if instant >= 0 else None for instant in sent]
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def bind_record(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with the parts of the record as paths of members, for messages to which `enclosing` has added them.

    An array of records as the message is then found at the path `VALUE`.
    """
    bound = dict(mapping)
    for name in PARTS:
        part = mapping.get(name) or {}
        path = {"key": KEY, "timestamp": TIMESTAMP, "value": VALUE}.get(part.get("record") or "")
        if part.get("header"):
            path = _header(part["header"])
        if path is not None:
            bound[name] = {**part, "record": None, "header": None, "path": path}
            if path == TIMESTAMP:
                bound[name]["unit"] = "ms"
    if bound != mapping and mapping.get("records") == WHOLE:
        bound["records"] = VALUE
    return bound


def enclosing(bound: Mapping[str, Any]) -> Callable[[Any, Members | None], Any]:
    """(decoded message, the record's members) -> the message with these members. `bound`: from `bind_record`.

    The function may change the message. A message that is not an object is left to the mapping, which refuses it.
    """

    def whole(message: Any, members: Members | None) -> Any:
        return {VALUE: message, **(members or {})}

    def inside(message: Any, members: Members | None) -> Any:
        if members and type(message) is dict:
            message.update(members)
        return message

    return whole if bound.get("records") == VALUE or is_payload_the_value(bound) else inside


def shown(members: Members) -> dict[str, Any]:
    """The members as a dead letter shows them, long texts cut: `key`, `timestamp`, `header NAME`."""
    return {
        name[len("<record ") : -len(">")]: value[:SHOWN] if isinstance(value, str) else value
        for name, value in members.items()
    }


def is_payload_the_value(mapping: Mapping[str, Any]) -> bool:
    """Whether the payload is nothing but the value, as source connectors for MQTT write it. Also if bound."""
    value = mapping.get("value") or {}
    return value.get("record") == "value" or value.get("path") == VALUE


def parse_value(payload: bytes) -> Any:
    """A payload that is nothing but a value: `2.41`, `"2.41"`, `true`, `null`, or a status text.

    Raises ValueError if it is not UTF-8. An object or array is returned as such; it is not a value.
    """
    text = decoded(payload).strip(_BLANKS)
    if text[:1] in ('"', "{", "[") or text == "null":
        try:
            return orjson.loads(text)
        except ValueError:
            return text
    return text


def _header(name: str) -> str:
    return f"<record header {name}>"


@lru_cache(REMEMBERED)
def _text(raw: bytes) -> str:
    """A key or header as text; a JSON string, as Kafka Connect's JsonConverter writes it, without its quotes.

    Bytes that are not UTF-8 become `\\xNN`, which no name contains: so a dead letter shows them.
    """
    text = _unframed(raw).decode("utf-8", "backslashreplace")
    if text[:1] == '"':
        try:
            return str(orjson.loads(text))
        except ValueError:
            return text
    return text


def _unframed(raw: bytes) -> bytes:
    """The text in a frame of Confluent's serializers: a zero byte, the schema id in four, then JSON or an Avro string.

    An Avro string begins with its length, a zigzag varint. The schema is not needed: a frame whose length is another
    one is no string, and is left as it is.
    """
    if raw[: len(MAGIC)] != MAGIC or len(raw) <= FRAME:
        return raw
    body = raw[FRAME:]
    if body.startswith(b'"'):
        return body
    length = 0
    for place, byte in enumerate(body[:_LONGEST_VARINT]):
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            text = body[place + 1 :]
            return text if length == 2 * len(text) else raw
    return raw
