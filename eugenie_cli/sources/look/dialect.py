"""The delimiter of a text with columns: the one that gives rows of one length whose cells are instants and numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.field_types import BLANKS
from eugenie_cli.sources.csv.blanks import tabbed
from eugenie_cli.sources.csv.lines import LINE_END
from eugenie_cli.sources.csv.quotes import QuoteRules
from eugenie_cli.sources.look.cells import is_data, kind_of_cell
from eugenie_cli.sources.look.findings import Notes

DELIMITERS = (";", "\t", ",", "|", "^", "~", BLANKS)
SHOWN = {";": "semicolon", "\t": "tab", ",": "comma", "|": "|", "^": "^", "~": "~", BLANKS: "any number of blanks"}
SEPARATOR = re.compile(r"""^"?sep=(.)"?\s*$""", re.IGNORECASE)
SURE = 0.6
"""Score of a delimiter from which blanks are not tried: they are in texts and instants, too."""
LINES = 400
"""Lines at the beginning from which the delimiter and the header are found."""


@dataclass(frozen=True)
class Line:
    """A row at the beginning of a text, perhaps of several lines. `first` and `last`: the numbers of its lines from 1;
    `text`: as it is; `fields`: trimmed.
    """

    first: int
    last: int
    text: str
    fields: tuple[str, ...]


def separator(delimiter: str) -> str:
    """The character between fields, after blanks were replaced by it."""
    return "\t" if delimiter == BLANKS else delimiter


def lines_of(head: bytes, delimiter: str) -> list[Line]:
    """The first rows of a text (UTF-8), with blank ones. A quote that is not closed does not extend a row."""
    data = tabbed(head) if delimiter == BLANKS else head
    rules = QuoteRules(separator(delimiter))
    found: list[Line] = []
    start, number = 0, 1
    while start < len(data) and len(found) < LINES:
        match = LINE_END.search(data, start)
        end = match.end() if match else len(data)
        row = rules.row(data, start) if b'"' in data[start:end] else None
        count = 1
        if row is not None and row.broken and row.closed and row.end > end:
            more = data[end : row.end].splitlines()
            if 2 * sum(is_data(rules.split(line)) for line in more) <= len(more):
                end, count = row.end, 1 + len(more)
        text = data[start:end].decode("utf-8", "replace").rstrip("\r\n")
        fields = tuple(" ".join(field.split()) for field in rules.split(data[start:end].rstrip(b"\r\n")))
        found.append(Line(number, number + count - 1, text, fields))
        start, number = end, number + count
    return found


def delimiter_of(head: bytes, where: str, notes: Notes) -> str:
    """The delimiter of a text (UTF-8). Raises EugenieError if the text has no columns."""
    first = next((line for line in head[:4096].decode("utf-8", "replace").splitlines() if line.strip()), "")
    named = SEPARATOR.match(first.lstrip("\ufeff"))
    if named is not None:
        notes.find("delimiter", SHOWN.get(named[1], named[1]), "the first line, sep=")
        return named[1]
    scores = {delimiter: _score(lines_of(head, delimiter)) for delimiter in DELIMITERS}
    best = max(DELIMITERS[:-1], key=lambda delimiter: (scores[delimiter], -DELIMITERS.index(delimiter)))
    if scores[best] < SURE and scores[BLANKS] > scores[best]:
        best = BLANKS
    if not scores[best]:
        raise EugenieError(
            f"{where}: its lines have no columns: no delimiter divides them into an instant and values",
            "export it with a header, a column for the instant, and a delimiter such as ;",
        )
    notes.find("delimiter", SHOWN[best], "rows of one length")
    return best


def _score(lines: Sequence[Line]) -> float:
    """Up to 1: the share of rows of the usual length, times the share of their cells that look like one value."""
    rows = [line.fields for line in lines if any(line.fields)]
    data = [fields for fields in rows if is_data(fields)]
    if not data:
        return 0.01 * _score_of_header(rows)
    rows = rows[rows.index(data[0]) :]
    width, count = Counter(map(len, data)).most_common(1)[0]
    if width < 2:
        return 0.0
    kinds = Counter(kind_of_cell(cell) for fields in data if len(fields) == width for cell in fields)
    filled = kinds.total() - kinds["empty"]
    good = (kinds["instant"] + kinds["time"] + kinds["number"] + 0.9 * kinds["word"]) / max(1, filled)
    timed = 1.0 if kinds["instant"] or kinds["time"] else 0.8
    return count / len(rows) * good * timed


def _score_of_header(rows: Sequence[tuple[str, ...]]) -> float:
    """For a text without readings: whether its lines have several fields."""
    return 1.0 if rows and len(rows[-1]) > 1 and "mixed" not in map(kind_of_cell, rows[-1]) else 0.0
