"""Connections to databases: sessions that only read, in UTC, with a time-out, whose results are Arrow columns."""

from __future__ import annotations

import datetime as dt
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import pyarrow as pa
import sqlalchemy as sa

from eugenie_cli.sources.sql.columns import batch_of, with_times
from eugenie_cli.sources.sql.faults import Fault, fault_of, worded
from eugenie_cli.sources.sql.statements import Statement, limited, rendered

ROWS_FETCHED = 50_000
"""Rows fetched from a driver at a time."""
CONNECT_S = 15
"""How long a connection may take to be established."""
SQLITE_STEPS = 10_000
"""Instructions of SQLite's virtual machine between two looks at the clock."""


UNREADABLE = {
    "money": ("a number whose decimals depend on the server's locale", "numeric"),
    "bit": ("bits", "int"),
}
"""Types of PostgreSQL whose values arrive as something else: what they are, and what to convert them to."""


@dataclass(frozen=True)
class Column:
    """A column of a result. `kind`: "instant", "utc", "local", "number", "text", or one of UNREADABLE, as far as it is
    known, else None.
    """

    name: str
    kind: str | None


class Database(Protocol):
    """A connection, opened by the first query and again after it was lost. Errors are those of `faults.worded`."""

    kind: str
    where: str
    """The server, without a user or a password."""

    def columns(self, statement: Statement) -> list[Column]:
        """The columns of a statement that returns no rows."""

    def fetch(self, statement: Statement, most: int) -> list[pa.RecordBatch]:
        """The rows of a statement. Of more than `most`, at least one more than that are returned."""

    def rows(self, statement: Statement) -> list[Sequence[Any]]:
        """The few rows of a query of the catalogue, or of aggregates."""

    def names(self) -> list[str]:
        """The names of the tables and views, with their schema unless it is the default."""

    def close(self) -> None:
        """Close the connection. The next query opens another."""


class RowDatabase:
    """A connection by SQLAlchemy; the driver's rows become columns."""

    def __init__(self, url: sa.URL, timeout_s: float) -> None:
        self.kind = url.drivername.partition("+")[0]
        self.where = _shown(url)
        self.timeout_s = timeout_s
        self._engine = sa.create_engine(url, poolclass=sa.NullPool, **self._arguments(url))
        self._connection: Any = None
        self._error = self._engine.dialect.loaded_dbapi.Error
        self._ends = float("inf")

    @cached_property
    def dialect(self) -> sa.Dialect:
        return self._engine.dialect

    def columns(self, statement: Statement) -> list[Column]:
        with self._cursor(statement, None) as cursor:
            return [Column(self._name(entry[0]), self._kind(entry[1])) for entry in cursor.description or ()]

    def fetch(self, statement: Statement, most: int) -> list[pa.RecordBatch]:
        batches: list[pa.RecordBatch] = []
        left = most + 1
        limit = None if statement.is_text else left
        with self._cursor(statement, limit) as cursor:
            names = [self._name(entry[0]) for entry in cursor.description or ()]
            kinds = [self._kind(entry[1]) for entry in cursor.description or ()]
            while left > 0 and (rows := cursor.fetchmany(min(left, ROWS_FETCHED))):
                batches.append(with_times(batch_of(names, rows), kinds))
                left -= len(rows)
        return batches

    def rows(self, statement: Statement) -> list[Sequence[Any]]:
        with self._cursor(statement, None) as cursor:
            return list(cursor.fetchall())

    def names(self) -> list[str]:
        with self._guarded():
            return _table_names(self._engine)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._error, OSError):
                connection.close()

    @contextmanager
    def _cursor(self, statement: Statement, limit: int | None) -> Iterator[Any]:
        clause = statement.clause if limit is None else limited(statement, limit)
        text, given = rendered(clause, statement.values, self.dialect)
        with self._guarded(), closing(self._new_cursor()) as cursor:
            cursor.execute(text, given)
            yield cursor

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turns the driver's errors into those of a source, and closes a connection that may be lost."""
        self._ends = time.monotonic() + self.timeout_s
        try:
            yield
        except self._error as error:
            self.close()
            raise worded(fault_of(self.kind, codes_of(error), str(error)), self.where, message_of(error)) from error
        except sa.exc.DBAPIError as error:  # of the catalogue
            original = error.orig or error
            fault = fault_of(self.kind, codes_of(original), str(original))
            raise worded(fault, self.where, message_of(original)) from error
        except (OSError, sa.exc.SQLAlchemyError) as error:
            self.close()
            fault = Fault.LOST if isinstance(error, OSError) else Fault.OTHER
            if isinstance(error, ssl.SSLError | FileNotFoundError | PermissionError):  # of an option of the URL
                fault = Fault.TLS
            raise worded(fault, self.where, str(error)) from error

    def _new_cursor(self) -> Any:
        if self._connection is None:
            pooled = self._engine.raw_connection()
            connection: Any = pooled.driver_connection
            pooled.detach()
            with closing(connection.cursor()) as cursor:
                for command in self._commands(cursor):
                    cursor.execute(command)
            if self.kind == "mssql":
                connection.timeout = max(1, round(self.timeout_s))
            if self.kind == "oracle":
                connection.call_timeout = round(self.timeout_s * 1_000)
            self._connection = connection
        if self.kind in ("mariadb", "mysql"):
            from pymysql.cursors import SSCursor

            return self._connection.cursor(SSCursor)
        return self._connection.cursor()

    def _commands(self, cursor: Any) -> list[str]:
        """What makes a session read only, in UTC, and stop after the time-out."""
        if self.kind in ("mariadb", "mysql"):
            limit = (
                f"SET SESSION max_statement_time = {self.timeout_s:.3f}"
                if _is_mariadb(cursor)
                else f"SET SESSION max_execution_time = {round(self.timeout_s * 1_000)}"
            )
            return ["SET SESSION TRANSACTION READ ONLY", "SET SESSION time_zone = '+00:00'", limit]
        if self.kind == "oracle":
            return ["ALTER SESSION SET TIME_ZONE = 'UTC'", "SET TRANSACTION READ ONLY"]
        return ["PRAGMA query_only = ON"] if self.kind == "sqlite" else []

    def _arguments(self, url: sa.URL) -> dict[str, Any]:
        """Arguments of `create_engine`."""
        if self.kind == "sqlite":
            return {"creator": self._sqlite(url)}
        if self.kind in ("mariadb", "mysql"):
            from eugenie_cli.sources.sql.mysql import CONVERSIONS

            reading = round(self.timeout_s) + CONNECT_S  # if the server vanishes; otherwise its own time-out is earlier
            return {"connect_args": {"conv": CONVERSIONS, "connect_timeout": CONNECT_S, "read_timeout": reading}}
        if self.kind == "oracle":
            return {"connect_args": {"tcp_connect_timeout": CONNECT_S}}
        return {}

    def _sqlite(self, url: sa.URL) -> Callable[[], Any]:
        import sqlite3
        from pathlib import Path

        def connect() -> sqlite3.Connection:
            uri = f"{Path(url.database or '').as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=CONNECT_S, check_same_thread=False)
            connection.set_progress_handler(lambda: time.monotonic() > self._ends, SQLITE_STEPS)
            return connection

        return connect

    def _name(self, name: str) -> str:
        """A column's name as a site file writes it: Oracle shows names without quotes in capitals."""
        return str(self.dialect.normalize_name(name)) if self.kind == "oracle" else name

    def _kind(self, type_code: Any) -> str | None:
        if self.kind in ("mariadb", "mysql"):
            from eugenie_cli.sources.sql.mysql import kind_of

            return kind_of(type_code)
        if self.kind == "oracle":
            return _ORACLE_KINDS.get(str(getattr(type_code, "name", type_code)))
        return _PYTHON_KINDS.get(type_code) if isinstance(type_code, type) else None


_PYTHON_KINDS = {dt.datetime: "local", dt.date: "local", int: "number", float: "number", str: "text"}
_ORACLE_KINDS = {
    "DB_TYPE_DATE": "local",
    "DB_TYPE_TIMESTAMP": "local",
    "DB_TYPE_TIMESTAMP_TZ": "instant",
    "DB_TYPE_TIMESTAMP_LTZ": "utc",
    "DB_TYPE_NUMBER": "number",
    "DB_TYPE_BINARY_DOUBLE": "number",
    "DB_TYPE_BINARY_FLOAT": "number",
    "DB_TYPE_VARCHAR": "text",
}


def _is_mariadb(cursor: Any) -> bool:
    """Whether a server that speaks MySQL's protocol is MariaDB, whatever the URL calls it."""
    cursor.execute("SELECT VERSION()")
    return "mariadb" in str(cursor.fetchone()[0]).lower()


def message_of(error: BaseException) -> str:
    """What a driver's exception says, without its number."""
    texts = [argument for argument in error.args if isinstance(argument, str)]
    return texts[-1] if texts else str(error)


def codes_of(error: BaseException | None) -> tuple[str, ...]:
    """SQLSTATE and numbers of a driver's exception."""
    codes: list[str] = []
    for found in (getattr(error, "sqlstate", None), getattr(error, "code", None)):
        codes += [str(found)] if isinstance(found, int | str) and found else []
    for argument in getattr(error, "args", ()):
        found = argument if isinstance(argument, int) else getattr(argument, "code", None)
        codes += [str(found)] if isinstance(found, int | str) and found else []
    return tuple(codes)


def _table_names(engine: sa.Engine) -> list[str]:
    """Tables and views of the default schema, then those of the others that are not the database's own."""
    inspector = sa.inspect(engine)
    names = [*inspector.get_table_names(), *inspector.get_view_names()]
    for schema in inspector.get_schema_names():
        if schema != inspector.default_schema_name and schema.lower() not in _OWN_SCHEMAS:
            tables = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
            names += [f"{schema}.{table}" for table in tables]
    return names


_OWN_SCHEMAS = ("information_schema", "mysql", "performance_schema", "sys", "pg_catalog", "main")


def _shown(url: sa.URL) -> str:
    if url.drivername == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"{url.drivername.partition('+')[0]}://{url.host or ''}{port}/{url.database or ''}"
