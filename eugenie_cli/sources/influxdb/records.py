"""Records of InfluxDB in Arrow columns -> readings, whatever protocol they came by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from eugenie_cli.history.batch import Batch
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.influxdb.settings import InfluxSettings
from eugenie_cli.sources.interface import Tally, router_of
from eugenie_cli.sources.records.reader import RecordReader
from eugenie_cli.sources.records.rejections import count_rejections

DECIDING = ("database", "policy", "measurements", "fields", "where", "records", "readings")


class Records:
    """Reads records by the source's mapping."""

    def __init__(self, source: InfluxSettings, site: Site) -> None:
        self._source, self._zone = source, site.timezone
        self.router = router_of(site)
        self._mapping = source.readings.model_dump(mode="json")

    def settings(self) -> Mapping[str, Any]:
        """What decides how a record is read; not the server, so that a database may move."""
        return {
            "source": self._source.model_dump(mode="json", include=set(DECIDING)),
            "timezone": self._zone,
            "routes": sorted([str(field) for field in route] for route in self.router.table()),
        }

    def readings(self, block: pa.RecordBatch, tally: Tally) -> Iterator[Batch]:
        """The readings of a block whose first column is `time`."""
        reader = RecordReader(self._mapping, self._zone, self.router, block.schema.names)
        batch, refusals = reader.read(block)

        def place(record: int) -> str:
            at = block.column(0)[record].as_py()
            shown = [str(block.column(name)[record]) for name in ("measurement", "field") if name in block.schema.names]
            return f"{self._source.name}: {' '.join(shown)} at {at.isoformat()}"

        count_rejections(tally, reader, block, refusals, place)
        tally.unknown_columns.extend(name for name in reader.unknown_columns() if name not in tally.unknown_columns)
        yield batch
