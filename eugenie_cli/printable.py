"""Makes text from outside (cells, file names, tags) safe to print: it cannot move the cursor or hide other text."""

from __future__ import annotations

import re

# C0 and C1 controls (ESC, BEL, CSI), marks that reorder text (bidi overrides), line separators, byte order marks, and
# lone surrogates, which Python uses for the bytes of a file name that is not UTF-8, and which cannot be printed
_UNSAFE = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_CONTROLS = re.compile(f"[{_UNSAFE}]")
_CONTROLS_AND_BREAKS = re.compile(f"[{_UNSAFE}\t\n]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, limit: int | None = None) -> str:
    """The text on one line, with control characters escaped as in Python (`\\x1b`, `\\n`, `\\u202e`).

    `limit`: longer texts are cut and end in dots.
    """
    if limit is not None and len(text) > limit:
        text = text[:limit] + " ..."
    return _CONTROLS_AND_BREAKS.sub(_escape, text)


def harmless(text: str) -> str:
    """As `printable`, for a message of several lines: line breaks and tabs are kept."""
    return _CONTROLS.sub(_escape, text)


def harmless_json(text: str) -> str:
    """A JSON text with such characters replaced by JSON's own escapes, which leaves its meaning unchanged."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
