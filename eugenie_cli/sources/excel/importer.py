"""Imports workbooks. A sheet is held in memory: it has at most a million rows."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.progress import Advance
from eugenie_cli.readings.members import paths_of
from eugenie_cli.sources.excel.columns import batches_of, names_of
from eugenie_cli.sources.excel.settings import ExcelSettings
from eugenie_cli.sources.excel.workbook import Sheet, Workbook
from eugenie_cli.sources.files.importer import WholeFileImporter
from eugenie_cli.sources.files.kinds import HEAD
from eugenie_cli.sources.files.opening import check_kind, seekable
from eugenie_cli.sources.files.stated import bind_lines, states_in
from eugenie_cli.sources.files.tables import TableContext, TableReading
from eugenie_cli.sources.interface import Tally

BATCH_ROWS = 5_000  # rows converted at a time
SEARCHED_ROWS = 100  # rows among which the header is searched
SHOWN_CELLS = 8
_SLASHES = re.compile(r"\s*\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?!\d)")


class ExcelImporter(WholeFileImporter):
    """Reads the files of an `excel` source."""

    _source: ExcelSettings

    def read_file(self, path: Path, tally: Tally, advance: Advance) -> Iterator[Batch]:
        where = printable(str(path))
        context = self.context_of(path)
        with seekable(path, advance) as file:
            head = file.read(HEAD)
            check_kind(path, head, "excel", "a workbook", file)
            sheet, header, names = self._find(Workbook(file, where), context)
            place = f"{printable(path.name)}:{printable(sheet.name)}"
            if states_in(context.mapping, "line"):
                lines = [" ".join(names_of([cells])) for number, cells in sheet.first_rows(header) if number < header]
                mapping = bind_lines(context.mapping, lines, where, self._site.timezone)
                context = replace(context, mapping=mapping)
            reading = TableReading(context, names, tally)
            yield from reading.batches(_located(sheet, header, names, context, place))
            _note_mixed_instants(sheet, header, names, context, tally)

    def _find(self, book: Workbook, context: TableContext) -> tuple[Sheet, int, list[str]]:
        """(the sheet, the number of its header's last row, the names of its columns)."""
        if self._source.sheet is not None:
            sheet = book.sheet(self._source.sheet)
            return sheet, *self._header(sheet, context)
        found = [sheet for sheet in map(book.sheet, book.visible) if self._header_in(sheet, context) is not None]
        if len(found) == 1:
            return found[0], *self._header(found[0], context)
        listed = ", ".join(printable(repr(sheet.name), 60) for sheet in found)
        if found:
            raise EugenieError(
                f"{context.where}: several sheets have the columns of the mapping: {listed}",
                hint="set `sheet` of the source, and add a source for each other sheet",
            )
        filled = [sheet for sheet in map(book.sheet, book.visible) if sheet.first_rows(SEARCHED_ROWS)]
        if not filled:
            raise EugenieError(
                f"{context.where} has no sheet with cells", hint="export it again, or narrow the source's `path`"
            )
        return filled[0], *self._header(filled[0], context)  # says what is missing

    def _header(self, sheet: Sheet, context: TableContext) -> tuple[int, list[str]]:
        """(the number of the header's last row, the names). Raises EugenieError if columns are missing."""
        header = self._header_in(sheet, context)
        if header is not None:
            return header
        if self._source.header is not None:
            names = self._given(sheet)
            where = f"{context.where}, sheet {printable(sheet.name)!r}"
            hint = "correct `header`, or the paths in the source's `readings`"
            context.within(where).check_columns(names, hint)
        needed = ", ".join(repr(path) for _, path in context.missing_columns(()))
        shown = [
            f"row {number}: {', '.join(printable(name, 40) for name in names_of([cells])[:SHOWN_CELLS])}"
            for number, cells in sheet.first_rows(SEARCHED_ROWS)[:3]
        ]
        raise EugenieError(
            f"{context.where}: no row of the sheet {printable(sheet.name)!r} names the columns {needed}; "
            f"{'; '.join(shown) or 'it has no cells'}",
            hint="set `sheet` and `header` (the row's number) of the source, or correct the paths in its `readings`",
        )

    def _header_in(self, sheet: Sheet, context: TableContext) -> tuple[int, list[str]] | None:
        if self._source.header is not None:
            names = self._given(sheet)
            return None if context.missing_columns(names) else (self._source.header[-1], names)
        for number, cells in sheet.first_rows(SEARCHED_ROWS):
            names = names_of([cells])
            if not context.missing_columns(names):
                return number, names
        return None

    def _given(self, sheet: Sheet) -> list[str]:
        """The names in the rows that the site file calls the header."""
        header = self._source.header or ()
        return names_of([cells for number, cells in sheet.first_rows(header[-1]) if number in header])


def _located(
    sheet: Sheet, header: int, names: Sequence[str], context: TableContext, place: str
) -> Iterator[tuple[pa.RecordBatch, Callable[[int], str]]]:
    """Batches of the rows below the header, with the number of a record's row in the sheet."""
    instants = paths_of(context.mapping["ts"])
    texts = [path for part in ("asset", "sensor", "tag") for path in paths_of(context.mapping[part])]
    rows = ((number, cells) for number, cells in sheet.rows() if number > header)
    while chunk := list(islice(rows, BATCH_ROWS)):
        for numbers, batch in batches_of(chunk, names, instants, texts):
            yield batch, partial(_place, place, numbers)


def _note_mixed_instants(sheet: Sheet, header: int, names: Sequence[str], context: TableContext, tally: Tally) -> None:
    """Say that a column has both dates and texts of dates. Excel makes 03/04 a date by the language of the machine, and
    leaves 13/04 as text if it reads the month first: then the dates have day and month exchanged.
    """
    for path in paths_of(context.mapping["ts"]):
        if path not in names:  # each tag has instants of its own
            continue
        column = names.index(path)
        cells = [cells[column] for number, cells in sheet.rows() if number > header and column < len(cells)]
        dates = sum(isinstance(cell, dt.date) for cell in cells)
        texts = [cell for cell in cells if isinstance(cell, str) and _SLASHES.match(cell)]
        if dates and texts:
            tally.gap(
                f"{printable(sheet.name)}: the column {path!r} has {dates:,} dates and {len(texts):,} texts such as"
                f" {printable(texts[0], 40)!r}: if Excel opened a CSV file, it may have exchanged day and month in the"
                " dates; import the CSV file itself"
            )


def _place(sheet: str, numbers: Sequence[int], record: int) -> str:
    return f"{sheet} row {numbers[record]}"
