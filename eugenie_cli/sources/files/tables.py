"""Tables with named, typed columns, as batches of Arrow -> readings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.readings.columns.arrow_columns import UnreadableColumn, normalized
from eugenie_cli.readings.routing import Router
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.records.companions import ColumnNotes
from eugenie_cli.sources.records.fill_down import FillDown
from eugenie_cli.sources.records.reader import RecordReader
from eugenie_cli.sources.records.rejections import count_rejections

SHOWN_COLUMNS = 20


@dataclass(frozen=True)
class TableContext:
    """How the tables of a file are read. `where`: the file, or the sheet, in messages; `mapping`: patterns filled in;
    `bases`: `companions.bases_of` the site's tags and sensors.
    """

    where: str
    readings: ReadingsMapping
    mapping: Mapping[str, Any]
    timezone: str
    router: Router
    bases: frozenset[str]

    def within(self, where: str) -> TableContext:
        """The same, for a part of the file."""
        return replace(self, where=where)

    def missing_columns(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """(part, path) of the mapping's parts that no column has."""
        parts = {name: part.all_paths for name, part in self.readings.of_records.items()}
        if self.readings.shape == "long":
            others = {"sensor": self.readings.sensor, "tag": self.readings.tag, "quality": self.readings.quality}
            parts |= {name: part.all_paths for name, part in others.items() if part is not None}
        elif self.readings.quality is not None:
            parts["quality"] = self.readings.quality.all_paths
        missing = []
        for name, paths in parts.items():
            absent = [path for path in paths if path not in names]
            if absent and (name != "value" or len(absent) == len(paths)):
                missing.append((name, absent[0]))
        return missing

    def check_columns(self, names: Sequence[str], hint: str) -> None:
        """Raise EugenieError if there is no column for a part of the mapping: then no row could be read rightly."""
        for part, path in self.missing_columns(names):
            shown = [printable(name, 40) for name in names[:SHOWN_COLUMNS]] + ["..."] * (len(names) > SHOWN_COLUMNS)
            raise EugenieError(
                f"{self.where}: there is no column {path!r} for {part}; columns: {', '.join(shown) or 'none'}", hint
            )


class TableReading:
    """One reading of one table. `columns`: the names of all of its columns."""

    def __init__(self, context: TableContext, columns: Sequence[str], tally: Tally) -> None:
        self._tally, self._columns = tally, tuple(columns)
        self._context = context
        self._all = self._reader(columns)
        self._notes = ColumnNotes(self._all, context.bases, context.readings)
        unused = {*self._all.unread(), *self._all.unknown_columns()}
        by_place = context.readings.columns is not None  # which column is whose may depend on the others
        self._fill = FillDown(context.readings.fill)
        self.needed = tuple(column for column in columns if by_place or column not in unused)
        """The columns to read: those that give readings, unless columns without a name may have values."""
        self._watches = False

    def look(self, first: pa.RecordBatch) -> None:
        """Look at the first records, with all columns, and add to `needed` those that must be looked at to the end."""
        self._notes.inspect(self._plain(first))
        watched = self._notes.watched()
        self._watches, needed = bool(watched), watched.union(self.needed)
        self.needed = tuple(column for column in self._columns if column in needed)

    def _plain(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """The records with all columns, null where they were not read or are of a type that no rule reads."""
        columns = []
        for name in self._columns:
            place = records.schema.get_field_index(name)
            try:
                columns.append(pa.nulls(records.num_rows) if place < 0 else normalized(records.column(place)))
            except UnreadableColumn:
                columns.append(pa.nulls(records.num_rows))
        return pa.RecordBatch.from_arrays(columns, list(self._columns))

    def _reader(self, columns: Sequence[str]) -> RecordReader:
        return RecordReader(self._context.mapping, self._context.timezone, self._context.router, columns)

    def batches(self, batches: Iterable[tuple[pa.RecordBatch, Callable[[int], str]]]) -> Iterator[Batch]:
        """The readings of batches, each with the place of its records in messages. The batches have the columns
        `needed`, or all columns.
        """
        readers = {self._columns: self._all, self.needed: self._reader(self.needed)}
        for records, place in batches:
            reader = readers[tuple(records.schema.names)]
            records = self._fill.filled(records) if self._fill.columns else records
            batch, refusals = reader.read(records)
            if reader is self._all or self._watches:
                self._notes.inspect(self._plain(records))
            count_rejections(self._tally, reader, records, refusals, place)
            yield batch
        self._notes.report(self._tally)
