"""PostgreSQL: columns by ADBC, which is several times faster than rows; its catalogue by SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, urlencode

import adbc_driver_manager.dbapi as adbc
import adbc_driver_postgresql.dbapi
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
import sqlalchemy.dialects.postgresql

from eugenie_cli.sources.sql.databases import CONNECT_S, UNREADABLE, Column, RowDatabase, codes_of
from eugenie_cli.sources.sql.faults import Fault, fault_of, worded
from eugenie_cli.sources.sql.statements import Statement, limited, rendered


class PostgresDatabase:
    """A connection by ADBC. Also for TimescaleDB, and what else speaks PostgreSQL's protocol."""

    kind = "postgresql"

    def __init__(self, url: sa.URL, timeout_s: float) -> None:
        self._url = url
        self._catalogue = RowDatabase(url.update_query_dict({"connect_timeout": str(CONNECT_S)}), timeout_s)
        self.where = self._catalogue.where
        self.timeout_s = timeout_s
        self._dialect = sa.dialects.postgresql.dialect(paramstyle="numeric_dollar")
        self._connection: adbc.Connection | None = None

    def columns(self, statement: Statement) -> list[Column]:
        schema = self._execute(statement.clause, statement.values).schema
        return [Column(field.name, _kind_of(field)) for field in schema]

    def fetch(self, statement: Statement, most: int) -> list[pa.RecordBatch]:
        table = self._execute(limited(statement, most + 1), statement.values)
        return table.to_batches()

    def rows(self, statement: Statement) -> list[Sequence[Any]]:
        table = self._execute(statement.clause, statement.values)
        return list(zip(*(_cells(column) for column in table.columns), strict=True))

    def names(self) -> list[str]:
        return self._catalogue.names()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._catalogue.close()
        if connection is not None:
            with suppress(adbc.Error):  # it may be lost
                connection.close()

    def _execute(self, clause: Any, values: Any) -> pa.Table:
        text, parameters = rendered(clause, values, self._dialect)
        with self._guarded(), self._open().cursor() as cursor:
            cursor.execute(text, parameters=list(parameters) or None)
            return cursor.fetch_arrow_table()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except adbc.Error as error:
            self.close()
            fault = fault_of("postgresql", codes_of(error), str(error))
            raise worded(fault, self.where, _said(str(error))) from error

    def _open(self) -> adbc.Connection:
        if self._connection is None:
            connection = self._connect()
            try:
                with connection.cursor() as cursor:
                    for command in (
                        "SET default_transaction_read_only = on",
                        "SET TimeZone = 'UTC'",
                        f"SET statement_timeout = {round(self.timeout_s * 1_000)}",
                    ):
                        cursor.execute(command)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _connect(self) -> adbc.Connection:
        try:
            return adbc_driver_postgresql.dbapi.connect(self._uri(), autocommit=True)
        except adbc.Error as error:
            fault = fault_of("postgresql", codes_of(error), str(error))
            if fault is Fault.OTHER:  # in another language: libpq gives no codes before there is a session
                fault = Fault.CONNECTION
            raise worded(fault, self.where, _said(str(error))) from error

    def _uri(self) -> str:
        """The URL as libpq reads it; options of the driver are passed on."""
        url = self._url
        user = f"{quote(url.username or '', safe='')}" if url.username else ""
        password = f":{quote(str(url.password), safe='')}" if url.password else ""
        host = f"[{url.host}]" if ":" in (url.host or "") else quote(url.host or "", safe="")
        port = f":{url.port}" if url.port else ""
        options = {**_DEFAULTS, **dict(url.query)}
        database = quote(url.database or "", safe="")
        login = f"{user}{password}@" if user else ""
        return f"postgresql://{login}{host}{port}/{database}?{urlencode(options, quote_via=quote)}"


_DEFAULTS = {
    "connect_timeout": str(CONNECT_S),
    "application_name": "eugenie",
    **{"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"},  # if the server vanishes
}


_PREFIXES = (
    *("Failed to connect: ", "Failed to prepare query: ", "could not begin COPY: ", "[PGRES_FATAL_ERROR]: "),
    *("PGRES_FATAL_ERROR ", "[libpq] "),
)
"""Of the driver, before the words of the server."""


def _said(text: str) -> str:
    """The server's or the library's own words."""
    for before in _PREFIXES:
        _, found, rest = text.partition(before)
        text = rest if found else text
    return text.partition(" SQLSTATE:")[0].rstrip(". \n")


_LAST = 253_402_300_799_999_999
"""The end of 9999, us since 1970."""


def _cells(column: pa.ChunkedArray) -> list[Any]:
    """A column's values; for PostgreSQL's `infinity`, which is no date of Python's, the first or the last one."""
    if pa.types.is_timestamp(column.type):
        least = pc.min_element_wise(column.cast(pa.int64()), _LAST, skip_nulls=False)
        column = pc.max_element_wise(least, -62_135_596_800_000_000, skip_nulls=False).cast(column.type)
    return column.to_pylist()  # type: ignore[no-any-return]


def _kind_of(field: pa.Field) -> str | None:
    kind = field.type
    of_server = (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
    if of_server in UNREADABLE:
        return of_server
    if of_server == "numeric":
        return "number"  # which comes as text, in full precision
    if pa.types.is_timestamp(kind):
        return "local" if kind.tz is None else "instant"
    if pa.types.is_date(kind):
        return "local"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    return "text" if pa.types.is_string(kind) else None
