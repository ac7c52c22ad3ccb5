"""Lists of codes in a site file: words, numbers in any notation, and ranges of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

INTEGER_PATTERN = r"^(?:(-?[0-9]{1,10})(?:[.,]0*)?|0[xX]([0-9A-Fa-f]{1,8}))$"
"""An integer, decimal (pandas writes 192.0 if the column has empty cells) or hexadecimal."""
_INTEGER = re.compile(INTEGER_PATTERN)


def integer(text: str) -> int | None:
    """The integer that a text is; None for any other text."""
    match = _INTEGER.match(text)
    if match is None:
        return None
    return int(match[1]) if match[1] is not None else int(match[2], 16)


def code_range(text: str) -> tuple[int, int] | None:
    """`64..127`, `0x80000000..0xFFFFFFFF` -> its bounds, both included; None for any other text."""
    low, dots, high = text.partition("..")
    bounds = integer(low.strip(" \t")), integer(high.strip(" \t"))
    return (bounds[0], bounds[1]) if dots and bounds[0] is not None and bounds[1] is not None else None


class CodeList:
    """The codes of one list; `text in codes` for a trimmed text."""

    def __init__(self, codes: Iterable[str]) -> None:
        texts = [code.strip(" \t") for code in codes]
        self._ranges = [bounds for text in texts if (bounds := code_range(text)) is not None]
        self._numbers = frozenset(number for text in texts if (number := integer(text)) is not None)
        self._words = frozenset(text.lower() for text in texts)

    def __bool__(self) -> bool:
        return bool(self._words)

    def __contains__(self, text: str) -> bool:
        if text.lower() in self._words:
            return True
        number = integer(text)
        if number is None:
            return False
        return number in self._numbers or any(low <= number <= high for low, high in self._ranges)
