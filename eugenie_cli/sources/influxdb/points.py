"""Points of InfluxDB as records in Arrow columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

TIME = pa.timestamp("ns", "UTC")


@dataclass(frozen=True)
class Series:
    """Points of one series: `columns[0]` is `time` (ns since 1970 UTC), the others are fields; None: no value."""

    measurement: str
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    values: Sequence[Sequence[Any]]


def by_field(chunks: Iterable[Series], tags: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """A record for each value: `time`, `measurement`, `field`, `value`, and a column for each of `tags`.

    Numbers, booleans and texts come in batches of their own.
    """
    kinds: dict[str, _Records] = {}
    for series in chunks:
        columns = list(zip(*series.values, strict=True)) if series.values else [()] * len(series.columns)
        for name, column in zip(series.columns[1:], columns[1:], strict=True):
            for kind, times, values in _by_kind(columns[0], column):
                kinds.setdefault(kind, _Records()).add(series, name, times, values, tags)
    for kind, records in kinds.items():
        yield records.batch(_TYPES[kind], tags)


def by_point(chunks: Iterable[Series], tags: Sequence[str], fields: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """A record for each point of a series: `time`, `measurement`, and a column for each of `tags` and `fields`."""
    for series in chunks:
        if not series.values:
            continue
        columns = dict(zip(series.columns, zip(*series.values, strict=True), strict=True))
        count = len(series.values)
        arrays = [pa.array(columns["time"], pa.int64()).cast(TIME), _constant(series.measurement, count)]
        arrays += [_constant(series.tags.get(tag), count) for tag in tags]
        arrays += [_column(columns.get(name, (None,) * count)) for name in fields]
        yield pa.RecordBatch.from_arrays(arrays, ["time", "measurement", *tags, *fields])


_TYPES = {"number": pa.float64(), "whole": pa.int64(), "boolean": pa.bool_(), "text": pa.string()}
_EXACT = 1 << 53
"""Whole numbers beyond it are not exact as float64."""


def _kind(value: Any) -> str:
    if type(value) is bool:
        return "boolean"
    if type(value) is int:
        return "whole" if abs(value) > _EXACT else "number"
    return "number" if type(value) is float else "text"


def _by_kind(times: Sequence[int], values: Sequence[Any]) -> Iterator[tuple[str, Sequence[int], Sequence[Any]]]:
    """The values of a column by their type: fields of shards that disagree come together here. Without missing ones."""
    kinds = {_kind(value) for value in values if value is not None}
    missing = any(value is None for value in values)
    if len(kinds) == 1 and not missing:
        yield next(iter(kinds)), times, values
        return
    for kind in sorted(kinds):
        chosen = [(time, value) for time, value in zip(times, values, strict=True) if value is not None]
        chosen = [entry for entry in chosen if _kind(entry[1]) == kind]
        yield kind, [time for time, _ in chosen], [value for _, value in chosen]


def _column(values: Sequence[Any]) -> pa.Array:
    kinds = {_kind(value) for value in values if value is not None}
    if not kinds:
        return pa.nulls(len(values))
    if kinds <= {"number", "whole"}:
        return pa.array(values, pa.float64() if "number" in kinds else pa.int64())
    if len(kinds) == 1:
        return pa.array(values, _TYPES[next(iter(kinds))])
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    return str(value).lower() if type(value) is bool else str(value)


def _constant(text: str | None, count: int) -> pa.Array:
    """A dictionary column of one text; an absent tag is null."""
    if not text:
        return pa.nulls(count, pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))


@dataclass
class _Records:
    """Values of several series and fields, one after the other."""

    times: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    names: list[tuple[str | None, ...]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, series: Series, name: str, times: Sequence[int], values: Sequence[Any], tags: Sequence[str]) -> None:
        self.times.extend(times)
        self.values.extend(values)
        self.names.append((series.measurement, name, *(series.tags.get(tag) or None for tag in tags)))
        self.counts.append(len(times))

    def batch(self, of_values: pa.DataType, tags: Sequence[str]) -> pa.RecordBatch:
        counts = np.array(self.counts)
        texts = []
        for column in zip(*self.names, strict=True):
            codes = {text: number for number, text in enumerate(dict.fromkeys(text for text in column if text))}
            indices = np.repeat([-1 if text is None else codes[text] for text in column], counts).astype(np.int32)
            texts.append(
                pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), pa.array(list(codes), pa.string()))
            )
        times = pa.array(self.times, pa.int64()).cast(TIME)
        measurement, name, *rest = texts
        return pa.RecordBatch.from_arrays(
            [times, measurement, name, pa.array(self.values, of_values), *rest],
            ["time", "measurement", "field", "value", *tags],
        )
