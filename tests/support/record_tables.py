"""Tables of records, read by the column reader and, record by record, by the mapping's rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa

from eugenie_cli.readings.mapping import compile_mapping
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.readings.routing import Router
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.sources.records.reader import RecordReader

ROUTER = Router(
    {"pump-1": {"class": "pump", "tags": {"flow": "FT-1", "run": "7"}}, "fan-1": {"class": "fan", "tags": {}}},
    {"pump": ("flow", "run"), "fan": ("speed",)},
)
BERLIN = "Europe/Berlin"
Rows = list[tuple[str, str, int, "float | None"]]
"""(asset, sensor, ts, value or None for bad quality)."""


def read(
    columns: Mapping[str, pa.Array], mapping: dict[str, Any], zone: str = BERLIN
) -> tuple[Rows, list[tuple[str, list[int], str | None]], RecordReader]:
    """(asset, sensor, ts, value or None) of the readings, the rejections (reason, records, column), the reader."""
    block = block_of(columns)
    reader = RecordReader(ReadingsMapping(**mapping).model_dump(mode="json"), zone, ROUTER, columns)
    batch, refusals = reader.read(block)
    rows = [
        (*batch.series[index], int(ts), None if math.isnan(value) else float(value))
        for index, ts, value in zip(batch.index, batch.ts, batch.value, strict=True)
    ]
    return rows, [(r.reason, r.records.tolist(), r.column) for r in refusals], reader


def block_of(columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """The columns as a block."""
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def member(cell: pa.Scalar) -> Any:
    """A cell as the member of a record that a JSON message would have; instants in ISO 8601."""
    value = cell.as_py()
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"
    return str(value) if isinstance(value, (Decimal, date)) and not isinstance(value, datetime) else value


def by_the_rule(
    columns: Mapping[str, pa.Array], mapping: dict[str, Any], router: Router = ROUTER
) -> tuple[Rows, list[tuple[int, str]]]:
    """The readings of the mapping's rules, and (record, reason) of the rejections; wide ones without the columns that
    belong to no sensor."""
    count = len(next(iter(columns.values())))
    ts = columns.get("ts")
    rule = compile_mapping(ReadingsMapping(**mapping).model_dump(mode="json"), BERLIN)
    readings: Rows = []
    rejected: list[tuple[int, str]] = []
    for row in range(count):
        fields = {name: member(column[row]) for name, column in columns.items()}
        if ts is not None and pa.types.is_date(ts.type) and fields["ts"]:
            fields["ts"] += " 00:00"
        for outcome in rule(fields):
            if isinstance(outcome, Rejected):
                rejected.append((row, outcome.reason))
            elif (route := router.route(outcome.asset, outcome.sensor, outcome.tag)) is None:
                rejected.append((row, "unknown-tag"))
            else:
                value = None if math.isnan(outcome.value) else outcome.value
                readings.append((route[0], router.sensors_of(route[0])[route[1]], outcome.ts, value))
    return readings, rejected


def texts(rows: Sequence[Sequence[str]], names: Sequence[str]) -> dict[str, pa.Array]:
    """Rows of texts as columns, as a CSV file has them."""
    return {name: pa.array([row[index] for row in rows], pa.string()) for index, name in enumerate(names)}


def assert_alike(columns: Mapping[str, pa.Array], mapping: dict[str, Any]) -> Rows:
    """Assert that both readers give the same readings and rejections, and return the readings."""
    rows, refusals, reader = read(columns, mapping)
    expected, rejected = by_the_rule(columns, mapping)
    assert sorted(rows, key=repr) == sorted(expected, key=repr)
    assert sorted((row, reason) for reason, records, _ in refusals for row in records) == sorted(rejected)
    block = block_of(columns)
    for _reason, records, column in refusals:
        for row in records:
            assert reader.explain(block, row, column) != "rejected"
    return rows
