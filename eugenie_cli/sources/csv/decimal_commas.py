"""Decimal commas between commas: 1,05 without quotes is two fields, and a row of them may fit the header all the same.

It does if the names of the header contain commas, if rows lack their last cells, if the site file names as many columns
as rows have fields, or if a fraction of a second follows its instant. Then values are in the wrong columns. Only what
two adjacent columns contain shows it: never anything but an integer before digits, and one of these.

- The digits have leading zeros, as fractions have and measurements do not: 1,05.
- The second column has no name of its own: it is empty, a unit, or the rest of a name with an open bracket.
- Together, the columns are smoother than the first one alone: when the integer steps up, the digits wrap around.
- All values of the file are such pairs, with a single digit that takes on most of the values from 0 to 9.

One pair that fits no decimal comma (a point, a sign behind the comma, an empty cell beside a full one) is enough to
acquit two columns, and so are zeros at the end of digits of several lengths (1,5 beside 1,50).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from eugenie_cli.sources.unit_words import KNOWN_UNITS

Kind = Literal["value", "time", "label", "other"]
"""What a column is read as; "other": not at all."""
Pair = tuple[int, int]
"""The places of two adjacent columns."""

SAMPLE_BYTES, SAMPLE_ROWS = 1 << 17, 2_000
"""Of each block: enough for a verdict, and a thirtieth of the block."""
ENOUGH_IDS = 10
"""Digits in a column that is not read may be numbers of batches: fewer different ones show nothing."""
ENOUGH_STATES = 3
"""Different digits in a column without a name that are not those of a flag."""
ENOUGH_ROWS, ENOUGH_DIGITS = 20, 6
"""Rows, and different digits in each pair's second column, from which pairs of all columns are no coincidence."""
ENOUGH_STEPS = 12
"""Steps of the integer from which smoothness is judged."""
SMOOTHER = 0.5
"""Share of the first column's squared steps that those of both columns together have, at most. It is at least about 1
for two measurements, and 0.13 for a signal that steps by 0.1 and is cut into integers and fractions."""
GROUP = 3
"""Digits between thousands separators."""
FULL = 0.85
"""Fractions reach from 1 - FULL to FULL at least; minutes beside hours do not."""

PADDED = re.compile(rb",[+-]?[0-9]+,0[0-9]+[,\r\n]")
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_DIGITS = re.compile(r"[0-9]{1,9}")
_CLOCK = re.compile(r".*[0-9]:[0-9]{2}|[0-9]{9,}")
"""The end of an instant that a fraction of a second may follow."""
_UNNAMED = re.compile(r"column [0-9]+")


@dataclass(frozen=True)
class _Cells:
    """The cells of a pair, row by row, without rows in which both are empty. `keys`: what tells series apart."""

    before: list[str]
    after: list[str]
    keys: list[tuple[str, ...]]


class DecimalCommas:
    """Judges the columns below one header. `names`: of the columns; `kinds`: what each is read as."""

    def __init__(self, names: Sequence[str], kinds: Sequence[Kind]) -> None:
        self._names, self._kinds = names, kinds
        self._labels = [place for place, kind in enumerate(kinds) if kind == "label"]
        self._pairs = [pair for pair in itertools.pairwise(range(len(names))) if self._may_be_split(pair)]

    def _may_be_split(self, pair: Pair) -> bool:
        before, after = (self._kinds[place] for place in pair)
        if after == "value":
            return before != "label"
        return before == "value" and after == "other"

    def found(self, data: bytes) -> list[Pair]:
        """The pairs of columns that are one number each, as far as the first rows of a block show it."""
        rows = _rows(data, len(self._names))
        columns = list(zip(*rows, strict=True))
        pairs = {pair: cells for pair in self._pairs if rows and (cells := self._cells(columns, pair)) is not None}
        padded = [place for place, kind in enumerate(self._kinds) if kind == "value" and _any_padded(columns, place)]
        found = [pair for pair, cells in pairs.items() if self._is_split(pair, cells, padded)]
        return found or self._all_in_pairs(pairs)

    def _cells(self, columns: Sequence[Sequence[str]], pair: Pair) -> _Cells | None:
        """The cells of a pair; None if they are not always an integer, or an instant, before digits."""
        before, after = (columns[place] for place in pair)
        left = _CLOCK if self._kinds[pair[0]] == "time" else _INTEGER
        kept = []
        for row, (text, digits) in enumerate(zip(before, after, strict=True)):
            if not text and not digits:
                continue
            if left.fullmatch(text) is None or not digits:
                return None
            kept.append(row)
        if not may_be_fractions([after[row] for row in kept]):
            return None
        keys = [tuple(columns[place][row] for place in self._labels) for row in kept]
        return _Cells([before[row] for row in kept], [after[row] for row in kept], keys) if kept else None

    def _is_split(self, pair: Pair, cells: _Cells, padded: Sequence[int]) -> bool:
        """`padded`: the columns of values with leading zeros, which may be those of the whole file."""
        has_zeros = _are_padded(cells.after, measured=self._kinds[pair[1]] == "value")
        if self._kinds[pair[0]] == "time":
            return has_zeros and list(padded) == [pair[1]]
        return has_zeros or self._has_no_name(pair, cells.after) or _are_smoother(cells)

    def _has_no_name(self, pair: Pair, digits: Sequence[str]) -> bool:
        """Whether the second column has no name of its own. One that is measured has that of a tag."""
        before, after = (self._names[place] for place in pair)
        if _opens(before) > 0 > _opens(after):
            return True
        if self._kinds[pair[1]] != "other":
            return False
        if _UNNAMED.fullmatch(after):
            return len(set(digits)) >= ENOUGH_STATES
        return _is_unit(after) and not _is_unit(before)

    def _all_in_pairs(self, pairs: dict[Pair, _Cells]) -> list[Pair]:
        """All values, two by two, if the second of two always is one digit."""
        values = [place for place, kind in enumerate(self._kinds) if kind == "value"]
        couples = list(zip(values[::2], values[1::2], strict=False))
        if len(values) < 4 or len(values) % 2 or not all(couple in pairs for couple in couples):
            return []
        digits = [pairs[couple].after for couple in couples]
        of_one_digit = all(
            len(cells) >= ENOUGH_ROWS and len(set(cells)) >= ENOUGH_DIGITS and max(map(len, cells)) == 1
            for cells in digits
        )
        return couples if of_one_digit else []


def may_be_fractions(digits: Iterable[str]) -> bool:
    """Whether texts are digits as fractions have them: as many in each, or no more of them than needed."""
    distinct = set(digits)
    if not distinct or not all(map(_DIGITS.fullmatch, distinct)):
        return False
    return len(set(map(len, distinct))) == 1 or not any(len(text) > 1 and text.endswith("0") for text in distinct)


def _rows(data: bytes, width: int) -> list[list[str]]:
    """The fields of the first rows that have as many as the header, without rows with quotes."""
    sample = data[:SAMPLE_BYTES]
    whole = sample if len(sample) == len(data) else sample[: sample.rfind(b"\n") + 1]
    lines = whole.decode("utf-8", "replace").splitlines()[:SAMPLE_ROWS]
    split = [line.split(",") for line in lines if line and '"' not in line]
    return [[field.strip() for field in fields] for fields in split if len(fields) == width]


def _any_padded(columns: Sequence[Sequence[str]], place: int) -> bool:
    return bool(columns) and any(len(text) > 1 and text.startswith("0") and text.isdigit() for text in columns[place])


def _are_padded(digits: Sequence[str], *, measured: bool) -> bool:
    """Whether digits have leading zeros as fractions have them: some do, some do not, or all are zeros."""
    padded = {text for text in digits if len(text) > 1 and text.startswith("0")}
    if not padded:
        return False
    if measured:
        if {len(text) for text in padded} == {GROUP} != set(map(len, digits)):
            return False  # perhaps thousands: 952 and 31, but 1,031
        return not padded.issuperset(digits) or not any(text.strip("0") for text in digits)
    return len(set(digits)) >= ENOUGH_IDS and not padded.issuperset(digits) and not _is_monotone(map(int, digits))


def _is_monotone(numbers: Iterable[int]) -> bool:
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    return all(step >= 0 for step in steps) or all(step <= 0 for step in steps)


def _are_smoother(cells: _Cells) -> bool:
    """Whether an integer with the digits behind its comma moves less than the integer alone, within each series."""
    last: dict[tuple[str, ...], tuple[int, float]] = {}
    alone = together = 0.0
    steps, least, most = 0, 1.0, 0.0
    for text, digits, key in zip(cells.before, cells.after, cells.keys, strict=True):
        fraction = int(digits) / 10 ** len(digits)
        integer = int(text)
        number = integer - fraction if text.startswith("-") else integer + fraction
        least, most = min(least, fraction), max(most, fraction)
        if key in last:
            before, number_before = last[key]
            steps += integer != before
            alone += (integer - before) ** 2
            together += (number - number_before) ** 2
        last[key] = integer, number
    return steps >= ENOUGH_STEPS and most >= FULL and least <= 1 - FULL and together < SMOOTHER * alone


def _opens(name: str) -> int:
    """How many more brackets a name opens than it closes."""
    return sum(name.count(sign) for sign in "([{") - sum(name.count(sign) for sign in ")]}")


def _is_unit(name: str) -> bool:
    return name.strip("[](){} ") in KNOWN_UNITS
