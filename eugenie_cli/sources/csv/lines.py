"""A stream of bytes -> blocks of whole rows, for a CSV reader that parses one block at a time.

Text that cannot be a row (bytes that are not in the encoding, an unclosed quote, an endless line) is removed and
reported with its line number. Its line break stays, so that lines can still be counted.
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
from eugenie_cli.sources.csv.unread_lines import UnreadLines

LINE_END = re.compile(rb"\r\n|[\r\n]")
LONGEST_LINE = 16 << 20  # bytes: ten times a line of 100,000 columns
REPLACEMENT = "\ufffd".encode()  # replaces a byte that is not in the encoding
_SHOWN = 400  # bytes kept of a line that is removed
_DECODED = 1 << 16  # bytes decoded at a time: the error for a bad byte copies its whole input
_CR_ALONE = re.compile(rb"\r(?!\n)")


@dataclass(frozen=True)
class Refused:
    """A line that was removed: its number in the file, the reason, and its beginning (UTF-8, perhaps damaged)."""

    line: int
    reason: str
    why: str
    text: bytes


@dataclass(frozen=True)
class Block:
    """Whole rows, UTF-8. `first`: the number of its first line; `joined`: start -> end in `data` of each row that spans
    several lines.
    """

    data: bytes
    first: int
    refused: list[Refused] = field(default_factory=list)
    joined: dict[int, int] = field(default_factory=dict)

    @cached_property
    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(first line, last line) of each row, without blank lines."""
        starts = line_starts(self.data)
        codes = np.frombuffer(self.data, np.uint8)
        row = ~np.isin(codes[starts], (10, 13))
        last = np.arange(len(starts))
        for start, end in self.joined.items():
            index, after = np.searchsorted(starts, (start, end)).tolist()
            row[index + 1 : after] = False
            last[index] = after - 1
        return self.first + np.flatnonzero(row), self.first + last[row]

    def offset(self, row: int) -> int:
        """Where row number `row` (from 0) begins in `data`."""
        return int(line_starts(self.data)[int(self.rows[0][row]) - self.first])

    def part(self, start: int, end: int) -> Block:
        """The rows in `data[start:end]`."""
        first = self.first + line_count(self.data[:start])
        ends = end == len(self.data)
        last = first + line_count(self.data[start:end])
        return Block(
            self.data[start:end],
            first,
            [line for line in self.refused if line.line >= first and (ends or line.line < last)],
            {begin - start: stop - start for begin, stop in self.joined.items() if start <= begin < end},
        )

    def place(self, row: int) -> tuple[int, str]:
        """(the first line of row number `row` (from 0), all its lines: `7` or `7-9`)."""
        line, last = int(self.rows[0][row]), int(self.rows[1][row])
        return line, str(line) if line == last else f"{line}-{last}"


class Decoder:
    """Bytes in an encoding -> UTF-8. Replaces invalid bytes with U+FFFD; bytes that already are UTF-8 are passed on."""

    def __init__(self, encoding: str) -> None:
        """Raises LookupError if Python does not know the encoding."""
        "".encode(encoding)  # rejects codecs that are not text encodings, such as `hex` and `zip`
        self.encoding = encoding
        self._utf8 = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def __call__(self, chunk: bytes, final: bool = False) -> bytes:
        return chunk if self._utf8 else self._decoder.decode(chunk, final).encode("utf-8", "replace")

    def bad(self, data: bytes, at: int) -> int:
        """The offset of the first byte, at or after `at`, that was not in the encoding; -1 if there is none."""
        if not self._utf8:
            return data.find(REPLACEMENT, at)
        while at < len(data):
            piece, last = memoryview(data)[at : at + _DECODED], at + _DECODED >= len(data)
            try:
                at += codecs.utf_8_decode(piece, "strict", last)[1]
            except UnicodeDecodeError as error:
                return at + error.start
        return -1


@dataclass(frozen=True)
class Format:
    """How the lines of one file are written. `separated`: replaces blanks by tabs where any number of blanks separates
    fields; None: one character does.
    """

    rules: QuoteRules
    encoding: str
    decoder: Decoder
    unread: UnreadLines
    separated: Callable[[bytes], bytes] | None = None


class Framer:
    """Cuts one file into blocks. `lines`: the number of lines that were read; `open_end`: whether a quote is not closed
    at the end, so that the last rows would be read otherwise if the file went on.
    """

    lines = 0
    open_end = False

    def __init__(self, format: Format, is_row: IsRow) -> None:
        self._rules, self._encoding, self._decoder = format.rules, format.encoding, format.decoder
        self._unread, self._separated, self._is_row = format.unread, format.separated, is_row

    def blocks(self, read: Callable[[], bytes], rest: bytes, line: int) -> Iterator[Block]:
        """The blocks of `rest` and of what `read` returns (b"" at the end). `line`: the number of the first line."""
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
            data = b"".join((rest, memoryview(chunk)[:cut]))  # a single copy: this is most of the file
            if self._separated is not None:
                data = self._separated(data).rstrip(b"\t") if ended else self._separated(data)
            block, done = self._block(data, line, ended)
            rest = data[done:] + chunk[cut:]
            line += line_count(data[:done])
            self.lines = line - 1
            if block.data or block.refused:
                yield block

    def _skip_line(self, data: bytes, read: Callable[[], bytes], line: int) -> tuple[bytes, Refused]:
        """(the data after an overlong line, the line): reads to its end without keeping its text."""
        shown = data[:_SHOWN]
        while (line_end := LINE_END.search(data)) is None or line_end.end() == len(data):
            chunk = read()
            if not chunk:
                data = b""
                break
            data = data[-1:] + self._decoder(chunk)  # a CR at the end may have its LF in the next chunk
        why = f"a line of more than {LONGEST_LINE >> 20} MiB"
        return data[line_end.end() :] if line_end else b"", Refused(line, reject_reasons.MISSING_FIELD, why, shown)

    def _block(self, data: bytes, line: int, ended: bool) -> tuple[Block, int]:
        """(the block, the bytes of `data` it consumed): a row that may continue in unread data is left over."""
        sound, refused, end = self._rows(data, line) if self._unread else (data, [], None)
        if (bad := -1 if sound.isascii() else self._decoder.bad(sound, 0)) >= 0:
            bad_lines = _Lines(_with_line_feeds(sound), line)
            sound = self._without_bad_lines(bad_lines, bad)
            refused += bad_lines.refused
        suspects = self._rules.suspects(sound) if b'"' in sound else []
        if not suspects:
            self._unread.passed(end, None)
            return Block(sound, line, sorted(refused, key=_line)), len(data)
        lines = _Lines(_with_line_feeds(sound), line)
        joined: dict[int, int] = {}
        undecided = self._join(lines, suspects, ended, joined)
        self._unread.passed(end, undecided)
        if undecided is None:
            return Block(lines.rest(), line, sorted(refused + lines.refused, key=_line), joined), len(data)
        refused = [bad_line for bad_line in refused if bad_line.line < line + undecided]  # later ones come again
        rest = lines.rest(int(lines.starts[undecided]))
        done = int(line_starts(data)[undecided])
        return Block(rest, line, sorted(refused + lines.refused, key=_line), joined), done

    def _rows(self, data: bytes, line: int) -> tuple[bytes, list[Refused], int | None]:
        """(the data without the text of unread lines, those that were refused, the first line below the table)."""
        lines = _Lines(_with_line_feeds(data), line)
        comments, end = self._unread.find(lines.data)
        below = range(len(lines.starts) if end is None else end, len(lines.starts))
        for index in (*comments, *below):
            if text := lines.text(index):
                why = self._unread.fault(text, self._is_row, below=index in below)
                lines.remove(index, reject_reasons.MISSING_FIELD, why)
        return lines.rest(), lines.refused, end

    def _without_bad_lines(self, lines: _Lines, bad: int) -> bytes:
        """`bad`: the offset of the first byte that is not in the encoding."""
        while bad >= 0:
            index = int(np.searchsorted(lines.starts, bad, side="right")) - 1
            why = f"not {self._encoding} text: set the source's `encoding` (perhaps cp1252)"
            lines.remove(index, reject_reasons.BAD_VALUE, why)
            bad = self._decoder.bad(lines.data, lines.end(index))
        return lines.rest()

    def _join(self, lines: _Lines, suspects: list[int], ended: bool, joined: dict[int, int]) -> int | None:
        """Add rows that span several lines to `joined`, and remove lines with an unclosed quote. Returns the index of
        the first line that cannot be decided before more is read; None if all are decided.
        """
        data, resume = lines.data, 0
        for index in suspects:
            start = int(lines.starts[index])
            if start < resume:  # a line inside the previous row
                continue
            row = self._rules.row(data, start)
            if row is None and len(data) - start <= LONGEST_FIELD:
                if not ended:
                    return index
                self.open_end = True
            if row is not None and not row.broken:
                continue
            if row is not None:
                after = int(np.searchsorted(lines.starts, row.end))
                cuts = [*lines.starts[index:after].tolist(), row.end]
                row_lines = [data[begin:end] for begin, end in itertools.pairwise(cuts)]
                if self._rules.is_one_row(row, row_lines, self._is_row):
                    joined[start - lines.removed] = row.end - lines.removed
                    resume = row.end
                    continue
            field = self._rules.open_field(lines.text(index))
            lines.remove(index, reject_reasons.MISSING_FIELD, f"the quote of field {field} is not closed")
        return None


class _Lines:
    """The lines of a block, from which lines are removed in order. `removed`: bytes removed so far."""

    def __init__(self, data: bytes, line: int) -> None:
        self.data, self.starts = data, line_starts(data)
        self.refused: list[Refused] = []
        self.removed = 0
        self._line = line
        self._kept: list[bytes] = []
        self._done = 0  # bytes of `data` that are kept or removed

    def end(self, index: int) -> int:
        """The offset after a line and its line break."""
        return int(self.starts[index + 1]) if index + 1 < len(self.starts) else len(self.data)

    def text(self, index: int) -> bytes:
        """A line without its line break."""
        return self.data[int(self.starts[index]) : self.end(index)].rstrip(b"\r\n")

    def remove(self, index: int, reason: str, why: str | None) -> None:
        """Remove a line's text, and refuse it unless `why` is None; its line break stays."""
        start, text = int(self.starts[index]), self.text(index)
        if why is not None:
            self.refused.append(Refused(self._line + index, reason, why, text[:_SHOWN]))
        self._kept.append(self.data[self._done : start])
        self._done = start + len(text)
        self.removed += len(text)

    def rest(self, end: int | None = None) -> bytes:
        """The data, up to `end`, without the removed text."""
        return b"".join((*self._kept, self.data[self._done : end]))


def _with_line_feeds(data: bytes) -> bytes:
    """The same lines, with a lone CR replaced by LF: a CR would merge with the LF of a removed line after it."""
    return _CR_ALONE.sub(b"\n", data) if b"\r" in data else data


def _line(refused: Refused) -> int:
    return refused.line


def last_line_end(data: bytes) -> int:
    """The index just after the last line break; 0 if there is none. A trailing CR may be half of a CRLF."""
    end = data.rfind(b"\n") + 1
    if b"\r" in data:
        end = max(end, data.rfind(b"\r", 0, len(data) - 1) + 1)
    return end
