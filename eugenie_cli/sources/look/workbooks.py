"""Workbooks -> the columns of a sheet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.readings.members import text_of
from eugenie_cli.sources.excel.columns import names_of
from eugenie_cli.sources.excel.workbook import Sheet, Workbook
from eugenie_cli.sources.files.opening import seekable
from eugenie_cli.sources.look.csv_files import FileLook
from eugenie_cli.sources.look.dialect import Line
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.header_rows import best_header, cell_of, first_reading, groups, repeats, units_in
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
        tried = [(sheet, _rows(sheet)) for sheet in sheets]
        found = [(sheet, rows) for sheet, rows in tried if isinstance(rows, _Rows)]
        if not found:
            why = "; ".join(f"sheet {printable(sheet.name, 40)}: {rows}" for sheet, rows in tried[:4])
            raise EugenieError(
                f"{where}: {why or 'it has no visible sheet with cells'}",
                "insert a row that names the columns above the readings, or save the sheet as CSV",
            )
        sheet, rows = found[0]
        if len(found) > 1:
            listed = ", ".join(printable(repr(other.name), 40) for other, _ in found)
            notes.check(
                "sheet", f"several sheets have readings ({listed}); {sheet.name!r} was taken", "add a source for each"
            )
        settings: dict[str, Any] = {"sheet": sheet.name} if len(sheets) > 1 else {}
        first = next(iter(sheet.first_rows(SEARCHED)))[0]
        if rows.header != (first,):
            settings["header"] = rows.header[0] if len(rows.header) == 1 else list(rows.header)
            shown = " and ".join(map(str, rows.header))
            notes.find("header", f"rows {shown}" if len(rows.header) > 1 else f"row {shown}", f"sheet {sheet.name}")
        table = _table(sheet, rows)
    notes.find("workbook", f"sheet {sheet.name}", f"{table.rows:,} rows")
    if table.rows >= ROWS:
        notes.find("looked at", f"the first {ROWS:,} rows", "the sheet has more")
    return FileLook(path, "excel", settings, table, rows.units, {}, notes, labels=rows.labels)


@dataclass(frozen=True)
class _Rows:
    """`header`: the numbers of the rows that name the columns; `names`: of the columns, as the importer joins them;
    `units`: column -> unit; `labels`: column -> its name without the unit, or with the group that it is of.
    """

    header: tuple[int, ...]
    names: list[str]
    units: dict[str, str]
    labels: dict[str, str]


def _rows(sheet: Sheet) -> _Rows | str:
    """The rows at the top of a sheet with readings; why there are none, in words."""
    cells = dict(sheet.first_rows(SEARCHED))
    lines = [Line(n, n, "", tuple(" ".join(cell_text(cell).split()) for cell in row)) for n, row in cells.items()]
    first = first_reading(lines)
    if first is None:
        return "no row has an instant and numbers"
    above, body = lines[:first], lines[first].fields
    full = [line for line in above if sum(map(bool, line.fields)) > 1]
    if not full:
        return f"no row above its readings, which begin in row {lines[first].first}, names the columns"
    header = full[best_header(full, body)]
    rows, units = [header], units_in(header, [line for line in full if line.first > header.first])
    before = [line for line in full if line.first < header.first]
    grouped = bool(before) and repeats(header) and groups(before[-1], header)
    if grouped:
        rows.insert(0, before[-1])
    below = [line for line in full if line.first > header.first]
    if below and units:
        rows.append(below[0])
    names = names_of([cells[line.first] for line in rows])
    labels, of_columns, group = {}, {}, ""
    for place, name in enumerate(names):
        own = cell_of(header, place)
        group = (cell_of(rows[0], place) or group) if grouped else ""
        if (label := f"{group} {own}".strip()) != name and own:
            labels[name] = label
        if (unit := units.get(own)) is not None:
            of_columns[name] = unit
    return _Rows(tuple(line.first for line in rows), names, of_columns, labels)


def _table(sheet: Sheet, found: _Rows) -> SampleTable:
    rows = [cells for number, cells in islice(sheet.rows(), ROWS + SEARCHED) if number > found.header[-1]]
    columns = []
    for place, name in enumerate(found.names):
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
