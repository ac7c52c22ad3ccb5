"""Where the rows of a CSV file end: quoted fields may hold line breaks, and a quote that stays open must not.

The rules are those of pyarrow and of Python's `csv`: a quote counts at the start of a field only, a doubled one inside
is a quote, and what follows a closing quote belongs to the field. A field with a line break is one row's when its
closing quote is followed by a delimiter or the line's end, and the lines inside it do not read as rows themselves. All
else is a quote that was never closed: its line is refused, and the line after it is a row again.
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
"""Whether the fields of a line are a row of the file by themselves."""

QUOTE, LF, CR = b'"'[0], b"\n"[0], b"\r"[0]
# A quoted field with line breaks that is longer was never closed: four bytes for each of Excel's 32,767 characters.
LONGEST_FIELD = 1 << 17
_CACHED = 1 << 16  # bytes looked at together: they and their masks stay in the processor's cache


@dataclass(frozen=True)
class Row:
    """A row that starts somewhere: `end` is behind its line break. `broken`: a quoted field runs over lines; `closed`:
    each such field ends as a field does.
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
        """Lines (from 0) that may not be a row by themselves, because of a quote."""
        codes = np.frombuffer(data, np.uint8)
        if self._only_round_fields(codes):
            return []
        signs = (codes == QUOTE) | _line_ends(data, codes)
        places = np.flatnonzero(signs)
        quoted = np.flatnonzero(codes[places] == QUOTE)  # which of the signs are quotes
        quotes = places[quoted]
        beside = np.full(len(codes) + 2, LF, np.uint8)  # the file's edges are line ends, too
        beside[1:-1] = codes
        line = quoted - np.arange(len(quoted))  # so many line ends are before each
        first = np.ones(len(quotes), bool)
        first[1:] = line[1:] != line[:-1]
        number = np.arange(len(quotes))
        opening = (number - np.maximum.accumulate(np.where(first, number, 0))) % 2 == 0
        plain = self._bounds[beside[np.where(opening, quotes, quotes + 2)]]
        plain &= ~(np.append(first[1:], True) & opening)  # the line's last quote opens
        starts = line_starts(data)
        suspect = np.unique(line[~plain])
        return [place for place in suspect.tolist() if not self._whole.match(data, int(starts[place]))]

    def _only_round_fields(self, codes: NDArray[np.uint8]) -> bool:
        """Whether quotes stand round whole fields of one line and nowhere else: the common case, quickly."""
        signs = []  # an opening quote is 1, a closing one 2, a line end 4
        for begin in range(0, len(codes), _CACHED):
            here = codes[begin : begin + _CACHED]
            quote = here == QUOTE
            ends = (here == LF) | (here == CR)
            bound = ends | (here == self._comma)
            opens, closes = quote.copy(), quote.copy()
            opens[1:] &= bound[:-1]
            closes[:-1] &= bound[1:]
            opens[0] &= begin == 0 or self._bounds[codes[begin - 1]]
            after = begin + len(here)
            closes[-1] &= after == len(codes) or self._bounds[codes[after]]
            if not np.array_equal(opens ^ closes, quote):
                return False
            sign = opens.view(np.uint8) + 2 * closes.view(np.uint8) + 4 * ends.view(np.uint8)
            signs.append(sign.tobytes().translate(None, b"\0"))
        found = b"".join(signs)
        return 2 * found.count(b"\1\2") == len(found) - found.count(b"\4")  # each 1 is followed by a 2

    def row(self, data: bytes, start: int) -> Row | None:
        """The row at `start`, quotes taken at their word; None when a quoted field does not end in `data`."""
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
        """Each field of the row at `at`: where it begins; where its quote closes (None: it has none, -1: it stays
        open, and nothing follows); the delimiter or line end behind it, None at the end of `data`.
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
        """The place of the quote that closes a field, -1 without one."""
        while True:
            at = data.find(b'"', at)
            if at < 0 or data[at + 1 : at + 2] != b'"':
                return at
            at += 2

    def is_one_row(self, row: Row, lines: Sequence[bytes], is_row: IsRow) -> bool:
        """Whether a row over several `lines` is one.

        A comment may quote a row, so not one line decides: where most lines behind the first would be rows, they are,
        and so they are where all of the lines together are none.
        """
        if not row.closed:
            return False
        rows = sum(is_row(self.split(line)) for line in lines[1:])
        return rows == 0 or (2 * rows <= len(lines) - 1 and is_row(self.split(b"".join(lines))))

    def split(self, line: bytes) -> list[str]:
        """The fields of one line, or of one row over several."""
        text = io.StringIO(line.decode("utf-8", "replace").replace("\0", ""), newline="")
        try:
            return next(csv.reader(text, delimiter=self._delimiter), [])
        except csv.Error:  # a field of more than 128 KiB
            return []

    def open_field(self, line: bytes) -> int:
        """Which field of a line, from 1, has the quote that does not close on it; 0 for none."""
        return next((number for number, (_, close, _) in enumerate(self._fields(line, 0), 1) if close == -1), 0)


def line_starts(data: bytes) -> NDArray[np.int64]:
    """Where the lines of `data` start; a line ends with LF, CRLF, or a CR alone, as in pyarrow."""
    ends = _line_ends(data, np.frombuffer(data, np.uint8))
    starts = np.concatenate(([0], np.flatnonzero(ends) + 1))
    return starts[starts < len(data)] if len(data) else starts[:0]


def line_count(data: bytes) -> int:
    """How many lines end in `data`."""
    count = int(np.count_nonzero(np.frombuffer(data, np.uint8) == LF))  # `bytes.count` takes four times as long
    return count + data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else count


def _line_ends(data: bytes, codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a line ends: at its LF, or at a CR alone."""
    ends = codes == LF
    if b"\r" in data:
        alone = codes == CR
        alone[:-1] &= codes[1:] != LF
        ends |= alone
    return np.asarray(ends, bool)
