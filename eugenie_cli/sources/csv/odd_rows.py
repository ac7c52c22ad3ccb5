"""Refused rows that are no records: rows of blank cells, and headers that come again or change.

A logger that restarts repeats its header, perhaps with other columns, and InfluxDB's annotated CSV has several tables.
Rows below a changed header would get the names of the wrong columns. A header never reads as a record, so only refused
rows are compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eugenie_cli.readings import reject_reasons
from eugenie_cli.sources.csv.headers import Header
from eugenie_cli.sources.csv.rejected_rows import Ragged, rows_of
from eugenie_cli.sources.csv.text_fields import clean_name, fields_of
from eugenie_cli.sources.records.refusals import Refusals

_UNREADABLE = (reject_reasons.MISSING_FIELD, reject_reasons.BAD_TIMESTAMP)
"""Why the rows here are refused."""


@dataclass
class OddRows:
    """Rows of a block, by their index in it. `repeated`: the header, or a row between it and the readings, once more;
    `headers`: other headers.
    """

    blank: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    headers: list[int] = field(default_factory=list)

    @property
    def no_records(self) -> list[int]:
        return sorted([*self.blank, *self.repeated])


class OddRowFinder:
    """Finds the odd rows below one header. `times`: the columns with the instant; `measured`: those with values."""

    def __init__(self, header: Header, separator: str, times: Sequence[str], measured: Collection[str]) -> None:
        self._separator, self._times, self._measured = separator, times, measured
        self._names = set(header.names)
        self._above = {_stripped(cells) for cells in header.rows}
        self._header = header

    @cached_property
    def _known(self) -> pa.Array:
        """What the cells of a header may be."""
        cells = (cell for row in self._header.rows for cell in row if cell)
        return pa.array(sorted({*self._header.names, *self._times, *cells}))

    def find(self, records: pa.RecordBatch, ragged: Sequence[Ragged], refusals: Iterable[Refusals]) -> OddRows:
        """The odd rows of a block that was read."""
        odd = OddRows()
        refused = [entry.records for entry in refusals if entry.reason in _UNREADABLE and entry.column is None]
        if refused:
            rows = rows_of(records, ragged)
            for record, cells in self._possible(records, np.sort(np.concatenate(refused))):
                self._sort(int(rows[record]), cells, odd)
        for line in ragged:
            if "\0" not in line.text:  # what a logger leaves when its power fails is no blank row
                self._sort(line.row, fields_of(line.text, self._separator), odd)
        odd.headers.sort()  # ragged ones are among the others
        return odd

    def _possible(self, records: pa.RecordBatch, chosen: NDArray[np.int64]) -> Iterable[tuple[int, list[str]]]:
        """(index, cells) of the chosen records whose cells are all blank, or one of which is a column's name."""
        taken = records.take(pa.array(chosen))
        blank, named = np.ones(len(chosen), bool), np.zeros(len(chosen), bool)
        for column in taken.columns:
            cells = pc.utf8_trim_whitespace(column)
            blank &= pc.equal(cells, "").to_numpy(zero_copy_only=False)
            named |= pc.is_in(cells, value_set=self._known).to_numpy(zero_copy_only=False)
        for index in np.flatnonzero(blank | named).tolist():
            yield int(chosen[index]), [column[index].as_py() for column in taken.columns]

    def _sort(self, row: int, cells: Sequence[str], odd: OddRows) -> None:
        names = _stripped(map(clean_name, cells))
        if not any(names):
            odd.blank.append(row)
        elif names in self._above:
            odd.repeated.append(row)
        elif self._is_header(names):
            odd.headers.append(row)

    def _is_header(self, names: Sequence[str]) -> bool:
        """Whether a row names the columns: that of the instant, or a measured one, or most of those in the header."""
        if not self._above:
            return False  # the site file names the columns
        known = sum(name in self._names for name in names)
        return (
            (bool(self._times) and all(time in names for time in self._times))
            or any(name in self._measured for name in names)
            or (known > 1 and 2 * known > sum(map(bool, names)))
        )


def _stripped(cells: Iterable[str]) -> tuple[str, ...]:
    """The cells without empty ones at the end."""
    kept = list(cells)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)
