"""JSON texts: whole payloads, and texts of JSON within JSON, plain or in base64."""

from __future__ import annotations

import base64
import binascii
import json
from functools import lru_cache
from typing import Any, TypeAlias

Message: TypeAlias = "dict[str, Any] | list[Any]"

MAX_PAYLOAD = 1_000_000  # characters; Kafka's default limit for a message is a megabyte
REMEMBERED = 4
"""Texts whose objects are kept: each part of a record descends into the same text."""

_WHITESPACE = " \t\r\n"
_URL_ALPHABET = str.maketrans("-_", "+/")


def decoded(payload: bytes) -> str:
    """A payload as text, without a byte order mark at its beginning. Raises ValueError if it is not UTF-8."""
    return payload.decode("utf-8").removeprefix("\ufeff")


def parse(text: str) -> Any:
    """A JSON text as a value. Raises ValueError or RecursionError for anything else, including NaN and half a pair."""
    value = json.loads(text, parse_constant=_refuse_constant)
    if "\\ud" in text or "\\uD" in text:  # half of a surrogate pair is not text, and could not be written to Kafka
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


@lru_cache(maxsize=REMEMBERED)
def within(text: str, in_base64: bool = False) -> Message | None:
    """The object or array that a text contains, directly or (`in_base64`) in base64; None if it contains none.

    The result is shared: callers must not change it.
    """
    text = text.strip(_WHITESPACE)
    if text[:1] not in ("{", "["):
        if not in_base64:
            return None
        try:
            text = from_base64(text).decode("utf-8").strip(_WHITESPACE)
        except ValueError:
            return None
    if text[:1] not in ("{", "[") or len(text) > MAX_PAYLOAD:
        return None
    try:
        value = parse(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None


def from_base64(text: str) -> bytes:
    """The bytes of a text in base64, in either alphabet, with or without padding. Raises ValueError for other text."""
    text = "".join(text.split()).translate(_URL_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
