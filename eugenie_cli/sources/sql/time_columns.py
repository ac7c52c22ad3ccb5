"""Decides how a database's time column counts, or refuses it in words that say what to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa

from eugenie_cli.sources.failures import SourceDownError
from eugenie_cli.sources.sql.databases import Database
from eugenie_cli.sources.sql.settings import SqlSettings
from eugenie_cli.sources.sql.statements import Statement, table_of
from eugenie_cli.sources.sql.times import TimeColumn, TimeKind


def time_column(
    kind: str | None, ts: Mapping[str, Any], zone: str, database: Database, source: SqlSettings
) -> TimeColumn:
    """The column of `ts`, by the database's type of it; SQLite's columns have none, so there the mapping says it.

    `kind`: as `databases.Column` has it. Raises SourceDownError.
    """

    def refused(what: str, hint: str) -> SourceDownError:
        return SourceDownError(f"{database.where}: the column {ts['path']!r} {what}", hint)

    numeric = ts["unit"] != "iso"
    if database.kind == "sqlite":
        stored = _stored(ts["path"], database, source)
        if len(stored) > 1:
            raise refused("contains both numbers and text", "convert one to the other in a `query`")
        kind = next(iter(stored), "number" if numeric else "text")
    if kind is None:
        raise refused("is neither a timestamp nor a number nor text", "name another column, or convert it in a `query`")
    if kind == "blob":
        raise refused("contains binary values", "convert it in a `query`")
    if kind == "number" and not numeric:
        raise refused("contains numbers", "say what they count since 1970: `ts: {unit: s}`, or ms, us, ns or excel")
    if kind == "text":
        if numeric:
            raise refused(f"contains text, not numbers in {ts['unit']}", "convert it in a `query`, or correct `unit`")
        if ts.get("format") is not None or database.kind != "sqlite" or source.query is not None:
            raise refused(
                "contains text, which need not sort as time does",
                "convert it to a timestamp or a number in a `query`, and compare that with :start and :end",
            )
    return TimeColumn.of(cast("TimeKind", kind), ts, zone)


def _stored(column: str, database: Database, source: SqlSettings) -> set[str]:
    """What the values of a table of SQLite are: numbers sort before text, so the first and the last tell."""
    if source.table is None:
        return set()
    at = table_of(source.table, [column]).c[column]
    ends = sa.select(sa.func.typeof(sa.func.min(at)), sa.func.typeof(sa.func.max(at)))
    ((first, last),) = database.rows(Statement(ends, {}))
    kinds = {"integer": "number", "real": "number", "text": "text", "blob": "blob"}
    return {kinds[of_type] for of_type in (first, last) if of_type in kinds}
