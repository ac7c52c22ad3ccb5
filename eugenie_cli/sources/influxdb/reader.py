"""Reads spans of an InfluxDB database over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.site.schema import Site
from eugenie_cli.site.secrets import reveal
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError
from eugenie_cli.sources.influxdb.points import Series, by_field, by_point
from eugenie_cli.sources.influxdb.query import identifier, select
from eugenie_cli.sources.influxdb.settings import InfluxSettings
from eugenie_cli.sources.interface import Tally, router_of
from eugenie_cli.sources.records.reader import RecordReader
from eugenie_cli.sources.records.rejections import count_rejections
from eugenie_cli.sources.windows.http import HttpSource
from eugenie_cli.sources.windows.importer import importer_of
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.reader import ROWS_AT_ONCE, Span

if TYPE_CHECKING:
    import requests

CHUNK = 10_000
"""Points in a chunk of the answer, which is decoded as a whole."""

_LIMITS = ("max-select-", "max-concurrent-queries", "timeout", "query interrupted", "query killed")
"""In errors of a query that would succeed for a shorter span, or when fewer run."""


class InfluxReader:
    """A `WindowReader`."""

    def __init__(self, source: InfluxSettings, site: Site) -> None:
        self._source, self._site = source, site
        self._router = router_of(site)
        self._mapping = source.readings.model_dump(mode="json")
        auth = None
        if source.username is not None:
            auth = (source.username, "" if source.password is None else reveal(source.password))
        ca = None if source.ca is None else str(site.resolve(source.ca))
        self._where = f"source {source.name}"
        self._http = HttpSource(source.url, self._where, auth, ca)
        if source.token is not None:
            self._http.session.headers["Authorization"] = f"Token {reveal(source.token)}"
        self._checked = False
        self._tags: tuple[str, ...] = ()
        self._fields: tuple[str, ...] = ()

    def settings(self) -> Mapping[str, Any]:
        what = ("database", "policy", "measurements", "fields", "where", "records", "readings")
        return {
            "source": self._source.model_dump(mode="json", include=set(what)),
            "timezone": self._site.timezone,
            "routes": sorted([str(field) for field in route] for route in self._router.table()),
        }

    def read(self, span: Span, tally: Tally, pace: Pace) -> Iterator[Batch]:
        if not self._checked:
            self._look(pace)
        chunks = pace.call(lambda: list(self._query(select(self._source, span), pace)))
        if self._source.records == "field":
            blocks = by_field(chunks, self._tags)
        else:
            blocks = by_point(chunks, self._tags, self._fields)
        for block in blocks:
            yield from self._readings(block, tally)

    def close(self) -> None:
        self._http.close()

    def _readings(self, block: pa.RecordBatch, tally: Tally) -> Iterator[Batch]:
        reader = RecordReader(self._mapping, self._site.timezone, self._router, block.schema.names)
        batch, refusals = reader.read(block)

        def place(record: int) -> str:
            at = block.column(0)[record].as_py()
            shown = [str(block.column(name)[record]) for name in ("measurement", "field") if name in block.schema.names]
            return f"{self._source.name}: {' '.join(shown)} at {at.isoformat()}"

        count_rejections(tally, reader, block, refusals, place)
        tally.unknown_columns.extend(name for name in reader.unknown_columns() if name not in tally.unknown_columns)
        yield batch

    def _look(self, pace: Pace) -> None:
        """Which tags and fields there are. Raises SourceDownError for measurements or fields that do not exist."""
        measurements = ", ".join(identifier(name) for name in self._source.measurements)
        keys = [list(self._query(f"SHOW {what} KEYS FROM {measurements}", pace)) for what in ("TAG", "FIELD")]
        tags, fields = ([(series.measurement, row[0]) for series in chunks for row in series.values] for chunks in keys)
        for name in self._source.measurements:
            if name not in {measurement for measurement, _ in fields}:
                raise self._unknown("measurement", name, "SHOW MEASUREMENTS", pace)
        for name in self._source.fields:
            if name not in {of for _, of in fields}:
                raise self._unknown("field", name, f"SHOW FIELD KEYS FROM {measurements}", pace)
        self._tags = tuple(sorted({tag for _, tag in tags} - {"time", "measurement", "field", "value"}))
        named = self._source.fields or sorted({name for _, name in fields})
        self._fields = tuple(name for name in named if name not in {"time", "measurement", *self._tags})
        self._checked = True

    def _unknown(self, what: str, name: str, query: str, pace: Pace) -> SourceDownError:
        known = sorted({str(row[0]) for series in self._query(query, pace) for row in series.values})
        shown = ", ".join(map(printable, known[:20])) or "none"
        return SourceDownError(
            f"{self._where}: the database {self._source.database} has no {what} {name!r}",
            f"it has: {shown}{', ...' if len(known) > 20 else ''}",
        )

    def _query(self, query: str, pace: Pace) -> Iterator[Series]:
        """The series of a query's answer, in chunks. Raises TransientError if it ends early."""
        parameters = {
            "db": self._source.database,
            "q": query,
            "epoch": "ns",
            "chunked": "true",
            "chunk_size": CHUNK,
        }
        rows, complete = 0, False
        with self._http.get("/query", parameters, pace.timeout_s) as response:
            for answer in self._answers(response):
                (result,) = answer.get("results") or [{}]
                complete = not result.get("partial", False)
                if "error" in answer or "error" in result:
                    raise self._failure(str(answer.get("error") or result["error"]))
                for series in result.get("series", ()):
                    rows += len(series.get("values", ()))
                    complete = complete and not series.get("partial", False)
                    tags, values = series.get("tags") or {}, series.get("values") or []
                    yield Series(series["name"], tags, tuple(series["columns"]), values)
                if rows > 2 * ROWS_AT_ONCE:
                    raise TooMuchError(f"{self._where}: over {rows:,} points", "import less at a time: `window`")
            if not complete:
                raise TransientError(
                    f"{self._where}: the answer ended early", "look at the log of the server", ExitCode.UNREACHABLE
                )

    def _answers(self, response: requests.Response) -> Iterator[dict[str, Any]]:
        """The JSON documents of an answer, one in a line."""
        for line in response.iter_lines(chunk_size=1 << 16):
            if not line.strip():
                continue
            try:
                answer = orjson.loads(line)
            except ValueError:
                if not response.ok:
                    raise self._http.refused(response) from None
                raise TransientError(
                    f"{self._where}: {self._http.url} sent something other than JSON: {printable(repr(line[:80]))}",
                    "check `url` of the source: it must be InfluxDB's own",
                    ExitCode.UNREACHABLE,
                ) from None
            yield answer

    def _failure(self, said: str) -> EugenieError:
        reason = f"{self._where}: InfluxDB says: {printable(said, 300)}"
        if any(word in said for word in _LIMITS):
            return TooMuchError(reason, "the server limits queries: import when it is idle (`daily`)")
        if "database not found" in said or "retention policy not found" in said:
            return SourceDownError(reason, "correct `database` or `policy` of the source")
        if "authorize" in said or "authorization" in said or "unable to parse authentication" in said:
            return SourceDownError(reason, "correct the credentials of the source", ExitCode.REFUSED)
        return SourceDownError(reason, "check the settings of the source")


influx_importer = importer_of(InfluxReader)
