"""Blocks of numbers, parsed as numbers instead of texts: half the work, where nothing in them is refused."""

from __future__ import annotations

import re

import pyarrow as pa

from eugenie_cli.history.batch import Batch
from eugenie_cli.sources.csv.lines import Block
from eugenie_cli.sources.csv.parsing import BlockParser
from eugenie_cli.sources.records.reader import RecordReader

PATIENCE = 8
"""Blocks parsed in vain before all of the file is read as text: reading a block twice costs half as much again."""
_COLUMN = re.compile(r"column #(\d+)")


class NumberBlocks:
    """Reads the blocks below one header, and learns which columns contain other text than numbers."""

    def __init__(self, parser: BlockParser, reader: RecordReader) -> None:
        self._parser, self._reader = parser, reader
        self._columns = dict.fromkeys(reader.numbers.columns)
        self._patience = PATIENCE

    def read(self, block: Block) -> tuple[pa.RecordBatch, Batch] | None:
        """(a block's records, its readings); None if it must be read as text."""
        if not self._patience or 2 * len(self._columns) <= len(self._reader.numbers.columns):
            return None
        try:
            records, ragged = self._parser.parse(block, self._columns, self._reader.numbers.decimal)
        except pa.ArrowInvalid as error:
            self._learn(str(error))
            return None
        batch = None if ragged else self._reader.read_numbers(records)
        if batch is None:
            self._patience -= 1
            return None
        return records, batch

    def _learn(self, error: str) -> None:
        """Exclude the column that an error names, unless it is the only one."""
        match = _COLUMN.search(error)
        name = self._reader.columns[int(match[1])] if match and int(match[1]) < len(self._reader.columns) else None
        if name not in self._columns:
            self._patience = 0
        elif len(self._columns) == 1:
            self._patience -= 1
        else:
            del self._columns[name]
