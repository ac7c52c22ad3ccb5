"""Payloads -> messages, as the reference decodes them; payloads of any other kind are left to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from eugenie_cli.readings.avro import SchemaOf
from eugenie_cli.readings.change_events import compile_deletion
from eugenie_cli.readings.framing import FRAME, MAGIC
from eugenie_cli.readings.json_text import MAX_PAYLOAD
from eugenie_cli.readings.kafka_record import is_payload_the_value, parse_value
from eugenie_cli.readings.payload_formats import Lines, compile_format
from eugenie_cli.readings.reading import Rejected


class Decoded(NamedTuple):
    """The number of each message's payload, the messages, and the numbers of payloads left to the reference."""

    numbers: list[int]
    messages: list[Any]
    unread: list[int]


Decoder = Callable[[Sequence["bytes | None"], list[int]], Decoded]
"""Payloads, and the numbers of those to decode -> their messages. A payload with several lines has several messages."""


def compile_decoder(mapping: Mapping[str, Any], schema_of: SchemaOf | None) -> Decoder:
    """The decoder of a mapping's format. Errors: as for `payload_formats.compile_format`."""
    if is_payload_the_value(mapping):
        decode = _decode_values
    elif (mapping.get("format") or "json") == "json" and not mapping.get("base64"):
        decode = _decode_json
    else:
        read = compile_format(mapping, schema_of)

        def decode(payloads: Sequence[bytes | None], numbers: list[int]) -> Decoded:
            return _one_by_one(payloads, numbers, lambda payload: _messages_of(read(payload)))

    is_deletion = compile_deletion(mapping)
    if is_deletion is None:
        return decode

    def without_deletions(payloads: Sequence[bytes | None], numbers: list[int]) -> Decoded:
        index, messages, unread = decode(payloads, numbers)
        deletions = {number for number, message in zip(index, messages, strict=True) if is_deletion(message)}
        kept = [place for place, number in enumerate(index) if number not in deletions]
        return Decoded([index[place] for place in kept], [messages[place] for place in kept], [*unread, *deletions])

    return without_deletions


def _decode_json(payloads: Sequence[bytes | None], numbers: list[int]) -> Decoded:
    return _together(payloads, numbers, orjson.loads) or _one_by_one(payloads, numbers, _json_messages)


def _decode_values(payloads: Sequence[bytes | None], numbers: list[int]) -> Decoded:
    decoded = _together(payloads, numbers, parse_value)
    return decoded or _one_by_one(payloads, numbers, lambda payload: [parse_value(payload)])


def _together(payloads: Sequence[bytes | None], numbers: list[int], decode: Callable[[bytes], Any]) -> Decoded | None:
    """All payloads, one message each; None if at least one cannot be decoded: then each is on its own."""
    chosen = payloads if len(numbers) == len(payloads) else [payloads[number] for number in numbers]
    try:
        if max(map(len, chosen), default=0) <= MAX_PAYLOAD:  # type: ignore[arg-type]  # None is a TypeError
            return Decoded(numbers, list(map(decode, chosen)), [])  # type: ignore[arg-type]
    except (TypeError, ValueError):
        pass
    return None


def _one_by_one(payloads: Sequence[bytes | None], numbers: list[int], decode: Callable[[bytes], list[Any]]) -> Decoded:
    decoded = Decoded([], [], [])
    for number in numbers:
        payload = payloads[number]
        try:
            if payload is None or len(payload) > MAX_PAYLOAD:
                raise ValueError
            messages = decode(payload)
        except ValueError:
            decoded.unread.append(number)
        else:
            decoded.messages.extend(messages)
            decoded.numbers.extend([number] * len(messages))
    return decoded


def _json_messages(payload: bytes) -> list[Any]:
    if payload[: len(MAGIC)] == MAGIC:
        payload = payload[FRAME:]
    try:
        return [orjson.loads(payload)]
    except ValueError:
        lines = [line for line in payload.split(b"\n") if line.strip()]
        messages = list(map(orjson.loads, lines)) if len(lines) > 1 else []
        if not messages or not set(map(type, messages)) <= {dict, list}:
            raise
        return messages


def _messages_of(read: Any) -> list[Any]:
    """The messages of a decoded payload. Raises ValueError if it, or a line of it, was rejected."""
    messages = [message for _, message in read.messages] if isinstance(read, Lines) else [read]
    if any(isinstance(message, Rejected) for message in messages):
        raise ValueError
    return messages
