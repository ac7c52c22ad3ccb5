"""Text from outside (cells, file names, tags) made safe to show: nothing in it moves the cursor or hides another."""

from __future__ import annotations

import re

# C0 and C1 controls (ESC, BEL, CSI), marks that reorder what is read (bidi overrides), line separators, byte order
# marks, and lone surrogates (what Python makes of a file name that is not UTF-8: they cannot be printed at all)
_UNSAFE = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_CONTROLS = re.compile(f"[{_UNSAFE}]")
_CONTROLS_AND_BREAKS = re.compile(f"[{_UNSAFE}\t\n]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, limit: int | None = None) -> str:
    """The text on one line, its control characters written as Python writes them (`\\x1b`, `\\n`, `\\u202e`).

    `limit`: longer texts are cut, with dots.
    """
    if limit is not None and len(text) > limit:
        text = text[:limit] + " ..."
    return _CONTROLS_AND_BREAKS.sub(_escape, text)


def harmless(text: str) -> str:
    """A message of one or more lines: as `printable`, but its line breaks and tabs stay."""
    return _CONTROLS.sub(_escape, text)


def harmless_json(text: str) -> str:
    """A JSON text in which such characters are JSON's own escapes: it says the same."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
