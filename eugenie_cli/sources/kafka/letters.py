"""The messages and readings that dead letters hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eugenie_cli.episodes.records import DEAD_LETTER_SCHEMA
from eugenie_cli.readings import reject_reasons
from eugenie_cli.site.mapping_parts import Part, QualityPart
from eugenie_cli.site.readings_mapping import ReadingsMapping

CANONICAL = ReadingsMapping(
    records=".",
    asset=Part(path="asset"),
    sensor=Part(path="sensor"),
    tag=Part(path="tag"),
    quality=QualityPart(path="quality"),
)
"""How late readings are read, an array of them, whatever the mapping of the site is."""


@dataclass
class Letters:
    """Payloads of letters, with the number of the letter that holds each.

    `late`: arrays of canonical readings; `messages`: original messages; `unusable`: letters without a message, with the
    reason.
    """

    late: list[tuple[int, bytes]] = field(default_factory=list)
    messages: list[tuple[int, bytes]] = field(default_factory=list)
    unusable: list[tuple[int, str]] = field(default_factory=list)


def opened(records: Sequence[bytes | None], *, is_text: bool) -> Letters:
    """The payloads of N records of a topic of dead letters. `is_text`: whether the messages of the stream are."""
    letters = Letters()
    for number, record in enumerate(records):
        letter = _letter(record)
        if isinstance(letter, str):
            letters.unusable.append((number, letter))
            continue
        payload = letter["payload"].encode()
        if letter["reason"] in (reject_reasons.LATE, reject_reasons.RESET):
            letters.late.append((number, payload if payload.startswith(b"[") else b"[" + payload + b"]"))
        elif not is_text:  # bytes that are not UTF-8 stand in a letter as \\xNN, and would be read as other numbers
            letters.unusable.append((number, "a binary message cannot be read again from a letter"))
        else:
            letters.messages.append((number, payload))
    return letters


def _letter(record: bytes | None) -> dict[str, Any] | str:
    """The letter, or why it holds no message that could be read again."""
    try:
        letter = json.loads(record or b"")
    except ValueError:
        return "it is not JSON"
    if not isinstance(letter, dict) or letter.get("schema") != DEAD_LETTER_SCHEMA:
        return "it is not a dead letter"
    if not isinstance(letter.get("payload"), str):
        return f"a letter about {letter.get('reason')} without the message"
    if letter.get("record"):
        return "its message needs the key, headers or timestamp of its record, which the letter shows in part only"
    if "(payload cut: " in str(letter.get("detail")):
        return "its message was too long for a letter, and was cut"
    return letter
