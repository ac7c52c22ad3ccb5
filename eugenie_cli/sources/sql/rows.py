"""Batches of rows -> readings: those of the span, by the mapping of the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.routing import Router
from eugenie_cli.readings.timestamps import TimeRule
from eugenie_cli.sources.failures import SourceDownError
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.records.reader import RecordReader
from eugenie_cli.sources.records.rejections import count_rejections
from eugenie_cli.sources.sql.times import TimeColumn
from eugenie_cli.sources.windows.reader import Span


class RowReader:
    """Reads the rows of one table or query. `what`: names it, for messages; `ts`: its column of instants."""

    def __init__(
        self, what: str, mapping: Mapping[str, Any], zone: str, router: Router, columns: Iterable[str]
    ) -> None:
        self._what = what
        part = mapping["ts"]
        self._ts = part["path"]
        self.instants = Instants(*TimeRule.of(part, zone))
        self._records = RecordReader(mapping, zone, router, columns)

    def read(self, batches: Iterable[pa.RecordBatch], time: TimeColumn, span: Span, tally: Tally) -> Iterator[Batch]:
        """The readings of the rows whose instant is in the span. Raises EugenieError for rows far outside it."""
        for batch in batches:
            if batch.num_rows == 0:
                continue
            column = batch.column(batch.schema.get_field_index(self._ts))
            if (strays := np.flatnonzero(time.strays(column, span))).size:
                raise self._astray(column[int(strays[0])], len(strays), time, span)
            inside = time.within(column, span, self.instants)
            if not inside.all():
                batch = batch.filter(pa.array(inside))
            try:
                readings, refusals = self._records.read(batch)
            except EugenieError as error:  # a type that no row of the column can be read of
                raise SourceDownError(f"{self._what}: {error.reason}", error.hint, error.exit_code) from error
            count_rejections(tally, self._records, batch, refusals, partial(self._place, batch))
            yield readings

    def _place(self, batch: pa.RecordBatch, record: int) -> str:
        return f"{self._what}, row of {printable(str(batch.column(self._ts)[record].as_py()), 40)}"

    def _astray(self, at: pa.Scalar, count: int, time: TimeColumn, span: Span) -> EugenieError:
        first, last = time.bound(span)
        return EugenieError(
            f"{self._what} gave {count:,} rows outside :start and :end, one at {at.as_py()}; it was asked for"
            f" {first} to {last}",
            hint="compare the column of `ts` itself with :start and :end, as in WHERE ts >= :start AND ts < :end; if it"
            " is compared in another zone or unit, set `bounds` of the source",
        )
