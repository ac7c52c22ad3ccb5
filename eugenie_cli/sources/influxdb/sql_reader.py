"""Reads spans of InfluxDB 3 by SQL over Arrow Flight: the answer comes in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from eugenie_cli.history.batch import Batch
from eugenie_cli.site.diagnostics import did_you_mean
from eugenie_cli.site.names import listed
from eugenie_cli.sources.failures import SourceDownError, TooMuchError
from eugenie_cli.sources.influxdb.browse import series_sensor, shown_series
from eugenie_cli.sources.influxdb.flight import FlightQueries
from eugenie_cli.sources.influxdb.points import TIME
from eugenie_cli.sources.influxdb.query import MS
from eugenie_cli.sources.influxdb.records import Records
from eugenie_cli.sources.influxdb.settings import InfluxSettings
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.windows.browsing import Browsed, matches
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.reader import ROWS_AT_ONCE, Span

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class InfluxSqlReader:
    """A `WindowReader`. `ca`: PEM file of the authority that signed the server's certificate."""

    def __init__(self, source: InfluxSettings, records: Records, ca: Path | None) -> None:
        self._source, self._records = source, records
        self._where = f"source {source.name}"
        self._flight = FlightQueries(source, ca)
        self._columns: dict[str, dict[str, bool]] = {}
        """Measurement -> column -> whether it is a tag."""

    def settings(self) -> Mapping[str, Any]:
        return self._records.settings()

    def read(self, span: Span, tally: Tally, pace: Pace) -> Iterator[Batch]:
        self._look(pace)
        rows = 0
        for measurement in self._source.measurements:
            query = self._select(measurement, span)
            for block in pace.call(lambda query=query: self._flight.answer(query, pace.timeout_s)):  # type: ignore[misc]
                rows += block.num_rows
                if rows > ROWS_AT_ONCE:
                    raise TooMuchError(f"{self._where}: over {rows:,} points", "import less at a time: `window`")
                for record in self._blocks(measurement, block):
                    yield from self._records.readings(record, tally)

    def browse(self, pattern: str | None, pace: Pace) -> Iterator[Browsed]:
        """The fields of each series. Raises EugenieError."""
        self._look(pace)
        mapping = self._source.readings.model_dump(mode="json")
        for measurement in self._source.measurements:
            tags = [name for name, is_tag in self._columns[measurement].items() if is_tag]
            for name in self._fields(measurement):
                for row in self._extents(measurement, name, tags, pace):
                    named = {tag: str(row[tag]) for tag in tags if row[tag]}
                    shown = shown_series(measurement, name, named)
                    if matches(pattern, shown):
                        record = {**named, "measurement": measurement, "field": name}
                        sensor = series_sensor(self._source, mapping, self._records.router, record)
                        bounds = (row["first_time"] // MS, row["last_time"] // MS)
                        yield Browsed(shown, sensor, None, row["n"], *bounds)

    def close(self) -> None:
        self._flight.close()

    def _look(self, pace: Pace) -> None:
        """Which columns there are. Raises SourceDownError for measurements or fields that do not exist."""
        if self._columns:
            return
        query = "SELECT table_name, column_name, data_type FROM information_schema.columns"
        found: dict[str, dict[str, bool]] = {}
        for block in pace.call(lambda: self._flight.answer(query, pace.timeout_s)):
            for row in block.to_pylist():
                is_tag = str(row["data_type"]).startswith("Dictionary")
                found.setdefault(str(row["table_name"]), {})[str(row["column_name"])] = is_tag
        for measurement in self._source.measurements:
            if measurement not in found:
                raise self._unknown("measurement", measurement, sorted(found))
            for name in self._source.fields:
                if name not in found[measurement]:
                    raise self._unknown("field", name, sorted(found[measurement]))
        self._columns = {measurement: found[measurement] for measurement in self._source.measurements}

    def _unknown(self, what: str, name: str, known: list[str]) -> SourceDownError:
        return SourceDownError(
            f"{self._where}: the database {self._source.database} of {self._source.url} has no {what} {name!r}"
            f"{did_you_mean(name, known)}",
            f"it has: {listed(known)}",
        )

    def _fields(self, measurement: str) -> list[str]:
        columns = self._columns[measurement]
        wanted = self._source.fields or [name for name, is_tag in columns.items() if not is_tag]
        return [name for name in wanted if name != "time"]

    def _select(self, measurement: str, span: Span) -> str:
        tags = [name for name, is_tag in self._columns[measurement].items() if is_tag]
        columns = ", ".join(map(_identifier, ["time", *tags, *self._fields(measurement)]))
        first, last = (
            f"{_EPOCH + timedelta(milliseconds=ms):%Y-%m-%d %H:%M:%S.%f}" for ms in (span.start_ms, span.end_ms)
        )
        conditions = [f"time >= TIMESTAMP '{first}'", f"time < TIMESTAMP '{last}'", *self._conditions()]
        return f"SELECT {columns} FROM {_identifier(measurement)} WHERE {' AND '.join(conditions)}"  # noqa: S608 - quoted

    def _conditions(self) -> list[str]:
        return [f"{_identifier(tag)} = {_text(value)}" for tag, value in sorted(self._source.where.items())]

    def _blocks(self, measurement: str, block: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Points, or a record for each value, as the source says."""
        count, columns = block.num_rows, self._columns[measurement]
        time = _utc(block.column("time"))
        named = pa.array([measurement] * count, pa.string())
        tags = {name: block.column(name) for name, is_tag in columns.items() if is_tag}
        fields = {name: block.column(name) for name in self._fields(measurement)}
        if self._source.records == "point":
            yield pa.RecordBatch.from_pydict({"time": time, "measurement": named, **tags, **fields})
            return
        others = {name: tag for name, tag in tags.items() if name not in ("measurement", "field", "value")}
        for name, values in fields.items():
            field = pa.array([name] * count, pa.string())
            record = {"time": time, "measurement": named, "field": field, "value": values, **others}
            yield pa.RecordBatch.from_pydict(record).filter(pc.is_valid(values))

    def _extents(self, measurement: str, name: str, tags: list[str], pace: Pace) -> list[dict[str, Any]]:
        """Rows of the tags, `n`, `first_time` and `last_time`, one for each series."""
        by = ", ".join(map(_identifier, tags))
        conditions = " AND ".join([f"{_identifier(name)} IS NOT NULL", *self._conditions()])
        what = "count(*) AS n, min(time) AS first_time, max(time) AS last_time"
        query = f"SELECT {f'{by}, ' if by else ''}{what} FROM {_identifier(measurement)} WHERE {conditions}"  # noqa: S608 - quoted
        query += f" GROUP BY {by}" if by else ""
        blocks = pace.call(lambda: self._flight.answer(query, pace.timeout_s))
        rows: list[dict[str, Any]] = []
        for block in blocks:
            instants = {name: _utc(block.column(name)).cast(pa.int64()) for name in ("first_time", "last_time")}
            named = {name: block.column(name) for name in (*tags, "n")}
            rows += pa.RecordBatch.from_pydict({**named, **instants}).to_pylist()
        return [row for row in rows if row["n"]]


def _utc(column: pa.Array) -> pa.Array:
    """InfluxDB's times have no zone: they are UTC."""
    return column.cast(pa.timestamp(column.type.unit)).cast(TIME) if column.type.tz is None else column.cast(TIME)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
