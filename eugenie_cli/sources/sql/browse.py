"""Counts the readings of each tag or column of a table or query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from eugenie_cli.readings.columns.arrow_columns import normalized
from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.members import text_of
from eugenie_cli.readings.routing import Router
from eugenie_cli.sources.sql.columns import column_of, with_times
from eugenie_cli.sources.sql.databases import Database
from eugenie_cli.sources.sql.statements import Statement
from eugenie_cli.sources.sql.times import TimeColumn
from eugenie_cli.sources.windows.browsing import Browsed, matches, sensor_of

NAMES = ("asset", "sensor", "tag")
COLUMNS_AT_ONCE = 50
"""Columns that are counted by one query: databases limit the length of a row."""


@dataclass(frozen=True)
class Counted:
    """What is counted. `table`: a table or a query with these columns; `values`: of its parameters."""

    table: Any
    values: Mapping[str, Any]
    time: TimeColumn
    instants: Instants
    mapping: Mapping[str, Any]
    router: Router


def browse_long(database: Database, counted: Counted, pattern: str | None) -> Iterator[Browsed]:
    """One for each asset, sensor and tag in the table."""
    at = counted.table.c[counted.mapping["ts"]["path"]]
    groups = [(name, counted.table.c[path]) for name in NAMES if (path := _path(counted, name))]
    columns = [column for _, column in groups]
    statement = sa.select(*columns, sa.func.count(), sa.func.min(at), sa.func.max(at)).group_by(*columns)
    rows = database.rows(Statement(statement, counted.values))
    first, last = (_instants(counted, [row[len(groups) + place] for row in rows]) for place in (1, 2))
    for row, start, end in zip(rows, first, last, strict=True):
        found = {name: text_of(value) for (name, _), value in zip(groups, row, strict=False)}
        identity = [found.get(name) or _const(counted, name) for name in NAMES]
        shown = ", ".join(filter(None, (found.get(name) for name in NAMES))) or "(none)"
        if matches(pattern, shown):
            yield Browsed(shown, sensor_of(counted.router, *identity), None, int(row[len(groups)]), start, end)


def browse_wide(database: Database, counted: Counted, columns: Sequence[str], pattern: str | None) -> Iterator[Browsed]:
    """One for each column, and for each asset if a column names it."""
    names = [name for name in columns if matches(pattern, name)]
    path = _path(counted, "asset")
    by = [counted.table.c[path]] if path else []
    for start in range(0, len(names), COLUMNS_AT_ONCE):
        some = names[start : start + COLUMNS_AT_ONCE]
        given = sa.select(*by, *(measure for name in some for measure in _extent(counted, name)))
        rows = database.rows(Statement(given.group_by(*by) if by else given, counted.values))
        for place, name in enumerate(some):
            at = len(by) + 3 * place
            first, last = (_instants(counted, [row[at + end] for row in rows]) for end in (1, 2))
            for row, begin, end in zip(rows, first, last, strict=True):
                asset = text_of(row[0]) if by else _const(counted, "asset")
                shown = f"{asset}, {name}" if by else name
                yield Browsed(shown, sensor_of(counted.router, asset, None, name), None, int(row[at]), begin, end)


def _extent(counted: Counted, name: str) -> tuple[Any, Any, Any]:
    """The number of values of a column, and their first and last time."""
    column = counted.table.c[name]
    at = sa.case((column.is_not(None), counted.table.c[counted.mapping["ts"]["path"]]))
    return sa.func.count(column), sa.func.min(at), sa.func.max(at)


def _path(counted: Counted, name: str) -> str | None:
    path = (counted.mapping.get(name) or {}).get("path")
    return path if isinstance(path, str) else None


def _const(counted: Counted, name: str) -> str | None:
    return (counted.mapping.get(name) or {}).get("const")


def _instants(counted: Counted, values: Sequence[Any]) -> list[int | None]:
    batch = pa.RecordBatch.from_arrays([column_of(values)], ["at"])
    ts, read = counted.instants.of_column(normalized(with_times(batch, [counted.time.kind]).column(0)))
    return [int(at) if good else None for at, good in zip(ts.tolist(), read.tolist(), strict=True)]
