"""Lines that the settings say are not rows: comments, and what follows the end of the table.

Nothing is dropped unseen: such a line that reads as a row of the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.sources.csv.quotes import IsRow, QuoteRules, line_starts
from eugenie_cli.sources.csv.table_settings import Table

ANNOTATIONS = re.compile(rb"#(?:group|datatype|default|constant|timezone|concat)\b")
"""Begin the first lines of InfluxDB's annotated CSV."""


class Beginning:
    """Finds lines that begin with a mark, perhaps after blanks, or in quotes because the line contains a delimiter."""

    def __init__(self, marks: Sequence[str]) -> None:
        texts = [mark.encode() for mark in marks]
        self._pattern = re.compile(rb'[ \t]*"?[ \t]*(?:%b)' % b"|".join(map(re.escape, texts)))
        self._first = np.zeros(256, bool)
        self._first[[*b' \t"', *(text[0] for text in texts)]] = True

    def begins(self, line: bytes) -> bool:
        return self._pattern.match(line) is not None

    def lines(self, data: bytes, starts: NDArray[np.int64]) -> list[int]:
        """The indices of such lines in `data`, whose lines begin at `starts`."""
        possible = np.flatnonzero(self._first[np.frombuffer(data, np.uint8)[starts]])
        return [index for index in possible.tolist() if self._pattern.match(data, int(starts[index]))]


class UnreadLines:
    """Finds the unread lines of one file, a block at a time. `over`: whether the table has ended."""

    def __init__(
        self,
        table: Table | None,
        rules: QuoteRules,
        *,
        annotated: bool = False,
        tabbed: bool = False,
        kept: Beginning | None = None,
    ) -> None:
        """`annotated`: InfluxDB's annotated CSV, whose annotations are comments; `tabbed`: blanks have become tabs;
        `kept`: lines below the header that are needed, though they may be comments.
        """
        marks = [*(table.comment if table else ()), *(["#"] if annotated else [])]
        until = [table.until] if table and table.until else []
        if tabbed:
            marks, until = ([re.sub(r"[ \t]+", "\t", mark) for mark in each] for each in (marks, until))
        self._comment = Beginning(marks) if marks else None
        self._until = Beginning(until) if until else None
        self._rules, self._kept = rules, kept
        self.over = False

    def __bool__(self) -> bool:
        return self._comment is not None or self._until is not None

    def is_comment(self, line: bytes) -> bool:
        return self._comment is not None and self._comment.begins(line)

    def is_end(self, line: bytes) -> bool:
        """Whether the table ends above a line."""
        return self._until is not None and self._until.begins(line)

    def find(self, data: bytes) -> tuple[list[int], int | None]:
        """(the indices of the comments in the lines of `data`, the index of the first line below the table)."""
        if self.over:
            return [], 0
        starts = line_starts(data)
        end = next(iter(self._until.lines(data, starts)), None) if self._until is not None else None
        comments = self._comment.lines(data, starts[:end]) if self._comment is not None else []
        if comments and self._kept is not None:
            comments = sorted({*comments} - {*self._kept.lines(data, starts)})
        return comments, end

    def passed(self, end: int | None, lines: int | None) -> None:
        """Note that a block was read up to line `lines` (None: all of it), whose table ended at line `end`, if any."""
        self.over = self.over or (end is not None and (lines is None or end < lines))

    def fault(self, line: bytes, is_row: IsRow, *, below: bool) -> str | None:
        """Why an unread line is refused; None if it is no row. `below`: it is below the end of the table."""
        if not is_row(self._rules.split(line)):
            return None
        if below:
            return "below the end of the table, but it reads as a row: correct `table.until`"
        return "a comment, but it reads as a row: correct `table.comment`"
