"""The rows below one header -> readings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.history.batch import Batch
from eugenie_cli.readings.routing import Router
from eugenie_cli.sources.csv.decimal_commas import Kind
from eugenie_cli.sources.csv.header_advice import needed_columns
from eugenie_cli.sources.csv.headers import Header
from eugenie_cli.sources.csv.lines import Block
from eugenie_cli.sources.csv.number_blocks import NumberBlocks
from eugenie_cli.sources.csv.odd_rows import OddRowFinder
from eugenie_cli.sources.csv.parsing import BlockParser
from eugenie_cli.sources.csv.rejected_rows import BlockRead, Ragged, rows_of
from eugenie_cli.sources.csv.settings import CsvSettings
from eugenie_cli.sources.csv.split_numbers import SplitNumbers
from eugenie_cli.sources.records.companions import ColumnNotes
from eugenie_cli.sources.records.fill_down import FillDown
from eugenie_cli.sources.records.reader import RecordReader
from eugenie_cli.sources.records.times import SoFar

_OF_RESULTS = ("column 1", "result", "table", "_start", "_stop", "_measurement")
"""Columns of InfluxDB's annotated CSV that are no measurements; the first is that of the annotations."""


@dataclass(frozen=True)
class Context:
    """What decides how a file is read. `where`: the file, in messages; `mapping`: with its file patterns bound;
    `bases`: `companions.bases_of` the site's tags and sensors.
    """

    where: str
    source: CsvSettings
    mapping: Mapping[str, Any]
    timezone: str
    router: Router
    bases: frozenset[str]


class Table:
    """Reads the blocks below one header. `annotated`: of InfluxDB's annotated CSV."""

    def __init__(self, context: Context, header: Header, *, annotated: bool) -> None:
        unread = [*header.names[-1:]] if header.spare else []
        unread += [name for name in header.names if name in _OF_RESULTS] if annotated else []
        mapping = {**context.mapping, "ignore": [*context.mapping["ignore"], *unread]}
        separator = context.source.separator
        self.header = header
        self.reader = RecordReader(mapping, context.timezone, context.router, header.names)
        self.notes = ColumnNotes(self.reader, context.bases, context.source.readings)
        self._parser = BlockParser(separator, header)
        self._numbers = NumberBlocks(self._parser, self.reader)
        times = [column for what, column in needed_columns(context.source) if what == "ts"]
        value = context.source.readings.value
        is_point = value.decimal == "." and "decimal" in value.model_fields_set
        self._split = SplitNumbers(separator, header.names, _kinds(self.reader, times), is_point=is_point)
        self._fill = FillDown(mapping.get("fill") or ())
        other = {*self.reader.unknown_columns(), *self.reader.unread(), *mapping["ignore"], *times}
        other |= {column for _, column in needed_columns(context.source)}
        measured = set(header.names) - other if mapping["shape"] == "wide" else ()
        self._odd = OddRowFinder(header, separator, times, measured)

    def so_far(self) -> tuple[SoFar, FillDown]:
        """What `go_back` needs to read a block once more."""
        return self.reader.so_far(), self._fill.copy()

    def go_back(self, so_far: tuple[SoFar, FillDown]) -> None:
        """Forget the blocks that were read since `so_far`."""
        times, self._fill = so_far
        self.reader.go_back(times)

    def read(self, block: Block) -> tuple[BlockRead, Batch, list[int]]:
        """(the block as it was read, its readings, the rows in it that are another header)."""
        may_be_split = self._split.may_be_in(block.data)
        if not (may_be_split or self._fill.columns) and (numbers := self._numbers.read(block)) is not None:
            records, batch = numbers
            return BlockRead(block, records, [], [], 0), batch, []
        records, ragged = self._parser.parse(block)
        if may_be_split:
            records, ragged = self._split.without(records, ragged)
        unfilled = records
        if self._fill.columns:
            records = self._fill.filled(records, _lost_before(block, records, ragged))
        batch, refusals = self.reader.read(records)
        read = BlockRead(block, records, ragged, refusals, self.reader.lost)
        if not refusals and not ragged:
            return read, batch, []
        odd = self._odd.find(unfilled, ragged, refusals)
        if not odd.no_records:
            return read, batch, odd.headers
        over = np.flatnonzero(np.isin(rows_of(records, ragged), odd.no_records))
        kept = [replace(entry, records=np.setdiff1d(entry.records, over)) for entry in refusals]
        kept = [entry for entry in kept if len(entry.records)]
        no_records = frozenset(odd.no_records)
        return BlockRead(block, records, ragged, kept, read.lost - len(over), no_records), batch, odd.headers


def _kinds(reader: RecordReader, times: Collection[str]) -> list[Kind]:
    """What each column is read as. `times`: those with the instant."""
    values, read = set(reader.value_columns), reader.read_columns
    return [
        "value" if name in values else "time" if name in times else "label" if name in read else "other"
        for name in reader.columns
    ]


def _lost_before(block: Block, records: pa.RecordBatch, ragged: Sequence[Ragged]) -> NDArray[np.int64]:
    """The records of a block, by their index, above which a row could not be read."""
    rows = rows_of(records, ragged)
    lost = [np.searchsorted(rows, row.row) for row in ragged]
    lines = block.rows[0][rows]
    lost += [np.searchsorted(lines, refused.line) for refused in block.refused]
    return np.unique(np.array(lost, np.int64))
