"""The rows that were sent already, so that each is sent once although spans overlap."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from eugenie_cli.readings.columns.arrow_columns import UnreadableColumn, as_texts, normalized

_NULL = "null"


class SeenRows:
    """Compares rows as a whole, so that a row that was corrected is a new one. `is_off`: nothing is left out.

    Rows of a span are first pending: they count as seen after `commit`, and only until the poll after the next `turn`.
    """

    def __init__(self) -> None:
        self.is_off = False
        self._before = pa.array([], pa.string())
        self._now: list[pa.StringArray] = []
        self._pending: list[pa.StringArray] = []

    def new(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that have not been seen."""
        if self.is_off or not batch.num_rows:
            return batch
        keys = _keys(batch)
        self._pending.append(keys)
        seen = pc.is_in(keys, value_set=self._before)
        return batch.filter(pc.invert(seen)) if pc.any(seen).as_py() else batch

    def commit(self) -> None:
        """The pending rows were sent."""
        self._now += self._pending
        self._pending = []

    def undo(self, *, of_poll: bool = False) -> None:
        """The pending rows were not sent, and will be read again. `of_poll`: the poll has failed, and the next one will
        read again what was committed, too.
        """
        self._pending = []
        if of_poll and self._now:
            self._before = pa.concat_arrays([self._before, *self._now]).unique()
            self._now = []

    def turn(self) -> None:
        """A poll has ended: the next one overlaps with this one."""
        self._before = pa.concat_arrays(self._now) if self._now else pa.array([], pa.string())
        self._now = []


def _keys(batch: pa.RecordBatch) -> pa.StringArray:
    """A text for each row, different for different rows: the lengths and texts of its values.

    A driver's column of numbers becomes text as soon as one of them is: both are spelt alike.
    """
    parts = []
    for column in batch.columns:
        try:
            plain = normalized(column)
        except UnreadableColumn:
            plain = pa.array([repr(value.as_py()) for value in column], pa.string())
        if pa.types.is_floating(plain.type):
            plain = pa.array([None if value is None else repr(value) for value in plain.to_pylist()], pa.string())
        text = as_texts(plain)
        parts += [pc.fill_null(pc.utf8_length(text).cast(pa.string()), _NULL), pc.fill_null(text, "")]
    return pc.binary_join_element_wise(*parts, ":")
