"""Blocks of rows -> columns of text."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from eugenie_cli.sources.csv.headers import Header
from eugenie_cli.sources.csv.lines import Block
from eugenie_cli.sources.csv.rejected_rows import Ragged, rows_of

CACHED_BYTES = 1 << 19
"""Numbers are parsed faster in pieces that fit into the processor's cache. No row may be longer."""
MANY_COLUMNS = 8_000
"""Columns from which a row could be longer."""
_POOL = pa.mimalloc_memory_pool()
"""The default one, jemalloc, returns the memory of each block to the system, which clears it for the next one."""


class BlockParser:
    """Parses the blocks below one header."""

    def __init__(self, separator: str, header: Header) -> None:
        self._separator, self._header = separator, header
        self._types = dict.fromkeys(header.names, pa.string())

    @cached_property
    def _empty(self) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([pa.array([], pa.string())] * len(self._header.names), self._header.names)

    def parse(
        self, block: Block, numbers: Collection[str] = (), decimal: str = "."
    ) -> tuple[pa.RecordBatch, list[Ragged]]:
        """A block's records, every column as text exactly as written, and its rows with a wrong number of fields.

        Columns in `numbers` are float64 instead, null where they are empty. Raises pyarrow's ArrowInvalid for other
        text in them, and then for extremely long rows.
        """
        ragged: list[Ragged] = []
        width = len(self._header.names) - self._header.spare

        def skip(row: pa_csv.InvalidRow) -> str:
            ragged.append(Ragged.of(row.number - 1, row.actual_columns, width, row.text))
            return "skip"

        if not block.data:
            return self._empty, ragged
        table = pa_csv.read_csv(
            pa.BufferReader(block.data),
            # one thread: only then is the position of a malformed row known
            pa_csv.ReadOptions(
                column_names=list(self._header.names),
                block_size=CACHED_BYTES if width < 2 * len(numbers) and width < MANY_COLUMNS else len(block.data) + 1,
                use_threads=False,
            ),
            pa_csv.ParseOptions(
                delimiter=self._separator, invalid_row_handler=skip, newlines_in_values=bool(block.joined)
            ),
            pa_csv.ConvertOptions(
                column_types=self._types | dict.fromkeys(numbers, pa.float64()),
                strings_can_be_null=False,
                null_values=[""],
                decimal_point=decimal,
                check_utf8=False,  # the lines of a block have been checked
            ),
            memory_pool=_POOL,
        )
        records = table.combine_chunks().to_batches()[0] if table.num_rows else self._empty
        return self._check_spare(records, ragged) if self._header.spare else (records, ragged)

    def _check_spare(self, records: pa.RecordBatch, ragged: list[Ragged]) -> tuple[pa.RecordBatch, list[Ragged]]:
        """Turn rows with text after the trailing delimiter, which the header lacks, into ragged ones."""
        filled = pc.not_equal(records.column(records.num_columns - 1), "")
        if not pc.any(filled).as_py():
            return records, ragged
        rows = rows_of(records, ragged)
        for record in np.flatnonzero(filled.to_numpy(zero_copy_only=False)).tolist():
            fields = [column[record].as_py() for column in records.columns]
            text = self._separator.join(map(str, fields))  # blocks of numbers with such rows are read again, as text
            ragged.append(Ragged.of(int(rows[record]), len(fields), len(fields) - 1, text))
        return records.filter(pc.invert(filled)), sorted(ragged, key=lambda row: row.row)
