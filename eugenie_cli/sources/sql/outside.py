"""Counts the rows of a table that no window of time contains."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from eugenie_cli.printable import printable
from eugenie_cli.sources.sql.databases import Database
from eugenie_cli.sources.sql.statements import Statement, table_of
from eugenie_cli.sources.sql.times import TimeColumn
from eugenie_cli.sources.windows.reader import Span

AHEAD_MS = 60_000
"""How far the clock that wrote a row may be ahead of this machine's."""


def rows_outside(database: Database, table: str, column: str, time: TimeColumn, now_ms: int) -> Iterator[str]:
    """Sentences about rows without a time, and about those whose time is ahead of the clock. Raises EugenieError."""
    at = table_of(table, [column]).c[column]
    named = f"{database.where}: table {table} has"
    counting = sa.select(sa.func.count()).select_from(at.table)
    ((count,),) = database.rows(Statement(counting.where(at.is_(None)), {}))
    if count:
        yield (
            f"{named} {count:,} rows whose {column} is null, which are in no window and not imported: give them a time"
        )
    if time.kind == "text":  # its order is that of its texts
        return
    _, later = time.bound(Span(now_ms + AHEAD_MS, now_ms + AHEAD_MS + 1))
    extent = sa.select(sa.func.count(), sa.func.min(at), sa.func.max(at)).where(at >= sa.bindparam("later"))
    ((count, first, last),) = database.rows(Statement(extent, {"later": later}))
    if count:
        yield (
            f"{named} {count:,} rows that are ahead of this machine's clock, from {printable(str(first))} to"
            f" {printable(str(last))}: they are imported when their time has come; correct the clock or the zone that"
            " wrote them"
        )
