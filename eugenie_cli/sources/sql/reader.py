"""Reads spans of a table or a query of a database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.readings.members import paths_of
from eugenie_cli.site.diagnostics import did_you_mean
from eugenie_cli.site.names import listed
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError
from eugenie_cli.sources.interface import Tally, router_of
from eugenie_cli.sources.records.reader import RecordReader
from eugenie_cli.sources.sql.browse import Counted, browse_long, browse_wide
from eugenie_cli.sources.sql.databases import UNREADABLE, Column, Database
from eugenie_cli.sources.sql.open import open_database
from eugenie_cli.sources.sql.outside import rows_outside
from eugenie_cli.sources.sql.rows import RowReader
from eugenie_cli.sources.sql.select import row_limit
from eugenie_cli.sources.sql.settings import SqlSettings
from eugenie_cli.sources.sql.statements import (
    Statement,
    countable,
    describing_query,
    describing_table,
    reading_query,
    reading_table,
)
from eugenie_cli.sources.sql.time_columns import time_column
from eugenie_cli.sources.sql.times import TimeColumn
from eugenie_cli.sources.windows.browsing import Browsed
from eugenie_cli.sources.windows.importer import importer_of
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.plan import shown_span
from eugenie_cli.sources.windows.polling import polled
from eugenie_cli.sources.windows.reader import ROWS_AT_ONCE, Span
from eugenie_cli.sources.windows.seen_rows import SeenRows

LONG_PARTS = ("ts", "asset", "sensor", "tag", "value", "quality")
WIDE_PARTS = ("ts", "asset", "quality")


@dataclass(frozen=True)
class Shape:
    """What a database says about the table or query. `wanted`: the columns to read; `unknown`: those of a wide table
    that are no sensor or tag; `most`: rows of a query that are held in memory; `limit`: those to which it limits
    itself; `bounds`: how its bounds are bound.
    """

    wanted: tuple[str, ...]
    unknown: tuple[str, ...]
    time: TimeColumn
    bounds: TimeColumn
    rows: RowReader
    most: int
    limit: int | None


class SqlReader:
    """A table or query of a database."""

    def __init__(self, source: SqlSettings, site: Site) -> None:
        self._source, self._zone = source, site.timezone
        self._mapping = source.readings.model_dump(mode="json")
        self._router = router_of(site)
        self._database: Database = open_database(source, site)
        self._what = f"table {source.table}" if source.table is not None else "the query"
        self._known: Shape | None = None
        self.seen: SeenRows | None = None

    def settings(self) -> Mapping[str, Any]:
        """The mapping and the query; not the server, so that a database may move."""
        return {
            "source": self._source.deciding(),
            "timezone": self._zone,
            "routes": sorted([str(field) for field in route] for route in self._router.table()),
        }

    def read(self, span: Span, tally: Tally, pace: Pace) -> Iterator[Batch]:
        """The span's readings. Raises TooMuchError, SourceDownError or EugenieError."""
        if self._known is None:
            self._known = pace.call(self._shape)
        shape = self._known
        tally.unknown_columns.extend(shape.unknown)
        batches = pace.call(lambda: self._fetch(shape, span))
        rows = sum(batch.num_rows for batch in batches)
        if shape.limit is not None and rows >= shape.limit:
            raise TooMuchError(
                f"{self._database.where}: {self._what} gave as many rows as its own limit allows, {shape.limit:,}, in"
                f" {shown_span(span)}",
                "remove the limit from the `query`: windows of time limit what it returns",
            )
        if rows > shape.most:
            raise TooMuchError(
                f"{self._database.where}: {self._what} has more than {shape.most:,} rows in {shown_span(span)}",
                "read fewer columns or tags with this source, by a `query`, and others with another",
            )
        if self.seen is not None:
            batches = [self.seen.new(batch) for batch in batches]
        yield from shape.rows.read(batches, shape.time, span, tally)

    def browse(self, pattern: str | None, pace: Pace) -> Iterator[Browsed]:
        """The tags in a table or query, or the columns of a wide one. Raises EugenieError."""
        shape = self._known = self._known or pace.call(self._shape)
        columns = shape.wanted + shape.unknown
        table = countable(self._source.table, self._source.query, columns)
        first, last = shape.bounds.bound(Span(0, time.time_ns() // 1_000_000 + 1))
        values = {} if self._source.table is not None else {"start": first, "end": last}
        counted = Counted(table, values, shape.time, shape.rows.instants, self._mapping, self._router)
        if self._mapping["shape"] == "wide":
            measured = [name for name in columns if name not in self._used()]
            return iter(pace.call(lambda: list(browse_wide(self._database, counted, measured, pattern))))
        return iter(pace.call(lambda: list(browse_long(self._database, counted, pattern))))

    def outside(self, now_ms: int, pace: Pace) -> Iterator[str]:
        """Rows of a table without a time, or with one ahead of the clock: no window has them."""
        shape = self._known
        if shape is not None and self._source.table is not None:
            at = self._mapping["ts"]["path"]
            with suppress(TooMuchError):  # without an index it may take too long
                yield from pace.call(
                    lambda: list(rows_outside(self._database, str(self._source.table), at, shape.time, now_ms))
                )

    def close(self) -> None:
        self._database.close()

    def _fetch(self, shape: Shape, span: Span) -> list[pa.RecordBatch]:
        if self._source.table is not None:
            ts = self._mapping["ts"]["path"]
            statement = reading_table(self._source.table, shape.wanted, ts, shape.time, span)
        else:
            statement = reading_query(self._source.query or "", shape.bounds.bound(span))
        try:
            batches = self._database.fetch(statement, shape.most)
        except (TransientError, TooMuchError) as error:
            raise type(error)(f"{error.reason}, in {shown_span(span)}", error.hint, error.exit_code) from error
        return [batch.select(list(shape.wanted)) for batch in batches]

    # -- what is read ------------------------------------------------------------------------------

    def _shape(self) -> Shape:
        columns = self._columns()
        names = tuple(column.name for column in columns)
        self._check(names)
        record = RecordReader(self._mapping, self._zone, self._router, names)
        unknown = record.unknown_columns()
        wide = self._mapping["shape"] == "wide"
        used = self._used()
        skipped = {*unknown, *self._mapping["ignore"]} - used
        wanted = tuple(name for name in names if (name not in skipped if wide else name in used))
        self._check_kinds([column for column in columns if column.name in wanted])
        ts = self._mapping["ts"]
        kind = next(column.kind for column in columns if column.name == ts["path"])
        at = time_column(kind, ts, self._zone, self._database, self._source)
        measured = max(1, len(wanted) - len(used)) if wide else 1
        return Shape(
            wanted,
            unknown,
            at,
            self._bounds(at),
            RowReader(f"{self._database.where}, {self._what}", self._mapping, self._zone, self._router, wanted),
            ROWS_AT_ONCE // measured,
            row_limit(self._source.query) if self._source.query is not None else None,
        )

    def _columns(self) -> list[Column]:
        table = self._source.table
        statement: Statement = (
            describing_table(table) if table is not None else describing_query(self._source.query or "")
        )
        try:
            columns = self._database.columns(statement)
        except SourceDownError as error:
            meant = ""
            if table is not None:
                with suppress(EugenieError):
                    names = self._database.names()
                    if table not in names:
                        meant = did_you_mean(table, names) or f"; there are {listed(names)}"
                    elif "." in table:
                        meant = f"; if the point is part of the table's name, write table: '\"{table}\"'"
            raise SourceDownError(f"{error.reason}{meant}", error.hint, error.exit_code) from error
        names = [column.name for column in columns]
        for name in names:
            if names.count(name) > 1:
                raise SourceDownError(
                    f"{self._database.where}: {self._what} has two columns {name!r}",
                    "name them differently in the `query`, with AS",
                )
        return columns

    def _used(self) -> set[str]:
        """Columns that the mapping names."""
        parts = WIDE_PARTS if self._mapping["shape"] == "wide" else LONG_PARTS
        return {path for name in parts for path in paths_of(self._mapping.get(name))}

    def _check(self, names: tuple[str, ...]) -> None:
        """Raise SourceDownError for columns that do not exist."""
        for column in sorted(self._used()):
            if column not in names:
                raise SourceDownError(
                    f"{self._database.where}: {self._what} has no column {column!r}{did_you_mean(column, names)};"
                    f" columns: {listed(names)}",
                    "correct `readings` of the source in the site file",
                )

    def _check_kinds(self, columns: Sequence[Column]) -> None:
        """Raise SourceDownError for a column whose values arrive as something else."""
        for column in columns:
            if column.kind in UNREADABLE:
                what, to = UNREADABLE[column.kind]
                raise SourceDownError(
                    f"{self._database.where}: the column {column.name!r} of {self._what} is {column.kind}, {what}",
                    f"convert it in a `query`: {column.name}::{to} AS {column.name}",
                )

    def _bounds(self, time: TimeColumn) -> TimeColumn:
        given = self._source.bounds
        if given is None:
            return time
        if given == "instant" or given == "utc" or given == "local":
            return TimeColumn(given, time.unit, time.zone)
        return TimeColumn("number", given, time.zone)


sql_importer = importer_of(SqlReader)
sql_live = polled(SqlReader)
