"""Reads spans of a PI Data Archive through the PI Web API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.timestamps import TimeRule
from eugenie_cli.site.schema import Site
from eugenie_cli.site.secrets import reveal
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError
from eugenie_cli.sources.interface import Tally, router_of
from eugenie_cli.sources.pi.browse import browse_points
from eugenie_cli.sources.pi.kerberos import kerberos_login, refusal
from eugenie_cli.sources.pi.settings import PiSettings
from eugenie_cli.sources.pi.values import records
from eugenie_cli.sources.records.reader import RecordReader
from eugenie_cli.sources.records.rejections import count_rejections
from eugenie_cli.sources.windows.browsing import Browsed
from eugenie_cli.sources.windows.http import HttpSource
from eugenie_cli.sources.windows.importer import importer_of
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.reader import ROWS_AT_ONCE, Span

SHOWN = 5
"""Missing points that an error lists."""


class PiReader:
    """A `WindowReader`."""

    def __init__(self, source: PiSettings, site: Site) -> None:
        self._source, self._site = source, site
        self._where = f"source {source.name}"
        router = router_of(site)
        self._router = router.ignoring_case() if source.readings.case == "ignore" else router
        self._mapping = source.readings.model_dump(mode="json")
        self._instants = Instants(*TimeRule.of(self._mapping["ts"], site.timezone))
        ca = None if source.ca is None else str(site.resolve(source.ca))
        if source.username is not None and source.password is not None:
            self._http = HttpSource(source.url, self._where, (source.username, reveal(source.password)), ca)
        else:
            self._http = HttpSource(source.url, self._where, kerberos_login(self._where), ca, refusal)
        self._tags = _tags(source, site)
        self._points: dict[str, str] = {}
        """Web id -> tag."""
        self._skipped: list[str] = []
        """Sentences about points that the archive lacks."""

    def settings(self) -> Mapping[str, Any]:
        return {
            "source": self._source.model_dump(mode="json", include={"server", "point", "assets", "readings"}),
            "timezone": self._site.timezone,
            "routes": sorted([str(field) for field in route] for route in self._router.table()),
        }

    def read(self, span: Span, tally: Tally, pace: Pace) -> Iterator[Batch]:
        if not self._points:
            self._look(pace)
        for sentence in self._skipped:
            tally.gap(sentence)
        size, ids = self._source.points_per_call, list(self._points)
        groups = [ids[begin : begin + size] for begin in range(0, len(ids), size)]
        rows = 0
        for found in pace.each(partial(self._recorded, group, span, pace) for group in groups):
            for block in records(found):
                rows += block.num_rows
                block = self._within(block, span)
                reader = RecordReader(self._mapping, self._site.timezone, self._router, block.schema.names)
                batch, refusals = reader.read(block)
                times, tags = block.column("time"), block.column("tag")
                count_rejections(
                    tally,
                    reader,
                    block,
                    refusals,
                    lambda record: f"{tags[record]} at {times[record]}",  # noqa: B023
                )
                yield batch
            if rows > 2 * ROWS_AT_ONCE:
                raise TooMuchError(f"{self._where}: over {rows:,} values", "import less at a time: `window`")

    def browse(self, pattern: str | None, pace: Pace) -> Iterator[Browsed]:
        """All points of the archive. Raises EugenieError."""

        def get(path: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
            return pace.call(lambda: self._get(path, parameters, pace))

        return browse_points(self._source, get, self._router, pattern)

    def close(self) -> None:
        self._http.close()

    def _look(self, pace: Pace) -> None:
        """Find the web ids of the points. Raises SourceDownError if the archive lacks one and `missing` is refuse."""
        absent: dict[str, str] = {}
        size = self._source.points_per_call
        for begin in range(0, len(self._tags), size):
            names = {self._path(tag): tag for tag in self._tags[begin : begin + size]}
            answer = pace.call(
                partial(self._get, "/points/multiple", {"path": list(names), "includeMode": "All"}, pace)
            )
            for item in answer.get("Items", []):
                tag = names.get(str(item.get("Identifier", "")), "")
                web_id = (item.get("Object") or {}).get("WebId")
                if web_id and self._points.get(web_id, tag) != tag:
                    raise SourceDownError(
                        f"{self._where}: the tags {self._points[web_id]} and {tag} are one point of"
                        f" {self._source.server}",
                        "write one of these `tags` of the site differently: PI's names have no case",
                    )
                if web_id:
                    self._points[web_id] = tag
                elif tag:
                    errors = (item.get("Exception") or {}).get("Errors") or ["not found"]
                    absent[tag] = printable(str(errors[0]), 200)
        if absent and (self._source.missing == "refuse" or not self._points):
            shown = "; ".join(f"{printable(tag)}: {why}" for tag, why in list(absent.items())[:SHOWN])
            more = f"; and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
            raise SourceDownError(
                f"{self._where}: {self._source.server} lacks {len(absent)} of {len(self._tags)} points: {shown}{more}",
                "correct their tags, or `point` of the source, or `assets` to those that the archive has; with"
                " `missing: skip` the others are imported",
            )
        self._skipped = [f"{printable(tag)} is not imported: {why}" for tag, why in absent.items()]

    def _path(self, tag: str) -> str:
        return f"\\\\{self._source.server}\\{self._source.point.replace('{tag}', tag)}"

    def _recorded(self, ids: Sequence[str], span: Span, pace: Pace) -> list[tuple[str, Mapping[str, Any]]]:
        """(tag, value) of some points. The archive takes both ends of a span as inside."""
        most = self._source.values_per_call
        parameters = {
            "webId": list(ids),
            "startTime": _iso(span.start_ms),
            "endTime": _iso(span.end_ms),
            "boundaryType": "Inside",
            "maxCount": most,
        }
        answer = self._get("/streamsets/recorded", parameters, pace)
        found: list[tuple[str, Mapping[str, Any]]] = []
        answered = set()
        for stream in answer.get("Items", []):
            tag = self._points.get(stream.get("WebId", ""))
            values = stream.get("Items")
            if tag is None or not isinstance(values, list):
                raise self._odd(stream)
            if len(values) >= most:
                raise TooMuchError(
                    f"{self._where}: {printable(tag)} has {most:,} values or more from {_iso(span.start_ms)} on",
                    "raise `values_per_call` to what the server allows",
                )
            if stream.get("Errors"):
                raise self._odd(stream)
            answered.add(stream["WebId"])
            found += [(tag, value) for value in values]
        if len(answered) < len(ids):
            raise self._odd(answer)
        return found

    def _within(self, block: pa.RecordBatch, span: Span) -> pa.RecordBatch:
        """The records of a span: those at its end are of the next one, which has them, too."""
        ts, read = self._instants.of_column(block.column("time"))
        outside = read & ((ts < span.start_ms) | (ts >= span.end_ms))
        return block.filter(pa.array(~outside)) if outside.any() else block

    def _odd(self, answer: object) -> EugenieError:
        return EugenieError(
            f"{self._where}: an answer that is not as expected: {printable(orjson.dumps(answer).decode(), 300)}",
            "look at the log of the PI Web API",
        )

    def _get(self, path: str, parameters: Mapping[str, Any], pace: Pace) -> dict[str, Any]:
        with self._http.get(path, parameters, pace.timeout_s) as response:
            if not response.ok:
                error = self._http.refused(response)
                if "maximum" in error.reason.lower() and "maxCount" in error.reason:
                    raise SourceDownError(error.reason, "lower `values_per_call` of the source")
                raise error
            try:
                answer = orjson.loads(response.content)
            except ValueError:
                raise TransientError(
                    f"{self._http.named} sent something other than JSON",
                    "check `url` of the source: it ends in /piwebapi",
                    ExitCode.UNREACHABLE,
                ) from None
        if not isinstance(answer, dict):
            raise self._odd(answer)
        return answer


pi_importer = importer_of(PiReader)


def _tags(source: PiSettings, site: Site) -> tuple[str, ...]:
    """The tags of the source's assets, each once."""
    tags: dict[str, None] = {}
    for asset in site.assets_named(source.assets):
        for sensor in site.class_named(site.assets[asset].class_name).sensor_names:
            tags[site.assets[asset].tags.get(sensor, sensor)] = None
    return tuple(tags)


def _iso(instant_ms: int) -> str:
    return f"{np.datetime64(instant_ms, 'ms')}Z"
