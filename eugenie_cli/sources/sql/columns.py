"""Rows of a database driver -> Arrow columns, without a change of any value."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def batch_of(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Rows as a batch. A column of values of several types becomes text, numbers in full precision."""
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.RecordBatch.from_arrays([column_of(values) for values in columns], list(names))


def with_times(batch: pa.RecordBatch, kinds: Sequence[str | None]) -> pa.RecordBatch:
    """The batch with its times as Arrow's. `kinds`: "utc" for a column whose times are UTC without saying so, "local"
    for one without a zone; their texts become times, unless one of them is none, such as 0000-00-00.
    """
    columns = list(batch.columns)
    for index, (kind, column) in enumerate(zip(kinds, columns, strict=True)):
        if kind not in ("utc", "local"):
            continue
        try:
            if pa.types.is_string(column.type):
                column = column.cast(pa.timestamp("us"))
            if kind == "utc" and pa.types.is_timestamp(column.type) and column.type.tz is None:
                column = column.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
        except pa.ArrowInvalid:
            if kind == "utc":
                column = pc.binary_join_element_wise(column, "Z", "")
        columns[index] = column
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def column_of(values: Sequence[Any]) -> pa.Array:
    """Values as an Arrow array of their own type, or of text."""
    kinds = set(map(type, values)) - {type(None)}
    if len(kinds) == 1 or (kinds == {int, float} and _is_exact(values)):
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            pass  # such as integers of more than 64 bits
    elif not kinds:
        return pa.nulls(len(values))
    return pa.array([_text(value) for value in values], pa.string())


def _is_exact(values: Sequence[Any]) -> bool:
    """Whether the integers among numbers are floats without loss."""
    return all(type(value) is not int or abs(value) <= 1 << 53 for value in values)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date | time) else repr(value)
