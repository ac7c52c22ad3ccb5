"""Recorded values of the PI Web API as records in Arrow columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

SCHEMA = {
    "time": pa.string(),
    "tag": pa.string(),
    "value": pa.string(),
    "code": pa.int64(),
    "good": pa.bool_(),
    "questionable": pa.bool_(),
}


def records(values: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[pa.RecordBatch]:
    """(tag, item of an answer) -> records, numbers and states in batches of their own.

    A state is its name and code. One of the system ("No Data", "Bad Input") is of bad quality, whatever `Good` says.
    """
    kinds: dict[pa.DataType, list[tuple[Any, ...]]] = {}
    for tag, item in values:
        value, code, good = item.get("Value"), None, item.get("Good") is True
        if isinstance(value, Mapping):
            good = good and value.get("IsSystem") is not True
            code, value = value.get("Value"), value.get("Name")
        kind = pa.float64() if type(value) in (int, float) else pa.string()
        row = (item.get("Timestamp"), tag, _text(value) if kind == pa.string() else value, code, good)
        kinds.setdefault(kind, []).append((*row, item.get("Questionable") is True))
    for kind, rows in kinds.items():
        types = {**SCHEMA, "value": kind}
        columns = [pa.array(column, of) for column, of in zip(zip(*rows, strict=True), types.values(), strict=True)]
        yield pa.RecordBatch.from_arrays(columns, list(types))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if type(value) is bool else str(value)
