"""Avro messages as gateways and Kafka Connect write them: a zero byte, the schema id, the body.

The framing is Confluent's wire format: magic byte, schema id as a 4-byte big-endian number, Avro binary. A message is
converted to the form of a JSON message, so that the same mapping rules apply to both.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.avro_shape import check_shape
from eugenie_cli.readings.framing import FRAME, MAGIC
from eugenie_cli.readings.json_text import MAX_PAYLOAD
from eugenie_cli.readings.reading import Rejected

# What fastavro raises for an invalid body or schema.
_UNREADABLE = (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError, RecursionError)

SchemaOf: TypeAlias = "Callable[[int], Sequence[Any]]"
"""Schema id -> Avro schemas as JSON: those that the message's schema references, in order, then that schema.

Raises UnknownSchema for an id that does not exist; other exceptions propagate to the caller.
"""


class UnknownSchema(Exception):  # noqa: N818 - states a fact, not a failure of the program
    """The registry has no Avro schema with that id. The message says why."""


def compile_avro(schema_of: SchemaOf) -> Callable[[bytes | None], dict[str, Any] | list[Any] | Rejected]:
    """The reader of framed Avro: payload -> message, as if parsed from JSON.

    Each schema is compiled once. `bad-avro` for a payload that is not framed, has an unknown schema, does not match its
    schema, has an unbounded schema (`avro_shape`) or is neither a record, a map nor an array; `too-large` above
    `MAX_PAYLOAD` bytes. Raises ValueError if fastavro is not installed.
    """
    try:
        from fastavro import parse_schema, schemaless_reader
        from fastavro.schema import SchemaParseException
    except ImportError:
        raise ValueError("format avro needs fastavro: pip install 'eugenie[avro]'") from None
    compiled: dict[int, Any] = {}

    def schema(number: int) -> Any:
        if number not in compiled:
            names: dict[str, Any] = {}
            parts = schema_of(number)
            check_shape(parts)
            compiled[number] = [parse_schema(part, named_schemas=names) for part in parts][-1]
        return compiled[number]

    def of_payload(payload: bytes | None) -> dict[str, Any] | list[Any] | Rejected:
        if payload is None:
            return _bad("a message without a payload")
        if len(payload) > MAX_PAYLOAD:
            return Rejected(reject_reasons.TOO_LARGE, f"{len(payload)} bytes, at most {MAX_PAYLOAD}")
        if len(payload) < FRAME or payload[: len(MAGIC)] != MAGIC:
            return _bad("does not begin with a zero byte and a schema id")
        number = int.from_bytes(payload[1:FRAME], "big")
        try:
            writer = schema(number)
        except UnknownSchema as unknown:
            return _bad(str(unknown))
        except (SchemaParseException, *_UNREADABLE) as error:
            return _bad(f"schema {number} is not an Avro schema: {_short(error)}")
        body = io.BytesIO(payload)
        body.seek(FRAME)
        try:
            message = plain(schemaless_reader(body, writer, None))
        except _UNREADABLE as error:
            return _bad(f"the body does not match schema {number}: {_short(error)}")
        if body.tell() != len(payload):
            return _bad(f"{len(payload) - body.tell()} bytes follow a body of schema {number}")
        if not isinstance(message, (dict, list)):
            return _bad(f"schema {number} describes a {type(message).__name__}, not a record")
        return message

    return of_payload


def plain(value: Any) -> Any:
    """An Avro value as it would be in JSON: instants, dates and times as ISO 8601, decimals and UUIDs as text.

    Bytes become an array of numbers, which is neither a name nor a value, so that digits in them are not read as one.
    """
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, bytes, bytearray)):
        return [plain(inner) for inner in value]
    if isinstance(value, (date, time)):  # a datetime is a date; one without a zone is a local time
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    return value


def _bad(detail: str) -> Rejected:
    return Rejected(reject_reasons.BAD_AVRO, detail)


def _short(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
