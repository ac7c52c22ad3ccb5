"""Where the rows of a CSV file end: quoted fields may contain line breaks, but an unclosed quote must not swallow rows.

The rules are those of pyarrow and of Python's `csv`: a quote counts only at the start of a field, a doubled quote
inside is a quote, and text after a closing quote belongs to the field. A field with line breaks belongs to one row if
its closing quote is followed by a delimiter or the end of the line, and the lines inside it do not read as rows
themselves. Any other quote was never closed: its line is refused, and the next line is a row again.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IsRow = Callable[[Sequence[str]], bool]
"""Whether the fields of a line alone are a row of the file."""

QUOTE, LF, CR = b'"'[0], b"\n"[0], b"\r"[0]
# A longer quoted field with line breaks was never closed: an Excel cell has at most 32,767 characters of four bytes.
LONGEST_FIELD = 1 << 17
_CACHED = 1 << 16  # bytes examined at a time: they and their masks fit in the processor's cache


@dataclass(frozen=True)
class Row:
    """A row. `end`: the offset after its line break; `broken`: a quoted field contains line breaks; `closed`: each such
    field ends properly.
    """

    end: int
    broken: bool
    closed: bool


class QuoteRules:
    """The rules for one delimiter."""

    def __init__(self, delimiter: str) -> None:
        comma = re.escape(delimiter.encode())
        self._delimiter = delimiter
        self._comma = delimiter.encode()[0]
        self._bounds = np.zeros(256, bool)
        self._bounds[[self._comma, LF, CR]] = True
        quoted = rb'"[^"\r\n]*(?:""[^"\r\n]*)*"(?:[^"%b\r\n][^%b\r\n]*)?' % (comma, comma)
        field = rb'(?:%b|[^"%b\r\n][^%b\r\n]*|)' % (quoted, comma, comma)
        self._whole = re.compile(rb"%b(?:%b%b)*(?:[\r\n]|\Z)" % (field, comma, field))
        self._stop = re.compile(rb"[%b\r\n]" % comma)
        self._after = re.compile(rb"[ \t]*(?:[%b\r\n]|\Z)" % comma)

    def suspects(self, data: bytes) -> list[int]:
        """The lines (from 0) that alone may not be a row, because of a quote."""
        codes = np.frombuffer(data, np.uint8)
        if self._only_around_fields(codes):
            return []
        signs = (codes == QUOTE) | _line_ends(data, codes)
        places = np.flatnonzero(signs)
        quoted = np.flatnonzero(codes[places] == QUOTE)  # the signs that are quotes
        quotes = places[quoted]
        padded = np.full(len(codes) + 2, LF, np.uint8)  # the edges of the data count as line ends
        padded[1:-1] = codes
        line = quoted - np.arange(len(quoted))  # the number of line ends before each quote
        first = np.ones(len(quotes), bool)
        first[1:] = line[1:] != line[:-1]
        number = np.arange(len(quotes))
        opening = (number - np.maximum.accumulate(np.where(first, number, 0))) % 2 == 0
        plain = self._bounds[padded[np.where(opening, quotes, quotes + 2)]]
        plain &= ~(np.append(first[1:], True) & opening)  # a line's last quote must not be an opening one
        starts = line_starts(data)
        suspect = np.unique(line[~plain])
        return [index for index in suspect.tolist() if not self._whole.match(data, int(starts[index]))]

    def _only_around_fields(self, codes: NDArray[np.uint8]) -> bool:
        """Whether quotes only enclose whole fields within a line: a fast check for the common case."""
        signs = []  # an opening quote is 1, a closing one 2, a line end 4
        for begin in range(0, len(codes), _CACHED):
            piece = codes[begin : begin + _CACHED]
            quote = piece == QUOTE
            ends = (piece == LF) | (piece == CR)
            bound = ends | (piece == self._comma)
            opens, closes = quote.copy(), quote.copy()
            opens[1:] &= bound[:-1]
            closes[:-1] &= bound[1:]
            opens[0] &= begin == 0 or self._bounds[codes[begin - 1]]
            after = begin + len(piece)
            closes[-1] &= after == len(codes) or self._bounds[codes[after]]
            if not np.array_equal(opens ^ closes, quote):
                return False
            sign = opens.view(np.uint8) + 2 * closes.view(np.uint8) + 4 * ends.view(np.uint8)
            signs.append(sign.tobytes().translate(None, b"\0"))
        sequence = b"".join(signs)
        return 2 * sequence.count(b"\1\2") == len(sequence) - sequence.count(b"\4")  # each 1 is followed by a 2

    def row(self, data: bytes, start: int) -> Row | None:
        """The row at `start`, if every quote is taken literally; None if a quoted field does not end in `data`."""
        broken, closed, end = False, True, start
        for begin, close, stop in self._fields(data, start):
            if close is not None:
                if close < 0:
                    return None
                if data.find(b"\n", begin, close) >= 0 or data.find(b"\r", begin, close) >= 0:
                    broken = True
                    closed = closed and self._after.match(data, close + 1) is not None
                    closed = closed and close - begin <= LONGEST_FIELD
            end = len(data) if stop is None else stop.end() + (data[stop.start() : stop.end() + 1] == b"\r\n")
        return Row(end, broken, closed)

    def _fields(self, data: bytes, at: int) -> Iterator[tuple[int, int | None, re.Match[bytes] | None]]:
        """Each field of the row at `at`: where it begins; where its quote closes (None: it has none; -1: it is not
        closed, and nothing follows); the delimiter or line end after it, None at the end of `data`.
        """
        while True:
            close = self._closing(data, at + 1) if data[at : at + 1] == b'"' else None
            stop = None if close == -1 else self._stop.search(data, at if close is None else close + 1)
            yield at, close, stop
            if stop is None or stop[0] in b"\r\n":
                return
            at = stop.end()

    @staticmethod
    def _closing(data: bytes, at: int) -> int:
        """The offset of the quote that closes a field; -1 if there is none."""
        while True:
            at = data.find(b'"', at)
            if at < 0 or data[at + 1 : at + 2] != b'"':
                return at
            at += 2

    def is_one_row(self, row: Row, lines: Sequence[bytes], is_row: IsRow) -> bool:
        """Whether several `lines` are a single row.

        A comment may quote a row, so a single line does not decide: the lines are separate rows if most of those after
        the first are rows, or if all lines together are not a row.
        """
        if not row.closed:
            return False
        rows = sum(is_row(self.split(line)) for line in lines[1:])
        return rows == 0 or (2 * rows <= len(lines) - 1 and is_row(self.split(b"".join(lines))))

    def split(self, line: bytes) -> list[str]:
        """The fields of one line, or of one row that spans several."""
        text = io.StringIO(line.decode("utf-8", "replace").replace("\0", ""), newline="")
        try:
            return next(csv.reader(text, delimiter=self._delimiter), [])
        except csv.Error:  # a field of more than 128 KiB
            return []

    def open_field(self, line: bytes) -> int:
        """The number (from 1) of the field whose quote is not closed on the line; 0 for none."""
        return next((number for number, (_, close, _) in enumerate(self._fields(line, 0), 1) if close == -1), 0)


def line_starts(data: bytes) -> NDArray[np.int64]:
    """The offsets at which the lines of `data` start. A line ends with LF, CRLF or a lone CR, as in pyarrow."""
    ends = _line_ends(data, np.frombuffer(data, np.uint8))
    starts = np.concatenate(([0], np.flatnonzero(ends) + 1))
    return starts[starts < len(data)] if len(data) else starts[:0]


def line_count(data: bytes) -> int:
    """The number of lines that end in `data`."""
    codes = np.frombuffer(data, np.uint8)
    # in pieces that stay in the processor's cache; `bytes.count` takes ten times as long
    pieces = (codes[begin : begin + _CACHED] for begin in range(0, len(codes), _CACHED))
    count = sum(int(np.count_nonzero(piece == LF)) for piece in pieces)
    return count + data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else count


def _line_ends(data: bytes, codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """bool [len(data)]: whether a line ends at the byte: at its LF, or at a lone CR."""
    ends = codes == LF
    if b"\r" in data:
        lone = codes == CR
        lone[:-1] &= codes[1:] != LF
        ends |= lone
    return np.asarray(ends, bool)
