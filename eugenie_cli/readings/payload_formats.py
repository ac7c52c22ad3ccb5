"""The formats of payloads: bytes -> messages, as if parsed from JSON.

`json` recognises by itself, since no JSON text looks like them: Confluent's framing for JSON Schema (a zero byte and
the schema's id, then JSON), several messages in lines (NDJSON), and a JSON string that contains the message.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple, TypeAlias

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.avro import SchemaOf, compile_avro
from eugenie_cli.readings.framing import FRAME, MAGIC
from eugenie_cli.readings.influx import is_line, parse_influx
from eugenie_cli.readings.json_text import MAX_PAYLOAD, Message, decoded, from_base64, parse, within
from eugenie_cli.readings.kafka_record import is_payload_the_value, parse_value
from eugenie_cli.readings.protobuf import compile_protobuf
from eugenie_cli.readings.reading import Rejected

FIRST_LINES = 20
"""Lines that decide whether a payload is several messages: lines of garbage are not all parsed."""


class Lines(NamedTuple):
    """Several messages of one payload, with the numbers of their lines from 1."""

    messages: Sequence[tuple[int, Message | Rejected]]


Read: TypeAlias = "Callable[[bytes | None], Any]"
"""Payload -> a message (of any type, if the payload is the value alone), Lines or Rejected."""


def compile_format(mapping: Mapping[str, Any], schema_of: SchemaOf | None) -> Read:
    """The reader of a mapping's format. Raises ValueError for a format that messages cannot have."""
    format = mapping.get("format") or "json"
    read: Read
    if is_payload_the_value(mapping):
        return parse_alone
    if format == "json":
        read = parse_payload
    elif format == "influx":
        read = _influx
    elif format == "avro" and schema_of is not None:
        read = compile_avro(schema_of)
    elif format == "protobuf" and schema_of is not None:
        read = compile_protobuf(schema_of)
    else:
        is_registered = format in ("avro", "protobuf")
        raise ValueError(f"format {format}: no schema registry" if is_registered else f"a message cannot be {format}")
    return _in_base64(read, format == "json") if mapping.get("base64") else read


def _influx(payload: bytes | None) -> Lines | Rejected:
    lines = parse_influx(payload)
    return lines if isinstance(lines, Rejected) else Lines(lines)


def _in_base64(read: Read, may_be_json: bool) -> Read:
    def of_payload(payload: bytes | None) -> Message | Lines | Rejected:
        if payload is None:
            return read(None)
        text = payload.removeprefix(BOM_UTF8).strip()
        if may_be_json and text[:1] in (b"{", b"["):  # base64 is in its members
            return read(payload)
        if len(text) >= 2 and text[:1] == text[-1:] == b'"':  # a JSON string
            text = text[1:-1]
        try:
            return read(from_base64(text.decode("ascii")))
        except ValueError as error:
            return _bad(f"the payload is not base64, which `base64: true` requires: {error}")

    return of_payload


def parse_alone(payload: bytes | None) -> Any:
    """A payload that is nothing but the value."""
    if payload is None:
        return _bad("a message without a payload")
    if len(payload) > MAX_PAYLOAD:
        return Rejected(reject_reasons.TOO_LARGE, f"{len(payload)} bytes, at most {MAX_PAYLOAD}")
    try:
        return parse_value(payload)
    except ValueError as error:
        return Rejected(reject_reasons.BAD_VALUE, str(error))


# -- JSON ------------------------------------------------------------------------------------------------


def parse_payload(payload: bytes | None) -> Message | Lines | Rejected:
    """A payload of format json, of any of the kinds above."""
    if payload is None or payload[: len(MAGIC)] != MAGIC:
        return _lines_or_one(payload)
    if len(payload) <= FRAME:
        return _bad("a zero byte without a schema id and JSON after it")
    message = _lines_or_one(payload[FRAME:])
    if isinstance(message, Rejected) and message.reason == reject_reasons.BAD_JSON:
        number = int.from_bytes(payload[1:FRAME], "big")
        hint = "`format: avro` and `format: protobuf` read what is not JSON"
        return _bad(f"after a zero byte and the schema id {number}: {message.detail} ({hint})")
    return message


def _lines_or_one(payload: bytes | None) -> Message | Lines | Rejected:
    text = _text(payload)
    if isinstance(text, Rejected):
        return text
    message = _one(text)
    if not isinstance(message, Rejected):
        return message
    lines = json_lines(text)
    unread = [isinstance(_one(line), Rejected) for _, line in lines[:FIRST_LINES]]
    if lines and (not unread[0] or 2 * sum(unread) <= len(unread)):  # otherwise one message that is not JSON
        return Lines([(number, _one(line)) for number, line in lines])
    if text[:1] not in ("{", "[") and is_line(text):
        return _bad(f"{message.detail}; it is InfluxDB's line protocol, which `format: influx` reads")
    return message


def json_lines(text: str) -> list[tuple[int, str]]:
    """The lines of several messages with their numbers, without blank ones; empty if there are not several."""
    if "\n" not in text.strip():
        return []
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return lines if len(lines) > 1 else []


def _text(payload: bytes | None) -> str | Rejected:
    if payload is None:
        return _bad("a message without a payload")
    try:
        text = decoded(payload)
    except ValueError as error:
        return _bad(str(error))
    if len(text) > MAX_PAYLOAD:
        return Rejected(reject_reasons.TOO_LARGE, f"{len(text)} characters, at most {MAX_PAYLOAD}")
    return text


def _one(text: str) -> Message | Rejected:
    try:
        message = parse(text)
    except (ValueError, RecursionError) as error:
        return _bad(str(error))
    if isinstance(message, str):
        inner = within(message)
        message = message if inner is None else copy(inner)  # the caller may add members
    if not isinstance(message, (dict, list)):
        return _bad(f"a record is a JSON object, not {type(message).__name__}")
    return message


def _bad(detail: str) -> Rejected:
    return Rejected(reject_reasons.BAD_JSON, detail)
