"""InfluxQL for one span of time."""

from __future__ import annotations

from collections.abc import Iterable

from eugenie_cli.sources.influxdb.settings import InfluxSettings
from eugenie_cli.sources.windows.reader import Span

MS = 1_000_000
"""Nanoseconds."""


def select(source: InfluxSettings, span: Span, names: Iterable[str] = (), of_type: str = "field") -> str:
    """The points of a span, by series. Instants are integers in ns, so that no time zone is involved.

    `names`: fields of which only values of a type are selected; default: all, or those of the source, of any type.
    """
    what = ", ".join(f"{identifier(name)}::{of_type}" for name in names or source.fields) or "*::field"
    tables = ", ".join(_table(source, name) for name in source.measurements)
    conditions = [f"time >= {span.start_ms * MS}", f"time < {span.end_ms * MS}"]
    conditions += [f"{identifier(tag)} = {text(value)}" for tag, value in sorted(source.where.items())]
    return f"SELECT {what} FROM {tables} WHERE {_joined(conditions)} GROUP BY *"  # noqa: S608 - every name is quoted


_SHOWN_FIRST = ("float", "integer", "unsigned", "string", "boolean")


def hidden_types(types: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Type -> fields that have values of it which InfluxDB leaves out, since it has some of another type, too.

    `types`: (field, one of its types). Where a field has changed its type, InfluxQL returns only the values of the
    first of these types, and numbers of all kinds as one.
    """
    known: dict[str, set[str]] = {}
    for name, of_type in types:
        known.setdefault(name, set()).add(of_type)
    hidden: dict[str, list[str]] = {}
    for name, of_types in sorted(known.items()):
        shown, *others = sorted(of_types, key=_SHOWN_FIRST.index)
        for of_type in others:
            if of_type in ("string", "boolean") or shown in ("string", "boolean"):
                hidden.setdefault(of_type, []).append(name)
    return hidden


def aggregate(source: InfluxSettings, measurement: str, name: str, what: str) -> str:
    """`count`, `first` or `last` of a field, by series."""
    conditions = [f"{identifier(tag)} = {text(value)}" for tag, value in sorted(source.where.items())]
    where = f" WHERE {_joined(conditions)}" if conditions else ""
    column = f"{what}({identifier(name)}::field)"
    return f"SELECT {column} FROM {_table(source, measurement)}{where} GROUP BY *"  # noqa: S608 - every name is quoted


def identifier(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text(value: str) -> str:
    """A text in single quotes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _table(source: InfluxSettings, measurement: str) -> str:
    policy = f"{identifier(source.policy)}." if source.policy is not None else ""
    return policy + identifier(measurement)


def _joined(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions)
