"""Columns whose empty cells repeat the cell above, as reports and merged cells leave out what has not changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.readings.columns.arrow_columns import as_texts, is_blank, normalized


class FillDown:
    """Fills `columns` of the blocks of one item. Nothing is carried on over a row that could not be read: it may have
    had another cell.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._last: dict[str, pa.Scalar] = {}

    def copy(self) -> FillDown:
        """The same, for a block that may have to be read once more."""
        copied = FillDown(self.columns)
        copied._last = dict(self._last)
        return copied

    def filled(self, records: pa.RecordBatch, lost: NDArray[np.int64] | None = None) -> pa.RecordBatch:
        """A block with its columns filled. `lost`: the records above which a row could not be read; the number of
        records stands for the end.
        """
        lost = np.zeros(0, np.int64) if lost is None else lost
        columns = list(records.columns)
        for place, name in enumerate(records.schema.names):
            if name in self.columns:
                columns[place] = self._filled(name, columns[place], lost)
        return pa.RecordBatch.from_arrays(columns, records.schema.names)

    def _filled(self, name: str, column: pa.Array, lost: NDArray[np.int64]) -> pa.Array:
        column = normalized(column)
        last = self._last.get(name)
        if last is not None and last.type != column.type:  # sheets have cells of several types
            column, last = as_texts(column), as_texts(pa.array([last.as_py()], last.type))[0]
        count = len(column)
        rows = np.arange(count)
        above = np.maximum.accumulate(np.where(is_blank(column).to_numpy(zero_copy_only=False), -1, rows))
        begin = np.concatenate([[-1], lost])[np.searchsorted(lost, rows, side="right")]  # of the rows not to be crossed
        from_above = pa.concat_arrays([column, pa.array([None if last is None else last.as_py()], column.type)])
        source = np.where(above >= np.maximum(begin, 0), above, np.where((begin < 0) & (above < 0), count, -1))
        result = from_above.take(pa.array(np.where(source < 0, 0, source), mask=source < 0))
        ends = count in lost
        if count:
            self._last[name] = pa.scalar(None, column.type) if ends else result[count - 1]
        elif ends:
            self._last.pop(name, None)
        return result
