"""Stands in for InfluxDB 3, which no package registry has: its Flight endpoint, whose SQL DuckDB answers.

A ticket is JSON with `database`, `sql_query` and `query_type`, as the clients of InfluxDB 3 send it; tags are
dictionary columns, times have no zone, and `information_schema.columns` says which columns are tags.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import flight

TOKEN = "apiv3_reader-1"


class _Token(flight.ServerMiddlewareFactory):
    def start_call(self, _info: Any, headers: Mapping[str, list[str]]) -> None:
        if headers.get("authorization") != [f"Bearer {TOKEN}"]:
            raise flight.FlightUnauthenticatedError("invalid token")


class FlightInflux(flight.FlightServerBase):
    """`tables`: measurement -> points, tags as dictionaries; `database`: the only one. `queries`: those received."""

    def __init__(self, tables: Mapping[str, pa.Table], database: str = "plant", **more: Any) -> None:
        super().__init__("grpc://127.0.0.1:0", middleware={"token": _Token()}, **more)
        self.tables, self.database = tables, database
        self.queries: list[str] = []

    def do_get(self, _context: Any, ticket: flight.Ticket) -> flight.RecordBatchStream:
        asked = json.loads(ticket.ticket)
        assert asked["query_type"] == "sql"
        self.queries.append(asked["sql_query"])
        if asked["database"] != self.database:
            raise flight.FlightServerError(f"database not found: {asked['database']}")
        return flight.RecordBatchStream(self._answer(asked["sql_query"]))

    def _answer(self, query: str) -> pa.Table:
        if "information_schema" in query:
            return pa.Table.from_pylist(
                [
                    {"table_name": name, "column_name": field.name, "data_type": _type(field.type)}
                    for name, table in self.tables.items()
                    for field in table.schema
                ]
            )
        with duckdb.connect() as connection:
            for name, table in self.tables.items():
                connection.register(name, table)
            try:
                answer = connection.sql(query).to_arrow_table()
            except duckdb.Error as error:
                raise flight.FlightServerError(f"Error while planning query: {error}") from error
        tables = re.findall(r'FROM "([^"]+)"', query)
        tags = {field.name for field in self.tables[tables[0]].schema if pa.types.is_dictionary(field.type)}
        columns = [
            column.cast(pa.string()).dictionary_encode() if name in tags else column
            for name, column in zip(answer.column_names, answer.columns, strict=True)
        ]
        return pa.table(dict(zip(answer.column_names, columns, strict=True))).combine_chunks()


def _type(of: pa.DataType) -> str:
    if pa.types.is_dictionary(of):
        return "Dictionary(Int32, Utf8)"
    return {pa.float64(): "Float64", pa.int64(): "Int64", pa.bool_(): "Boolean", pa.string(): "Utf8"}.get(
        of, "Timestamp(Nanosecond, None)"
    )


@contextmanager
def flight_influx(tables: Mapping[str, pa.Table], **more: Any) -> Iterator[tuple[FlightInflux, str]]:
    """(server, its address)."""
    server = FlightInflux(tables, **more)
    try:
        yield server, f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
