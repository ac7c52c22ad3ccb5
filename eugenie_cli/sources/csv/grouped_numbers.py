"""Thousands separators that are also the delimiter: 1,031 without quotes is two fields, which may fit the columns.

Nothing writes 31 as 031 beside numbers without leading zeros. So a field of one to three digits before one of three
digits with a leading zero is one number, and its row has one field less than it seems.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eugenie_cli.printable import printable
from eugenie_cli.sources.csv.rejected_rows import SHOWN_TEXT, Ragged, rows_of

LOOKED_AT = 1 << 16
"""Bytes of each block that are searched: numbers from a thousand on are rarely few."""
_LEADING = "[+-]?[1-9][0-9]{0,2}"
_GROUP = "[0-9]{3}(?:[.][0-9]+)?"
_SUSPECT = re.compile(rf",{_LEADING},0[0-9]{{2}}(?:[.][0-9]+)?[,\r\n]".encode())


class GroupedNumbers:
    """Finds the rows of one file. `pairs`: the places of columns with numbers, and of the columns after them."""

    def __init__(self, separator: str, pairs: Sequence[tuple[int, int]]) -> None:
        self._pairs = pairs if separator == "," else ()
        self._found: set[tuple[int, int]] = set()

    def may_be_in(self, data: bytes) -> bool:
        """Whether a block must be read as text."""
        return bool(self._pairs) and (bool(self._found) or _SUSPECT.search(data, 0, LOOKED_AT) is not None)

    def without(self, records: pa.RecordBatch, ragged: list[Ragged]) -> tuple[pa.RecordBatch, list[Ragged]]:
        """The records and ragged rows of a block, with rows that may have such numbers among the ragged ones."""
        found: dict[int, tuple[int, int]] = {}
        for pair in self._pairs:
            before, after = (records.column(place) for place in pair)
            both = pc.and_(_matches(before, f"^{_LEADING}$"), _matches(after, f"^{_GROUP}$"))
            if pair not in self._found and pc.any(pc.and_(both, pc.starts_with(after, "0"))).as_py():
                self._found.add(pair)
            if pair in self._found:
                for row in np.flatnonzero(both.to_numpy(zero_copy_only=False)).tolist():
                    found.setdefault(row, pair)
        if not found:
            return records, ragged
        rows = rows_of(records, ragged)
        more = []
        for record, pair in found.items():
            fields = [column[record].as_py() for column in records.columns]
            number, text = ",".join(fields[place] for place in pair), ",".join(fields)
            why = (
                f"{number} may be one number, whose separator is also the delimiter: export numbers in quotes, without"
                f" thousands separators, or with another delimiter: {printable(text, SHOWN_TEXT)}"
            )
            more.append(Ragged(int(rows[record]), why, text))
        keep = np.ones(records.num_rows, bool)
        keep[list(found)] = False
        return records.filter(pa.array(keep)), sorted([*ragged, *more], key=lambda row: row.row)


def _matches(column: pa.Array, pattern: str) -> pa.BooleanArray:
    return pc.match_substring_regex(column, pattern)
