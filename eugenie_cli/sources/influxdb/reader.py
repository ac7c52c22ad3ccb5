"""Reads spans of an InfluxDB database over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.site.names import listed
from eugenie_cli.site.schema import Site
from eugenie_cli.site.secrets import reveal
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError
from eugenie_cli.sources.influxdb.browse import browse_series
from eugenie_cli.sources.influxdb.points import Series, by_field, by_point
from eugenie_cli.sources.influxdb.query import hidden_types, identifier, select
from eugenie_cli.sources.influxdb.records import Records
from eugenie_cli.sources.influxdb.settings import InfluxSettings
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.windows.browsing import Browsed
from eugenie_cli.sources.windows.http import HttpSource
from eugenie_cli.sources.windows.importer import importer_of
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.reader import ROWS_AT_ONCE, Span, WindowReader

if TYPE_CHECKING:
    import requests

CHUNK = 10_000
"""Points in a chunk of the answer, which is decoded as a whole."""

_LIMITS = ("max-select-", "max-concurrent-queries", "timeout", "query interrupted", "query killed")
"""In errors of a query that would succeed for a shorter span, or when fewer run."""


class InfluxReader:
    """A `WindowReader`."""

    def __init__(self, source: InfluxSettings, site: Site) -> None:
        self._source = source
        self._records = Records(source, site)
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
        self._hidden: dict[str, list[str]] = {}
        """Type -> fields whose values of that type have to be asked for."""

    def settings(self) -> Mapping[str, Any]:
        return self._records.settings()

    def read(self, span: Span, tally: Tally, pace: Pace) -> Iterator[Batch]:
        if not self._checked:
            self._look(pace)
        chunks = self._asked(select(self._source, span), pace)
        for of_type, names in self._hidden.items():
            chunks += self._asked(select(self._source, span, names, of_type), pace)
        if self._source.records == "field":
            blocks = by_field(chunks, self._tags)
        else:
            blocks = by_point(chunks, self._tags, self._fields)
        for block in blocks:
            yield from self._records.readings(block, tally)

    def browse(self, pattern: str | None, pace: Pace) -> Iterator[Browsed]:
        """The fields of each series. Raises EugenieError."""
        measurements = ", ".join(map(identifier, self._source.measurements))
        chunks = self._asked(f"SHOW FIELD KEYS FROM {measurements}", pace)
        keys = dict.fromkeys((series.measurement, str(row[0])) for series in chunks for row in series.values)
        fields = [key for key in keys if not self._source.fields or key[1] in self._source.fields]
        return browse_series(
            self._source, fields, lambda query: self._asked(query, pace), self._records.router, pattern
        )

    def close(self) -> None:
        self._http.close()

    def _look(self, pace: Pace) -> None:
        """Which tags and fields there are. Raises SourceDownError for measurements or fields that do not exist."""
        measurements = ", ".join(identifier(name) for name in self._source.measurements)
        keys = [self._asked(f"SHOW {what} KEYS FROM {measurements}", pace) for what in ("TAG", "FIELD")]
        tags, fields = ([(series.measurement, row[0]) for series in chunks for row in series.values] for chunks in keys)
        types = [(str(row[0]), str(row[1])) for series in keys[1] for row in series.values]
        for name in self._source.measurements:
            if name not in {measurement for measurement, _ in fields}:
                raise self._unknown("measurement", name, "SHOW MEASUREMENTS", pace)
        for name in self._source.fields:
            if name not in {of for _, of in fields}:
                raise self._unknown("field", name, f"SHOW FIELD KEYS FROM {measurements}", pace)
        self._tags = tuple(sorted({tag for _, tag in tags} - {"time", "measurement", "field", "value"}))
        named = self._source.fields or sorted({name for _, name in fields})
        self._hidden = hidden_types((name, of_type) for name, of_type in types if name in named)
        if self._hidden and self._source.records == "point":
            mixed = sorted({name for names in self._hidden.values() for name in names})
            raise SourceDownError(
                f"{self._http.named} has values of several types of {listed(mixed)}, of which it returns"
                " only one with the other fields of a point",
                "set `records: field`, or `fields` to others",
            )
        self._fields = tuple(name for name in named if name not in {"time", "measurement", *self._tags})
        self._checked = True

    def _unknown(self, what: str, name: str, query: str, pace: Pace) -> SourceDownError:
        known = sorted({str(row[0]) for series in self._asked(query, pace) for row in series.values})
        shown = ", ".join(map(printable, known[:20])) or "none"
        return SourceDownError(
            f"{self._where}: the database {self._source.database} has no {what} {name!r}",
            f"it has: {shown}{', ...' if len(known) > 20 else ''}",
        )

    def _asked(self, query: str, pace: Pace) -> list[Series]:
        return pace.call(lambda: list(self._query(query, pace)))

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
                    f"{self._where}: the answer of {self._http.url} ended early",
                    "look at the log of the server",
                    ExitCode.UNREACHABLE,
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
                    f"{self._http.named} sent something other than JSON: {printable(repr(line[:80]))}",
                    "check `url` of the source: it must be InfluxDB's own",
                    ExitCode.UNREACHABLE,
                ) from None
            yield answer

    def _failure(self, said: str) -> EugenieError:
        reason = f"{self._http.named} says: {printable(said, 300)}"
        if any(word in said for word in _LIMITS):
            return TooMuchError(reason, "the server limits queries: import when it is idle (`daily`)")
        if "database not found" in said or "retention policy not found" in said:
            return SourceDownError(reason, "correct `database` or `policy` of the source")
        if "authorize" in said or "authorization" in said or "unable to parse authentication" in said:
            return SourceDownError(reason, "correct the credentials of the source", ExitCode.REFUSED)
        return SourceDownError(reason, "check the settings of the source")


def _reader(source: InfluxSettings, site: Site) -> WindowReader:
    if source.version == 3:
        from eugenie_cli.sources.influxdb.sql_reader import InfluxSqlReader

        ca = None if source.ca is None else site.resolve(source.ca)
        return InfluxSqlReader(source, Records(source, site), ca)
    return InfluxReader(source, site)


influx_importer = importer_of(_reader)
