"""Numbers whose thousands separator or decimal comma is also the delimiter: each is two fields, which may fit the
columns. Their rows are rejected.

Thousands: nothing writes 31 as 031 beside numbers without leading zeros. So a field of one to three digits before one
of three digits with a leading zero is one number, and its row has one field less than it seems.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eugenie_cli.printable import printable
from eugenie_cli.sources.csv.decimal_commas import PADDED, DecimalCommas, Kind, Pair
from eugenie_cli.sources.csv.rejected_rows import SHOWN_TEXT, Ragged, rows_of

LOOKED_AT = 1 << 16
"""Bytes of each block that are searched: numbers from a thousand on are rarely few."""
_LEADING = "[+-]?[1-9][0-9]{0,2}"
_GROUP = "[0-9]{3}(?:[.][0-9]+)?"
_SUSPECT = re.compile(rf",{_LEADING},0[0-9]{{2}}(?:[.][0-9]+)?[,\r\n]".encode())
_BEFORE_COMMA = {"value": "^[+-]?[0-9]+$", "other": "^[+-]?[0-9]+$", "time": "[0-9]$"}
_DIGITS = "^[0-9]+$"


class SplitNumbers:
    """Finds the rows of one file. `names`: of the columns; `kinds`: what each is read as; `is_point`: whether the site
    file says that the decimal sign is a point, so that no number has a decimal comma.
    """

    def __init__(self, separator: str, names: Sequence[str], kinds: Sequence[Kind], *, is_point: bool) -> None:
        self._separator, self._names, self._kinds = separator, names, kinds
        values = [place for place, kind in enumerate(kinds) if kind == "value" and place + 1 < len(kinds)]
        self._pairs = [(place, place + 1) for place in values] if separator == "," else []
        self._commas = DecimalCommas(names, kinds) if separator == "," and not is_point else None
        self._grouped: set[Pair] = set()
        self._split: list[Pair] = []
        self._examined = False

    def may_be_in(self, data: bytes) -> bool:
        """Whether a block must be read as text."""
        if self._commas is not None and not self._split:
            if not self._examined or PADDED.search(data, 0, LOOKED_AT) is not None:
                self._split = self._commas.found(data)
            self._examined = True
        if self._split:
            return True
        return bool(self._pairs) and (bool(self._grouped) or _SUSPECT.search(data, 0, LOOKED_AT) is not None)

    def without(self, records: pa.RecordBatch, ragged: list[Ragged]) -> tuple[pa.RecordBatch, list[Ragged]]:
        """The records and ragged rows of a block, with rows that may have such numbers among the ragged ones."""
        found = self._with_commas(records) if self._split else self._with_groups(records)
        if not found:
            return records, ragged
        rows = rows_of(records, ragged)
        more = []
        for record, pair in found.items():
            fields = [column[record].as_py() for column in records.columns]
            text = ",".join(fields)
            why = f"{self._why(fields, pair)}: {printable(text, SHOWN_TEXT)}"
            more.append(Ragged(int(rows[record]), why, text))
        keep = np.ones(records.num_rows, bool)
        keep[list(found)] = False
        return records.filter(pa.array(keep)), sorted([*ragged, *more], key=lambda row: row.row)

    def _with_groups(self, records: pa.RecordBatch) -> dict[int, Pair]:
        """Record -> the columns of a number with a thousands separator."""
        found: dict[int, Pair] = {}
        for pair in self._pairs:
            before, after = (records.column(place) for place in pair)
            both = pc.and_(_matches(before, f"^{_LEADING}$"), _matches(after, f"^{_GROUP}$"))
            if pair not in self._grouped and pc.any(pc.and_(both, pc.starts_with(after, "0"))).as_py():
                self._grouped.add(pair)
            if pair in self._grouped:
                _note(found, both, pair)
        return found

    def _with_commas(self, records: pa.RecordBatch) -> dict[int, Pair]:
        """Record -> the columns of a number with a decimal comma."""
        found: dict[int, Pair] = {}
        for pair in self._split:
            before, after = (pc.utf8_trim_whitespace(records.column(place)) for place in pair)
            _note(found, pc.and_(_matches(before, _BEFORE_COMMA[self._kinds[pair[0]]]), _matches(after, _DIGITS)), pair)
        return found

    def _why(self, fields: Sequence[str], pair: Pair) -> str:
        number = ",".join(fields[place] for place in pair)
        if not self._split:
            return (
                f"{number} may be one number, whose separator is also the delimiter: export numbers in quotes, without"
                " thousands separators, or with another delimiter"
            )
        columns = " and ".join(printable(self._names[place], 40) for place in pair)
        return (
            f"{number} in the columns {columns} looks like one number with a decimal comma: export numbers in quotes,"
            " with a decimal point, or with another delimiter; if all such columns are numbers of their own, set"
            ' `value: {decimal: "."}`'
        )


def _note(found: dict[int, Pair], matches: pa.BooleanArray, pair: Pair) -> None:
    for record in np.flatnonzero(matches.to_numpy(zero_copy_only=False)).tolist():
        found.setdefault(record, pair)


def _matches(column: pa.Array, pattern: str) -> pa.BooleanArray:
    return pc.match_substring_regex(column, pattern)
