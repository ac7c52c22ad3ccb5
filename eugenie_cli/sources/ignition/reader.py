"""Reads spans of Ignition's tag history: monthly tables, in which a value is in the column of its type."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from eugenie_cli.history.batch import Batch
from eugenie_cli.readings.columns.arrow_columns import as_texts, normalized
from eugenie_cli.site.readings_mapping import ReadingsMapping
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.failures import TooMuchError
from eugenie_cli.sources.ignition.browse import browse_tags
from eugenie_cli.sources.ignition.catalogue import Catalogue, Chosen, Partition, choose, read_catalogue
from eugenie_cli.sources.ignition.executions import interruptions
from eugenie_cli.sources.ignition.settings import IgnitionSettings
from eugenie_cli.sources.interface import Tally, router_of
from eugenie_cli.sources.sql.faults import MissingTableError
from eugenie_cli.sources.sql.open import open_database
from eugenie_cli.sources.sql.rows import RowReader
from eugenie_cli.sources.sql.statements import Statement, table_of
from eugenie_cli.sources.sql.times import TimeColumn
from eugenie_cli.sources.windows.browsing import Browsed
from eugenie_cli.sources.windows.importer import importer_of
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.plan import shown_span, span_key
from eugenie_cli.sources.windows.polling import polled
from eugenie_cli.sources.windows.reader import ROWS_AT_ONCE, Span
from eugenie_cli.sources.windows.seen_rows import SeenRows

COLUMNS = ("tagid", "intvalue", "floatvalue", "stringvalue", "datevalue", "dataintegrity", "t_stamp")
RECORD = ("tag", "t_stamp", "value", "dataintegrity")
MAPPING = ReadingsMapping.model_validate(
    {
        "ts": {"path": "t_stamp", "unit": "ms"},
        "tag": {"path": "tag"},
        "value": {"path": "value"},
        "quality": {"path": "dataintegrity", "scheme": "ignition"},
    }
)
KNOWN_S = 60.0
"""How long the catalogue is valid for the live side: a month begins with a new table."""
TAGS_NAMED = 500
"""The largest number of tags that a query names; of more, all tags are read and the others dropped."""


@dataclass(frozen=True)
class Known:
    """What the catalogue says, read once for each import."""

    catalogue: Catalogue
    chosen: Chosen


class IgnitionReader:
    """The tag history in one database."""

    def __init__(self, source: IgnitionSettings, site: Site) -> None:
        self._source, self._router = source, router_of(site)
        self._database = open_database(source, site)
        self._prefix = f"{source.schema_name}." if source.schema_name else ""
        self._time = TimeColumn("number", "ms", ZoneInfo("UTC"))
        mapping: dict[str, Any] = MAPPING.model_dump(mode="json")
        self._rows = RowReader(self._database.where, mapping, "UTC", self._router, RECORD)
        self._known: Known | None = None
        self._known_s = 0.0
        self.seen: SeenRows | None = None

    def settings(self) -> Mapping[str, Any]:
        """The driver and the routes; not the server, so that a database may move."""
        return {
            "source": self._source.deciding(),
            "routes": sorted([str(field) for field in route] for route in self._router.table()),
        }

    def read(self, span: Span, tally: Tally, pace: Pace) -> Iterator[Batch]:
        """The span's readings. Raises TooMuchError, SourceDownError or EugenieError."""
        known = self.known(pace)
        for sentence in known.chosen.lacking:
            tally.gap(sentence)
        for sentence in interruptions(known.catalogue.executions, known.chosen.classes, span):
            tally.gap(sentence)
        left = ROWS_AT_ONCE
        for partition in known.catalogue.partitions_of(span, known.chosen.drivers):
            try:
                batches = pace.call(partial(self._fetch, partition, known.chosen, span, left))
            except MissingTableError:
                tally.gap(_missing(partition))
                continue
            left -= sum(batch.num_rows for batch in batches)
            if left < 0:
                raise TooMuchError(
                    f"{self._database.where}: there are more than {ROWS_AT_ONCE:,} readings in {shown_span(span)}",
                    "read fewer tags with this source, and others with another",
                )
            if self.seen is not None:
                batches = [self.seen.new(batch) for batch in batches]
            for batch in batches:
                yield from self._rows.read(_records(batch, known.chosen.names), self._time, span, tally)

    def known(self, pace: Pace) -> Known:
        """The catalogue and the tags that the site has; while it is polled, tables and tags are added. Raises
        SourceDownError.
        """
        if self._known is None or (self.seen is not None and time.monotonic() - self._known_s > KNOWN_S):
            self._known_s = time.monotonic()
            catalogue = self.catalogue(pace)
            self._known = Known(catalogue, choose(catalogue, self._router, self._database.where))
        return self._known

    def catalogue(self, pace: Pace) -> Catalogue:
        return pace.call(lambda: read_catalogue(self._database, self._source.driver, self._prefix))

    def browse(self, pattern: str | None, pace: Pace) -> Iterator[Browsed]:
        """All tag paths, those that the site lacks among them. Raises EugenieError."""
        catalogue = self.catalogue(pace)
        return browse_tags(self._database, catalogue, self._prefix, self._router, pattern, pace)

    def close(self) -> None:
        self._database.close()

    def _fetch(self, partition: Partition, chosen: Chosen, span: Span, most: int) -> list[pa.RecordBatch]:
        first, last = self._time.bound(span)
        table = table_of(f"{self._prefix}{partition.table}", COLUMNS)
        inside = [table.c.t_stamp >= sa.bindparam("start"), table.c.t_stamp < sa.bindparam("end")]
        if len(chosen.names) <= TAGS_NAMED:
            inside.append(table.c.tagid.in_([sa.literal_column(str(number)) for number in sorted(chosen.names)]))
        statement = Statement(sa.select(*table.c).where(*inside), {"start": first, "end": last})
        return self._database.fetch(statement, most)


def _records(batch: pa.RecordBatch, names: Mapping[int, str]) -> Iterator[pa.RecordBatch]:
    """Rows as records of RECORD: those with numbers, then those with texts and dates, which are no numbers."""
    columns = {name: normalized(batch.column(index)) for index, name in enumerate(COLUMNS)}
    numbers = sorted(names)
    at = pc.index_in(columns["tagid"].cast(pa.int64()), pa.array(numbers, pa.int64()))
    spelt = pa.array([names[number] for number in numbers], pa.string())
    columns["tag"] = spelt.take(at)
    whole, real = (columns[name].cast(pa.float64(), safe=False) for name in ("intvalue", "floatvalue"))
    text = pc.coalesce(as_texts(columns["stringvalue"]), as_texts(columns["datevalue"]))
    chosen = pc.is_valid(at)
    is_text = pc.and_(pc.is_valid(text), pc.and_(pc.is_null(real), pc.is_null(whole)))
    for value, kept in (
        (pc.coalesce(real, whole), pc.and_(chosen, pc.invert(is_text))),
        (text, pc.and_(chosen, is_text)),
    ):
        columns["value"] = value
        yield pa.RecordBatch.from_arrays([columns[name] for name in RECORD], list(RECORD)).filter(kept)


def _missing(partition: Partition) -> str:
    first, last = (
        "" if bound is None else span_key(bound, 1_000).partition("/")[0]
        for bound in (partition.start_ms, partition.end_ms)
    )
    return f"the table {partition.table} of {first} to {last} is in sqlth_partitions, but does not exist"


ignition_importer = importer_of(IgnitionReader)
ignition_live = polled(IgnitionReader)
