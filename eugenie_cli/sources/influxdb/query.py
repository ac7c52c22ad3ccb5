"""InfluxQL for one span of time."""

from __future__ import annotations

from collections.abc import Iterable

from eugenie_cli.sources.influxdb.settings import InfluxSettings
from eugenie_cli.sources.windows.reader import Span

MS = 1_000_000
"""Nanoseconds."""


def select(source: InfluxSettings, span: Span) -> str:
    """The points of a span, by series. Instants are integers in ns, so that no time zone is involved."""
    what = ", ".join(map(identifier, source.fields)) or "*::field"
    policy = f"{identifier(source.policy)}." if source.policy is not None else ""
    tables = ", ".join(policy + identifier(name) for name in source.measurements)
    conditions = [f"time >= {span.start_ms * MS}", f"time < {span.end_ms * MS}"]
    conditions += [f"{identifier(tag)} = {text(value)}" for tag, value in sorted(source.where.items())]
    return f"SELECT {what} FROM {tables} WHERE {_joined(conditions)} GROUP BY *"  # noqa: S608 - every name is quoted


def identifier(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text(value: str) -> str:
    """A text in single quotes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _joined(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions)
