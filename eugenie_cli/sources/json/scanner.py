"""Reads JSON texts of any length value by value: only one value is in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

PIECE = 1 << 20
"""Characters read at a time."""
LONGEST = 256 << 20
"""Characters of one value, such as all recorded values of a tag. Above, the file is refused before memory runs out."""
_SPACE = re.compile(r"[ \t\r\n]*")
_UNFINISHED = 80  # an error this close to the end of what was read may be only because more follows


class NotJson(ValueError):  # noqa: N818 - named for what it is; the message says where
    """A text that is not JSON, or ends too early."""


class Scanner:
    """A position in a text, which `read` returns piece by piece; empty at the end.

    `constants`: how many NaN and Infinity were read, which are not JSON.
    """

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read, self._text, self._at, self._lines = read, "", 0, 1
        self._ended = self._one_by_one = False
        self.constants = 0
        self._decode = json.JSONDecoder(parse_constant=self._constant).raw_decode

    @property
    def line(self) -> int:
        """The line of the position, from 1."""
        return self._lines + self._text.count("\n", 0, self._at)

    def peek(self) -> str:
        """The next character that is not blank; empty at the end. It becomes the position."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(PIECE):
                return ""

    def take(self, expected: str) -> None:
        """Pass an expected character. Raises NotJson for another."""
        found = self.peek()
        if found != expected:
            raise self._wrong(f"{expected!r} is missing")
        self._at += 1

    def value(self) -> Any:
        """The value at the position. Raises NotJson."""
        self.peek()
        piece = PIECE
        while True:
            constants = self.constants
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                is_open = error.msg.startswith("Unterminated")
                if not ((is_open or error.pos > len(self._text) - _UNFINISHED) and self._more(piece)):
                    self._at = len(self._text) if is_open else min(error.pos, len(self._text))
                    raise self._wrong(error.msg) from None
            except RecursionError:
                raise self._wrong("its values are nested too deeply") from None
            else:
                whole = self._text[end : end + 3].strip(".eE+-")  # of a number, more may follow: 0, then .5
                if whole or not self._more(piece):
                    self._at = end
                    return value
            self.constants = constants
            piece = min(2 * piece, LONGEST)
            if len(self._text) - self._at > LONGEST:
                raise self._wrong(f"a value has more than {LONGEST >> 20} million characters")

    def elements(self) -> Iterator[list[Any]]:
        """The elements of the array that begins at the position, in lists of any length. Raises NotJson.

        What was read up to the end of an object that a comma follows is usually some whole elements: parsed at once,
        they take a tenth of the time. If they are not, the parser refuses them, and they are read one by one.
        """
        self.take("[")
        is_first = True
        while self.peek() != "]":
            if not is_first:
                self.take(",")
                self.peek()
            is_first = False
            end = -1 if self._one_by_one else self._text.rfind("},", self._at)
            if end > 0:
                try:
                    several = orjson.loads(f"[{self._text[self._at : end + 1]}]")
                except ValueError:
                    self._one_by_one = True  # until more is read
                else:
                    self._at = end + 1
                    yield several
                    continue
            yield [self.value()]
        self.take("]")

    def _more(self, count: int) -> bool:
        """Read on. What is before the position is forgotten."""
        if self._ended:
            return False
        piece = self._read(count)
        self._ended = not piece
        self._lines += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :] + piece, 0
        self._one_by_one = False
        return not self._ended

    def _wrong(self, what: str) -> NotJson:
        if self._at >= len(self._text) and not self._more(1):
            return NotJson(f"is cut off: it ends in line {self.line}, in the middle of its JSON")
        return NotJson(f"is not JSON in line {self.line}: {what}")

    def _constant(self, name: str) -> float:
        self.constants += 1
        return float(name.replace("Infinity", "inf"))
