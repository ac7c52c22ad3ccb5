"""A stream of bytes -> blocks of whole rows, for a reader of CSV that takes a block at a time.

What cannot be a row (bytes that are not of the encoding, a quote that never closes, a line without an end) is taken out
and told, with its line; its line break stays, so lines can be counted in what is left.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings import reject_reasons
from eugenie_cli.sources.csv.quotes import LONGEST_FIELD, IsRow, QuoteRules, line_count, line_starts

LINE_END = re.compile(rb"\r\n|[\r\n]")
LONGEST_LINE = 16 << 20  # bytes: ten times a line of 100,000 columns
REPLACEMENT = "\ufffd".encode()  # what a byte becomes that is not of the encoding
_SHOWN = 400  # bytes of a line that is taken out
_DECODED = 1 << 16  # bytes at a time: the error of a bad one takes a copy of all that it was given
_CR_ALONE = re.compile(rb"\r(?!\n)")


@dataclass(frozen=True)
class Refused:
    """A line that was taken out: its number in the file, why, and how it begins (UTF-8, perhaps damaged)."""

    line: int
    reason: str
    why: str
    text: bytes


@dataclass(frozen=True)
class Block:
    """Whole rows, UTF-8. `first`: the number of its first line; `joined`: rows over several lines, by where they
    start and end in `data`.
    """

    data: bytes
    first: int
    refused: list[Refused] = field(default_factory=list)
    joined: dict[int, int] = field(default_factory=dict)

    @cached_property
    def _rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(line, last line) of each row, blank lines left out."""
        starts = line_starts(self.data)
        codes = np.frombuffer(self.data, np.uint8)
        row = ~np.isin(codes[starts], (10, 13))
        last = np.arange(len(starts))
        for start, end in self.joined.items():
            place, after = np.searchsorted(starts, (start, end)).tolist()
            row[place + 1 : after] = False
            last[place] = after - 1
        return self.first + np.flatnonzero(row), self.first + last[row]

    def place(self, row: int) -> tuple[int, str]:
        """(the line of a row (from 0), all its lines: `7` or `7-9`)."""
        line, last = int(self._rows[0][row]), int(self._rows[1][row])
        return line, str(line) if line == last else f"{line}-{last}"


class Decoder:
    """Bytes of an encoding -> UTF-8; what is not of the encoding becomes a replacement character."""

    def __init__(self, encoding: str) -> None:
        """Raises LookupError for an encoding that Python does not have."""
        "".encode(encoding)  # `hex` and `zip` are codecs of Python, and no encodings of text
        self._utf8 = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def __call__(self, chunk: bytes, final: bool = False) -> bytes:
        return chunk if self._utf8 else self._decoder.decode(chunk, final).encode("utf-8", "replace")

    def bad(self, data: bytes, at: int) -> int:
        """The place at or after `at` of a byte that was not of the encoding, -1 without one."""
        if not self._utf8:
            return data.find(REPLACEMENT, at)
        while at < len(data):
            piece, last = memoryview(data)[at : at + _DECODED], at + _DECODED >= len(data)
            try:
                at += codecs.utf_8_decode(piece, "strict", last)[1]
            except UnicodeDecodeError as error:
                return at + error.start
        return -1


class Framer:
    """Cuts one file into blocks."""

    def __init__(self, rules: QuoteRules, encoding: str, decoder: Decoder, is_row: IsRow) -> None:
        self._rules, self._encoding, self._decoder, self._is_row = rules, encoding, decoder, is_row

    def blocks(self, read: Callable[[], bytes], rest: bytes, line: int) -> Iterator[Block]:
        """The blocks of what `rest` and then `read` give (b"" at the end); `line`: the number of the first line."""
        ended = False
        while not ended:
            chunk = read()
            ended = not chunk
            chunk = self._decoder(chunk, ended)
            cut = len(chunk) if ended else last_line_end(chunk)
            if not cut and not ended:
                chunk, rest = rest + chunk, b""
                cut = last_line_end(chunk)
                if not cut and len(chunk) <= LONGEST_LINE:
                    rest = chunk
                    continue
                if not cut:
                    rest, refused = self._skip_line(chunk, read, line)
                    yield Block(b"", line, [refused])
                    line += 1
                    continue
            data = b"".join((rest, memoryview(chunk)[:cut]))  # copied once: it is most of the file
            block, done = self._block(data, line, ended)
            rest = data[done:] + chunk[cut:]
            line += line_count(data[:done])
            if block.data or block.refused:
                yield block

    def _skip_line(self, data: bytes, read: Callable[[], bytes], line: int) -> tuple[bytes, Refused]:
        """(what follows the line, the line): reads on to its end without keeping what it holds."""
        shown = data[:_SHOWN]
        while (found := LINE_END.search(data)) is None or found.end() == len(data):
            chunk = read()
            if not chunk:
                data = b""
                break
            data = data[-1:] + self._decoder(chunk)  # a CR at the end may have its LF in the next chunk
        why = f"a line of more than {LONGEST_LINE >> 20} MiB"
        return data[found.end() :] if found else b"", Refused(line, reject_reasons.MISSING_FIELD, why, shown)

    def _block(self, data: bytes, line: int, ended: bool) -> tuple[Block, int]:
        """(the block, how much of `data` it took): a row that may end in what is not read yet is left."""
        refused: list[Refused] = []
        sound = data
        if (bad := -1 if data.isascii() else self._decoder.bad(data, 0)) >= 0:
            sound, refused = self._without_bad_lines(_Lines(_with_line_feeds(data), line), bad)
        suspects = self._rules.suspects(sound) if b'"' in sound else []
        if not suspects:
            return Block(sound, line, refused), len(data)
        lines = _Lines(_with_line_feeds(sound), line)
        joined: dict[int, int] = {}
        left = self._join(lines, suspects, ended, joined)
        if left is None:
            return Block(lines.rest(), line, sorted(refused + lines.refused, key=_line), joined), len(data)
        refused = [one for one in refused if one.line < line + left]  # the others are met again
        rest = lines.rest(int(lines.starts[left]))
        return Block(rest, line, sorted(refused + lines.refused, key=_line), joined), int(line_starts(data)[left])

    def _without_bad_lines(self, lines: _Lines, bad: int) -> tuple[bytes, list[Refused]]:
        """`bad`: the first byte that is not of the encoding."""
        while bad >= 0:
            place = int(np.searchsorted(lines.starts, bad, side="right")) - 1
            why = f"not {self._encoding} text: set the source's `encoding` (cp1252 perhaps)"
            lines.take_out(place, reject_reasons.BAD_VALUE, why)
            bad = self._decoder.bad(lines.data, lines.end(place))
        return lines.rest(), lines.refused

    def _join(self, lines: _Lines, suspects: list[int], ended: bool, joined: dict[int, int]) -> int | None:
        """Find rows over several lines, for `joined`, and take out lines with a quote that stays open. Returns the line
        from which on nothing can be said before more is read; None when all is done.
        """
        data, resume = lines.data, 0
        for place in suspects:
            start = int(lines.starts[place])
            if start < resume:  # a line inside a row before it
                continue
            row = self._rules.row(data, start)
            if row is None and not ended and len(data) - start <= LONGEST_FIELD:
                return place
            if row is not None and not row.broken:
                continue
            if row is not None:
                after = int(np.searchsorted(lines.starts, row.end))
                cuts = [*lines.starts[place:after].tolist(), row.end]
                own = [data[begin:end] for begin, end in itertools.pairwise(cuts)]
                if self._rules.is_one_row(row, own, self._is_row):
                    joined[start - lines.gone] = row.end - lines.gone
                    resume = row.end
                    continue
            field = self._rules.open_field(lines.text(place))
            lines.take_out(place, reject_reasons.MISSING_FIELD, f"the quote of field {field} does not close")
        return None


class _Lines:
    """The lines of a block, of which some are taken out, from the first to the last. `gone`: bytes taken out."""

    def __init__(self, data: bytes, line: int) -> None:
        self.data, self.starts = data, line_starts(data)
        self.refused: list[Refused] = []
        self.gone = 0
        self._line = line
        self._kept: list[bytes] = []
        self._done = 0  # bytes of `data` that are kept or taken out

    def end(self, place: int) -> int:
        """Behind a line and its break."""
        return int(self.starts[place + 1]) if place + 1 < len(self.starts) else len(self.data)

    def text(self, place: int) -> bytes:
        """A line without its break."""
        return self.data[int(self.starts[place]) : self.end(place)].rstrip(b"\r\n")

    def take_out(self, place: int, reason: str, why: str) -> None:
        """Refuse a line; its break stays."""
        start, text = int(self.starts[place]), self.text(place)
        self.refused.append(Refused(self._line + place, reason, why, text[:_SHOWN]))
        self._kept.append(self.data[self._done : start])
        self._done = start + len(text)
        self.gone += len(text)

    def rest(self, end: int | None = None) -> bytes:
        """The data, up to `end`, without what was taken out."""
        return b"".join((*self._kept, self.data[self._done : end]))


def _with_line_feeds(data: bytes) -> bytes:
    """The same lines, none of which ends with a CR alone: that would join the LF behind a line that is taken out."""
    return _CR_ALONE.sub(b"\n", data) if b"\r" in data else data


def _line(refused: Refused) -> int:
    return refused.line


def last_line_end(data: bytes) -> int:
    """Behind the last line break of `data`; 0 without one. A CR at the very end may be half of one."""
    end = data.rfind(b"\n") + 1
    if b"\r" in data:
        end = max(end, data.rfind(b"\r", 0, len(data) - 1) + 1)
    return end
