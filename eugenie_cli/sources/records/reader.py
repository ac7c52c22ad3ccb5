"""Blocks of records, as Arrow columns -> readings, exactly as `readings.mapping` reads each record.

Columns are text or typed: numbers, booleans, timestamps, dates, dictionaries of text (`columns.arrow_columns`).
Only rejected rows are turned into records: the examples in a report are the messages of `compile_mapping`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.columns.arrow_columns import UnreadableColumn, as_texts, is_blank, is_empty, normalized
from eugenie_cli.readings.mapping import PARTS, ToReadings, compile_mapping
from eugenie_cli.readings.members import paths_of
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.readings.routing import Router
from eugenie_cli.readings.tag_columns import Measurement, TagColumns
from eugenie_cli.sources.records.cells import CellRules
from eugenie_cli.sources.records.conversions import conversions
from eugenie_cli.sources.records.long_numbers import LongNumbers
from eugenie_cli.sources.records.refusals import Refusals, first_reason, kept
from eugenie_cli.sources.records.routes import NOWHERE, UNNAMED, Routes, has_no_member, names_of
from eugenie_cli.sources.records.row_order import unclear
from eugenie_cli.sources.records.times import InstantsOfRecords, SoFar, Times, field_texts, is_typed
from eugenie_cli.sources.records.wide_numbers import WideNumbers

Columns = Mapping[str, pa.Array]
"""The normalized columns of a block, by name."""


class RecordReader:
    """Reads the blocks of one item.

    `mapping`: `ReadingsMapping.model_dump(mode="json")`, file patterns bound; `timezone`: the site's; `columns`: the
    names of each block's columns, in order. The types of columns may differ from block to block. Raises EugenieError
    for a column whose type cannot be read.
    """

    def __init__(self, mapping: Mapping[str, Any], timezone: str, router: Router, columns: Iterable[str]) -> None:
        self.columns = tuple(columns)
        self._mapping, self.timezone, ts = mapping, timezone, mapping["ts"]
        self._router = router.ignoring_case() if mapping.get("case") == "ignore" else router
        self.has_tag = self._router.knows
        self._times = InstantsOfRecords(ts, timezone)
        self._rules, self._wide = CellRules(mapping), mapping["shape"] == "wide"
        self._routes = Routes(self._router)
        self._conversions = conversions(mapping["value"], self._router, lambda: self._routes.series)
        self._tag_columns = TagColumns(mapping)
        self._shared = self._tag_columns.shared
        self._measured = tuple(c for c in self.columns if c not in self._shared and c not in mapping["ignore"])
        self._measurements = self._known_measurements() if self._wide else ()
        self.numbers: WideNumbers | LongNumbers = (
            WideNumbers(mapping, self._measurements, self._routes, self._times, self._rules)
            if self._wide
            else LongNumbers(mapping, self.columns, self._routes, self._times, self._rules)
        )
        read = {path for name in PARTS for path in paths_of(mapping.get(name))} if not self._wide else self._shared
        self.read_columns = read | {column for measurement in self._measurements for column in measurement.columns}
        self.lost = 0  # records of the last block that gave no readings

    @cached_property
    def _record(self) -> ToReadings:
        """Reads single records: those that are refused, and those that may be a header."""
        return compile_mapping(self._mapping, self.timezone)

    @cached_property
    def _typed_record(self) -> ToReadings:
        """As `_record`: a typed instant is shown in ISO 8601 where it is rejected, whatever the format of texts."""
        typed = {"ts": {**self._mapping["ts"], "unit": "iso", "format": None, "formats": ()}}
        return compile_mapping({**self._mapping, **typed}, self.timezone)

    def unknown_columns(self) -> tuple[str, ...]:
        """Wide: unread columns, which match no sensor or tag of any asset that the file may be about."""
        return tuple(column for column in self._measured if column not in self.read_columns) if self._wide else ()

    @property
    def is_nameless(self) -> bool:
        """Whether a wide table has no column of a tag."""
        return self._wide and not self._measurements

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The columns with values."""
        if self._wide:
            return tuple(measurement.value for measurement in self._measurements)
        return tuple(path for path in paths_of(self._mapping["value"]) if path in self.columns)

    def so_far(self) -> SoFar:
        """What `go_back` needs to read a block once more."""
        return self._times.so_far()

    def go_back(self, so_far: SoFar) -> None:
        """Forget the blocks that were read since `so_far`."""
        self._times.go_back(so_far)

    def odd_instants(self) -> dict[str, str]:
        """The column of the instants, if what it had so far is odd: "dates" alone, or day and month "exchanged"."""
        odd = "dates" if self._times.only_dates else "exchanged" if self._times.may_be_exchanged else None
        return {} if odd is None else dict.fromkeys(self._times.paths, odd)

    def unread(self) -> tuple[str, ...]:
        """Columns that the mapping does not name and that give no readings."""
        named = {path for name in PARTS for path in paths_of(self._mapping.get(name))}
        return tuple(c for c in self._measured if c not in named and c not in self.read_columns)

    def is_row(self, fields: Sequence[str]) -> bool:
        """Whether these fields are a record: one per column, with a readable timestamp."""
        if len(fields) != len(self.columns):
            return False
        untimed = (reject_reasons.BAD_TIMESTAMP, reject_reasons.MISSING_FIELD)
        outcomes = self._record(dict(zip(self.columns, fields, strict=True)))
        return any(not isinstance(outcome, Rejected) or outcome.reason not in untimed for outcome in outcomes)

    def _known_measurements(self) -> tuple[Measurement, ...]:
        part = self._mapping.get("asset")
        assets: Iterable[str | None] = self._router.assets if part else (None,)
        if part and part.get("const"):
            assets = (part["const"].strip(),)
        return tuple(
            measurement
            for measurement in self._tag_columns.of(self.columns)
            if measurement.name is None or any(self._router.route(asset, None, measurement.name) for asset in assets)
        )

    def read(self, block: pa.RecordBatch) -> tuple[Batch, list[Refusals]]:
        """The block's readings, and its rejected records."""
        columns = self._normalized(block)
        return self._read_wide(columns, block.num_rows) if self._wide else self._read_long(columns, block.num_rows)

    def read_numbers(self, block: pa.RecordBatch) -> Batch | None:
        """What `read` makes of a block, if its columns are numbers; None if anything is refused or unusual."""
        readings = self.numbers.read(self._normalized(block), block.num_rows)
        if readings is None:
            return None
        self.lost = 0
        return self._batch(*readings)

    def explain(self, block: pa.RecordBatch, record: int, column: str | None) -> str:
        """What is wrong with a record (wide: in one column), as the mapping reports it."""
        row = self._normalized(block.slice(record, 1))
        fields = {name: _member(cell) for name, cell in row.items()}
        own = next((m for m in self._measurements if m.value == column and m.ts is not None), None)
        paths = self._times.paths if own is None or own.ts is None else (own.ts,)
        times = [row[path] for path in paths if path in row]
        if len(times) > 1:
            fields.update({path: field_texts(row[path])[0].as_py() for path in paths if path in row})
        if column is not None:
            shown = next((m.columns for m in self._measurements if m.value == column), (column,))
            fields = {name: text for name, text in fields.items() if name in self._shared or name in shown}
        typed = is_typed(times) and not self._mapping["ts"].get("start")
        for outcome in (self._typed_record if typed else self._record)(fields):
            if isinstance(outcome, Rejected):
                return unclear(outcome.detail, self._mapping["ts"])
            named = {"asset": outcome.asset, "sensor": outcome.sensor, "tag": outcome.tag}
            if self._router.route(**named) is None:
                return "the site has no " + ", ".join(f"{what} {name!r}" for what, name in named.items() if name)
        return self._times.doubt

    def _read_long(self, columns: Columns, count: int) -> tuple[Batch, list[Refusals]]:
        names = [names_of(columns, self._mapping.get(part), count) for part in ("asset", "sensor", "tag")]
        series = self._routes.numbers(*names)
        ts, absent, timed = self._times.read(columns, series)
        good, graded = self._rules.grades(columns, count)
        value, valued, given = self._rules.values(columns, good)
        refusals = first_reason(
            (reject_reasons.MISSING_FIELD, (series == UNNAMED) | absent),
            (reject_reasons.BAD_TIMESTAMP, ~timed),
            (reject_reasons.BAD_VALUE, ~graded),
            (reject_reasons.BAD_VALUE if given else reject_reasons.MISSING_FIELD, good & ~valued),
            (reject_reasons.UNKNOWN_TAG, series == NOWHERE),
        )
        self.lost = 0
        if refusals:
            keep = kept(count, refusals)
            self.lost = int(count - np.count_nonzero(keep))
            series, ts, value = series[keep], ts[keep], value[keep]
        return self._batch(series, ts, value), refusals

    def _read_wide(self, columns: Columns, count: int) -> tuple[Batch, list[Refusals]]:
        part = self._mapping.get("asset")
        assets, asset = names_of(columns, part, count)
        nameless = np.array([name is None for name in assets], bool)[asset] & (part is not None)
        nothing = np.zeros(count, bool)
        shared = Times(np.zeros(count, np.int64), nothing, ~nothing)
        if not self._tag_columns.has_own_instants:
            shared = self._times.read(columns, self._routes.of_assets(assets)[asset])
        good, graded = self._rules.grades(columns, count)
        refusals = first_reason(
            (reject_reasons.MISSING_FIELD, nameless | shared.absent),
            (reject_reasons.BAD_TIMESTAMP, ~shared.read),
            (reject_reasons.BAD_VALUE, ~graded),
        )
        usable = kept(count, refusals)
        refused, accepted = ~usable, nothing.copy()
        indices, instants, values = [], [], []
        for measurement in self._measurements:
            if measurement.tag is None:
                numbers = [self._routes.number(name, None, measurement.name) for name in assets]
                series = np.array(numbers, np.int32)[asset]
            else:
                tags = names_of(columns, {"path": measurement.tag}, count)
                series = self._routes.numbers((assets, asset), ([None], np.zeros(count, np.int64)), tags)
            cells = self._cells(measurement, columns, series, shared, good)
            for refusal in first_reason(*[(reason, usable & mask) for reason, mask in cells.checks]):
                refusals.append(Refusals(refusal.reason, refusal.records, measurement.value))
                refused[refusal.records] = True
                cells.keep[refusal.records] = False
            keep = usable & cells.keep
            whole = keep.all()
            accepted |= keep
            indices.append(series if whole else series[keep])
            instants.append(cells.ts if whole else cells.ts[keep])
            values.append(cells.value if whole else cells.value[keep])
        self.lost = int(np.count_nonzero(refused & ~accepted))
        if not indices:
            return self._batch(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0)), refusals
        return self._batch(np.concatenate(indices), np.concatenate(instants), np.concatenate(values)), refusals

    def _batch(self, index: NDArray[np.int32], ts: NDArray[np.int64], value: NDArray[np.float64]) -> Batch:
        return Batch(self._routes.series, index, ts, self._conversions.applied(index, value))

    def _cells(
        self,
        measurement: Measurement,
        columns: Columns,
        series: NDArray[np.int32],
        times: Times,
        good: NDArray[np.bool_],
    ) -> _Cells:
        """One measurement of every record, whose `times` and quality (`good`) apply unless it has its own."""
        nothing = np.zeros(len(series), bool)
        graded, ungraded = ~nothing, nothing
        if measurement.ts is not None:
            times = self._times.read(columns, series, (measurement.ts,))
        if measurement.quality is not None:
            if measurement.quality in columns:
                own, graded = self._rules.qualities.of_column(columns[measurement.quality])
                good = good & own
            else:
                ungraded = ~nothing
        column = columns[measurement.value]
        value, valued = self._rules.measured.of_column(column)
        value[~good] = np.nan
        # an empty cell is no reading if the asset has no such sensor (a table of several classes has a column for
        # each), or if nothing else is said of it
        silent = series == (NOWHERE if measurement.tag is None else UNNAMED)
        if measurement.ts is not None and measurement.ts in columns:
            silent |= is_blank(columns[measurement.ts]).to_numpy(zero_copy_only=False)
        elif measurement.ts is not None:
            silent |= True
        if silent.any():
            is_plain = measurement.ts is None and measurement.tag is None
            silent &= (is_empty if is_plain else is_blank)(column).to_numpy(zero_copy_only=False)
        checks = (
            (reject_reasons.MISSING_FIELD, ((series == UNNAMED) | times.absent | ungraded) & ~silent),
            (reject_reasons.BAD_TIMESTAMP, ~times.read & ~silent),
            (reject_reasons.BAD_VALUE, ~graded & ~silent),
            (reject_reasons.BAD_VALUE, good & ~valued & ~silent),
            (reject_reasons.UNKNOWN_TAG, (series == NOWHERE) & ~silent),
        )
        return _Cells(times.ts, value, ~silent, checks)

    def _normalized(self, block: pa.RecordBatch) -> dict[str, pa.Array]:
        """The columns in the types that the rules read. Unread columns may be of any type."""
        columns = {}
        for name, column in zip(self.columns, block.columns, strict=True):
            try:
                columns[name] = normalized(column)
            except UnreadableColumn as error:
                if name in self.read_columns:
                    raise EugenieError(
                        f"the column {name!r} cannot be read: {error}",
                        hint="name another column in `readings`, or list it under `ignore`",
                    ) from None
                columns[name] = pa.nulls(len(column))
        return columns


@dataclass(frozen=True)
class _Cells:
    """One measurement of N records: `keep` masks those that are readings, `checks` those that are rejected."""

    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    keep: NDArray[np.bool_]
    checks: tuple[tuple[str, NDArray[np.bool_]], ...]


def _member(cell: pa.Array) -> Any:
    """The only value of a normalized column, as a member of a record."""
    return (as_texts(cell) if has_no_member(cell) else cell)[0].as_py()
