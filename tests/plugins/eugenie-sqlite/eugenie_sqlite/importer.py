"""Reads the table of a `sqlite` source. This module is imported only when the source is read."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.progress import Advance
from eugenie_cli.readings.mapping import compile_mapping
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.interface import SourceItem, Tally, router_of
from eugenie_sqlite.settings import SqliteSettings


class SqliteImporter:
    """One item: the table. It is read again when the file has changed."""

    def __init__(self, source: SqliteSettings, site: Site) -> None:
        self._source, self._site = source, site
        self._path = site.resolve(source.path)
        self._router = router_of(site)

    def items(self) -> Sequence[SourceItem]:
        if not self._path.is_file():
            raise EugenieError(
                f"source {self._source.name}: there is no file {self._path}",
                hint=f"correct `path` of the source in {self._site.file}",
            )
        status = self._path.stat()
        state = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
        return [SourceItem(f"{self._source.path}:{self._source.table}", status.st_size, state)]

    def missing(self, key: str) -> str:
        return "the source reads another table now"

    def settings(self) -> Mapping[str, Any]:
        return {
            "source": self._source.model_dump(mode="json", exclude={"name", "path", "batch"}),
            "timezone": self._site.timezone,
            "routes": sorted([str(field) for field in route] for route in self._router.table()),
        }

    def digest(self, item: SourceItem) -> str:
        return hashlib.sha256(self._path.read_bytes()).hexdigest()

    def read(self, item: SourceItem, tally: Tally, advance: Advance) -> Iterator[Batch]:
        to_readings = compile_mapping(self._source.readings.model_dump(mode="json"), self._site.timezone)
        table = self._source.table.replace('"', '""')
        try:
            with sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True) as database:
                database.row_factory = sqlite3.Row
                rows = database.execute(f'SELECT * FROM "{table}"')
                while records := rows.fetchmany(self._source.batch):
                    yield Batch.of(self._routed([dict(record) for record in records], to_readings, tally))
        except sqlite3.Error as error:
            raise EugenieError(f"{self._path}: {error}", hint="check `path` and `table` of the source") from error
        advance(item.size)

    def _routed(self, records: list[dict[str, Any]], to_readings: Any, tally: Tally) -> Iterator[tuple]:
        for record in records:
            tally.records += 1
            for outcome in to_readings(record):
                if isinstance(outcome, Rejected):
                    self._reject(tally, outcome.reason, outcome.detail)
                elif (route := self._router.route(outcome.asset, outcome.sensor, outcome.tag)) is None:
                    self._reject(tally, "unknown-tag", f"{outcome.asset}, {outcome.sensor or outcome.tag}")
                else:
                    asset, index = route
                    yield asset, self._router.sensors_of(asset)[index], outcome.ts, outcome.value

    def _reject(self, tally: Tally, reason: str, detail: str) -> None:
        if tally.reject(reason, 1) > 0:
            tally.example(reason, f"{self._path.name}:{tally.records}", detail)
