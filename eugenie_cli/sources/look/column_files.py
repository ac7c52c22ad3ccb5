"""Parquet and Arrow files -> their columns."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.readings.members import text_of
from eugenie_cli.sources.files.kinds import HEAD
from eugenie_cli.sources.files.opening import seekable
from eugenie_cli.sources.look.csv_files import FileLook
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.table import Column, SampleTable
from eugenie_cli.sources.parquet.columns import open_columns

ROWS = 20_000
"""Rows of a file that are looked at."""


def parquet_look(path: Path) -> FileLook:
    """The columns of a Parquet or Arrow file. Raises EugenieError if it is damaged or empty."""
    where, notes = printable(str(path)), Notes()
    batches: list[pa.RecordBatch] = []
    try:
        with seekable(path, lambda _: None) as file:
            head = file.read(HEAD)
            file.seek(0)
            columns = open_columns(file, head)
            for batch in columns.batches(columns.names):
                batches.append(batch)
                if sum(b.num_rows for b in batches) >= ROWS:
                    notes.find("looked at", f"the first {ROWS:,} rows")
                    break
    except (OSError, ValueError) as error:
        raise EugenieError(f"{where} is damaged: {printable(str(error), 200)}", "copy or export it again") from error
    if not sum(batch.num_rows for batch in batches):
        raise EugenieError(f"{where} has no rows", "look at a file that has readings")
    table = pa.Table.from_batches(batches).slice(0, ROWS)
    found = [_column(name, column) for name, column in zip(table.column_names, table.columns, strict=True)]
    kinds = ", ".join(f"{column.name} {column.typed}" for column in found[:6])
    notes.find("columns", kinds, "types of the file")
    return FileLook(path, "parquet", {}, SampleTable(tuple(found)), {}, {}, notes)


def _column(name: str, column: pa.ChunkedArray) -> Column:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    typed = "text"
    if pa.types.is_timestamp(kind):
        typed = "instant"
    elif pa.types.is_boolean(kind):
        typed = "bool"
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        typed = "number"
    return Column(name, [_text(cell) for cell in _cells(column)], typed)


def _cells(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):  # nanoseconds do not fit Python's datetime
        zone = column.type.tz
        return list(column.cast(pa.timestamp("us", zone), safe=False).to_pylist())
    return list(column.to_pylist())


def _text(cell: Any) -> str:
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ")
    if isinstance(cell, float) and cell != cell:
        return ""
    return text_of(str(cell) if isinstance(cell, (bytes, dt.date, dt.time, dt.timedelta)) else cell) or ""
