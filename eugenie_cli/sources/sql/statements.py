"""The statements that read a table or a query, for every database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eugenie_cli.sources.sql.select import marked
from eugenie_cli.sources.sql.times import TimeColumn
from eugenie_cli.sources.windows.reader import Span

_NEVER = sa.literal_column("1") == sa.literal_column("0")  # not every database has a false
OTHER_START, OTHER_END = "start_t", "end_t"


@dataclass(frozen=True)
class Statement:
    """A query and the values of its parameters. `is_text`: whether the user wrote it."""

    clause: Any
    values: Mapping[str, Any]
    is_text: bool = False


_QUOTED = re.compile(r'^(?:(?P<schema>.+)\.)?(?:"(?P<double>[^"]+)"|`(?P<back>[^`]+)`|\[(?P<bracket>[^\]]+)\])$')


def table_of(name: str, columns: Sequence[str] = ()) -> Any:
    """A table by its name, which begins with its schema and a point if it is in one. A name that itself contains a
    point is in quotes: `public."log.2026"`.
    """
    quoted = _QUOTED.match(name)
    if quoted is not None:
        schema, table = quoted["schema"] or "", quoted["double"] or quoted["back"] or quoted["bracket"]
        schema = schema.strip('"`[]')
    else:
        schema, _, table = name.rpartition(".")
    return sa.table(table, *map(sa.column, columns), schema=schema or None)


def describing_table(name: str) -> Statement:
    """All columns of a table, no rows."""
    return Statement(sa.select(sa.literal_column("*")).select_from(table_of(name)).where(_NEVER), {})


def describing_query(query: str) -> Statement:
    """All columns of a query; no rows, since nothing compares to a null."""
    return Statement(sa.text(marked(query)), {"start": None, "end": None}, is_text=True)


def reading_table(name: str, columns: Sequence[str], ts: str, time: TimeColumn, span: Span) -> Statement:
    """The rows of a span, in no particular order."""
    first, last = time.bound(span)
    table = table_of(name, columns)
    at = table.c[ts]
    inside = sa.and_(at >= sa.bindparam("start"), at < sa.bindparam("end"))
    values = {"start": first, "end": last}
    if time.kind == "text":  # the letter between date and time sorts after the blank: a range of each
        values |= {OTHER_START: first.replace(" ", "T"), OTHER_END: last.replace(" ", "T")}
        inside = sa.or_(inside, sa.and_(at >= sa.bindparam(OTHER_START), at < sa.bindparam(OTHER_END)))
    return Statement(sa.select(*(table.c[column] for column in columns)).where(inside), values)


def reading_query(query: str, bounds: tuple[Any, Any]) -> Statement:
    return Statement(sa.text(marked(query)), {"start": bounds[0], "end": bounds[1]}, is_text=True)


def countable(table: str | None, query: str | None, columns: Sequence[str]) -> Any:
    """A table or query of which rows are counted, with these columns."""
    if table is not None:
        return table_of(table, columns)
    return sa.text(marked(query or "")).columns(*map(sa.column, columns)).subquery("counted")


def limited(statement: Statement, rows: int) -> Any:
    """The statement's clause with at most that many rows."""
    if not statement.is_text:
        return statement.clause.limit(rows)
    inner = statement.clause.columns().subquery("limited")
    return sa.select(sa.literal_column("*")).select_from(inner).limit(rows)


def rendered(clause: Any, values: Mapping[str, Any], dialect: sa.Dialect) -> tuple[str, Any]:
    """A clause as text, and its parameters as the dialect's driver takes them: a tuple, or by name."""
    state = clause.compile(dialect=dialect).construct_expanded_state(dict(values))
    return state.statement, state.positional_parameters if dialect.positional else state.parameters
