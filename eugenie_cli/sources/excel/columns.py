"""Rows of cells -> columns of Arrow, with the types of the cells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any

import pyarrow as pa

from eugenie_cli.readings.members import text_of
from eugenie_cli.sources.excel.workbook import Cells

_NUMBERS = {float, int}
_INSTANTS = {dt.datetime, dt.date}


def names_of(header: Sequence[Cells]) -> list[str]:
    """Names of columns, from one or several rows. One without a name is called by its place, `column 1`; the second one
    of a name is `name 2`.
    """
    width = max(map(len, header), default=0)
    names: list[str] = []
    seen: dict[str, int] = {}
    for column in range(width):
        parts = [text for row in header if column < len(row) and (text := _text(row[column]))]
        name = " ".join(" ".join(parts).split()) or f"column {column + 1}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return names


def batches_of(
    rows: Sequence[tuple[int, Cells]], names: Sequence[str], instants: Collection[str], texts: Collection[str]
) -> Iterator[tuple[list[int], pa.RecordBatch]]:
    """(numbers, cells) of rows -> batches of the same, with columns `names`.

    `instants`: columns of which each batch has cells of one type only, because a timestamp and a text are read by
    different rules; `texts`: columns of names, in which 101 is text.
    """
    places = [number for number, name in enumerate(names) if name in instants]

    def kinds(row: tuple[int, Cells]) -> tuple[Any, ...]:
        kinds = [type(row[1][place]) if place < len(row[1]) else type(None) for place in places]
        return tuple(dt.datetime if kind is dt.date and len(places) == 1 else kind for kind in kinds)

    for _, alike in groupby(rows, kinds):
        group = list(alike)
        columns = []
        for place, name in enumerate(names):
            cells = [cells[place] if place < len(cells) else None for _, cells in group]
            columns.append(_texts(cells) if name in texts else _column(cells))
        yield [number for number, _ in group], pa.RecordBatch.from_arrays(columns, list(names))


def _column(cells: list[Any]) -> pa.Array:
    kinds = set(map(type, cells)) - {type(None)}
    if kinds <= _NUMBERS:
        return pa.array(cells, pa.float64()) if kinds else pa.nulls(len(cells))
    if kinds <= _INSTANTS:
        if kinds == {dt.date}:
            return pa.array(cells, pa.date32())
        midnight = dt.time()
        instants = [dt.datetime.combine(cell, midnight) if type(cell) is dt.date else cell for cell in cells]
        return pa.array(instants, pa.timestamp("us"))
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    if kinds == {dt.time}:
        return pa.array(cells, pa.time64("us"))
    return _texts(cells)


def _texts(cells: list[Any]) -> pa.StringArray:
    return pa.array([_text(cell) for cell in cells], pa.string())


def _text(cell: Any) -> str | None:
    """A cell as text: a whole number without a decimal point, an instant in ISO 8601."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, (dt.datetime, dt.date, dt.time)):
        return cell.isoformat()
    return text_of(str(cell) if isinstance(cell, dt.timedelta) else cell)
