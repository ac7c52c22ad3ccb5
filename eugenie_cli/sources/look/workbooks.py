"""Workbooks -> the columns of a sheet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.readings.members import text_of
from eugenie_cli.sources.excel.columns import names_of
from eugenie_cli.sources.excel.workbook import Cells, Sheet, Workbook
from eugenie_cli.sources.files.opening import seekable
from eugenie_cli.sources.look.cells import kind_of_cell
from eugenie_cli.sources.look.csv_files import FileLook
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.table import Column, SampleTable

ROWS = 20_000
"""Rows of a sheet that are looked at."""
SEARCHED = 60
"""Rows at the top among which the header is searched."""


def excel_look(path: Path) -> FileLook:
    """The columns of the sheet with readings. Raises EugenieError if there is none, or if there are several."""
    where, notes = printable(str(path)), Notes()
    with seekable(path, lambda _: None) as file:
        book = Workbook(file, where)
        sheets = [book.sheet(name) for name in book.visible]
        found = [(sheet, header) for sheet in sheets if (header := _header(sheet)) is not None]
        if not found:
            raise EugenieError(
                f"{where}: no sheet has a header above rows with an instant and numbers",
                "give the sheet a row that names the columns, or save it as CSV",
            )
        sheet, header = found[0]
        if len(found) > 1:
            listed = ", ".join(printable(repr(other.name), 40) for other, _ in found)
            notes.check(
                "sheet", f"several sheets have readings ({listed}); {sheet.name!r} was taken", "add a source for each"
            )
        settings: dict[str, Any] = {"sheet": sheet.name} if len(sheets) > 1 else {}
        first = next(iter(sheet.first_rows(SEARCHED)))[0]
        if header != first:
            settings["header"] = header
            notes.find("header", f"row {header}", f"sheet {sheet.name}")
        table = _table(sheet, header)
    notes.find("workbook", f"sheet {sheet.name}", f"{table.rows:,} rows")
    if table.rows >= ROWS:
        notes.find("looked at", f"the first {ROWS:,} rows", "the sheet has more")
    return FileLook(path, "excel", settings, table, {}, {}, notes)


def _header(sheet: Sheet) -> int | None:
    """The number of the row above the first one with an instant and a number; None if there is none."""
    rows = sheet.first_rows(SEARCHED)
    for index, (_, cells) in enumerate(rows):
        kinds = [type(cell) for cell in cells if cell is not None]
        texts = [kind_of_cell(cell_text(cell)) for cell in cells]
        timed = dt.datetime in kinds or dt.date in kinds or "instant" in texts
        if (timed or _epoch(rows, index)) and index and sum(kind != "empty" for kind in texts) > 1:
            full = [number for number, above in rows[:index] if sum(c is not None for c in above) > 1]
            return full[-1] if full else None
    return None


def _epoch(rows: Sequence[tuple[int, Cells]], index: int) -> bool:
    """Whether a row has numbers alone, below one with texts alone."""
    cells, above = ([cell for cell in rows[n][1] if cell is not None] for n in (index, max(0, index - 1)))
    return all(isinstance(c, (int, float)) for c in cells) and all(isinstance(c, str) for c in above) and len(cells) > 1


def _table(sheet: Sheet, header: int) -> SampleTable:
    names: list[str] = []
    rows: list[Cells] = []
    for number, cells in islice(sheet.rows(), ROWS + SEARCHED):
        if number == header:
            names = names_of([cells])
        elif number > header:
            rows.append(cells)
    columns = []
    for place, name in enumerate(names):
        cells = [row[place] if place < len(row) else None for row in rows]
        columns.append(Column(name, [cell_text(cell) for cell in cells], _typed(cells)))
    return SampleTable(tuple(columns))


def _typed(cells: Sequence[Any]) -> str:
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds and kinds <= {dt.datetime, dt.date}:
        return "instant" if dt.datetime in kinds else "text"
    if kinds == {bool}:
        return "bool"
    return "number" if kinds and kinds <= {int, float} else "text"


def cell_text(cell: Any) -> str:
    """A cell as text, as the importer of workbooks shows it."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ")
    if isinstance(cell, (dt.date, dt.time)):
        return cell.isoformat()
    return text_of(str(cell) if isinstance(cell, dt.timedelta) else cell) or ""
