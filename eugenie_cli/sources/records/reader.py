"""Blocks of records, as Arrow columns -> readings, exactly as `readings.mapping` reads each record.

Columns are text or typed: numbers, booleans, timestamps, dates, dictionaries of text (`columns.arrow_columns`).
Only rejected rows are turned into records: the examples in a report are the messages of `compile_mapping`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch, Series
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.columns.arrow_columns import (
    UnreadableColumn,
    as_texts,
    is_blank,
    is_empty,
    is_instant,
    is_temporal,
    normalized,
)
from eugenie_cli.readings.columns.distinct import Coded, combined, distinct
from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.columns.qualities import Qualities
from eugenie_cli.readings.columns.values import Values
from eugenie_cli.readings.mapping import PARTS, compile_mapping
from eugenie_cli.readings.members import text_of
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.readings.routing import Router

_NOWHERE = -1  # series index: the site has no such asset, sensor or tag
_UNNAMED = -2  # series index: the record names none


@dataclass(frozen=True)
class Refusals:
    """Indices of records in a block that were rejected for one reason; for wide records, in one `column`."""

    reason: str
    records: NDArray[np.int64]
    column: str | None = None


class RecordReader:
    """Reads the blocks of one item.

    `mapping`: `ReadingsMapping.model_dump(mode="json")`, file patterns bound; `timezone`: the site's; `columns`: the
    names of each block's columns, in order. The types of columns may differ from block to block. Raises EugenieError
    for a column whose type cannot be read.
    """

    def __init__(self, mapping: Mapping[str, Any], timezone: str, router: Router, columns: Iterable[str]) -> None:
        self.columns = tuple(columns)
        self._mapping, self._router = mapping, router
        ts = mapping["ts"]
        self._record = compile_mapping(mapping, timezone)
        # a typed instant is shown in ISO 8601 where it is rejected, whatever the format of texts
        self._typed_record = compile_mapping({**mapping, "ts": {**ts, "unit": "iso", "format": None}}, timezone)
        self._instants = Instants(ts["unit"], ts.get("format"), ts.get("timezone") or timezone)
        self._values = Values(mapping["value"])
        self._qualities = Qualities(mapping.get("quality"))
        self._wide = mapping["shape"] == "wide"
        self._series: dict[Series, int] = {}
        self._routes: dict[tuple[str | None, str | None, str | None], int] = {}
        used = {part["path"] for name in ("ts", "asset", "quality") if (part := mapping.get(name)) and part["path"]}
        self._measured = tuple(c for c in self.columns if c not in used and c not in mapping["ignore"])
        self._known = self._known_columns()
        self.lost = 0  # records of the last block that gave no readings

    def unknown_columns(self) -> tuple[str, ...]:
        """Wide: unread columns, which match no sensor or tag of any asset that the file may be about."""
        return tuple(column for column in self._measured if column not in self._known) if self._wide else ()

    def unread(self) -> tuple[str, ...]:
        """Columns that the mapping does not name and that give no readings."""
        used = {part["path"] for name in PARTS if (part := self._mapping.get(name))}
        return tuple(c for c in self._measured if c not in used and c not in (self._known if self._wide else ()))

    def is_row(self, fields: Sequence[str]) -> bool:
        """Whether these fields are a record: one per column, with a readable timestamp."""
        if len(fields) != len(self.columns):
            return False
        untimed = (reject_reasons.BAD_TIMESTAMP, reject_reasons.MISSING_FIELD)
        outcomes = self._record(dict(zip(self.columns, fields, strict=True)))
        return any(not isinstance(outcome, Rejected) or outcome.reason not in untimed for outcome in outcomes)

    def _known_columns(self) -> tuple[str, ...]:
        part = self._mapping.get("asset")
        assets: Iterable[str | None] = self._router.assets if part else (None,)
        if part and part.get("const"):
            assets = (part["const"].strip(),)
        return tuple(
            column
            for column in self._measured
            if any(self._router.route(asset, None, column.strip()) for asset in assets)
        )

    def read(self, block: pa.RecordBatch) -> tuple[Batch, list[Refusals]]:
        """The block's readings, and its rejected records."""
        block = self._normalized(block)
        return self._read_wide(block) if self._wide else self._read_long(block)

    def explain(self, block: pa.RecordBatch, record: int, column: str | None) -> str:
        """What is wrong with a record (wide: in one column), as the mapping reports it."""
        row = self._normalized(block.slice(record, 1))
        fields = {name: _member(row.column(index)) for index, name in enumerate(self.columns)}
        if column is not None:
            shared = {part["path"] for name in ("ts", "asset", "quality") if (part := self._mapping.get(name))}
            fields = {name: text for name, text in fields.items() if name in shared or name == column}
        ts = self._column(row, self._mapping["ts"])
        for outcome in (self._record if ts is None or not is_instant(ts) else self._typed_record)(fields):
            if isinstance(outcome, Rejected):
                return outcome.detail
            named = {"asset": outcome.asset, "sensor": outcome.sensor, "tag": outcome.tag}
            if self._router.route(**named) is None:
                return "the site has no " + ", ".join(f"{what} {name!r}" for what, name in named.items() if name)
        return "rejected"

    # -- long --------------------------------------------------------------------------------------

    def _read_long(self, block: pa.RecordBatch) -> tuple[Batch, list[Refusals]]:
        series = self._identities(block)
        ts, absent, timed = self._times(block)
        good, graded = self._grades(block)
        column = self._column(block, self._mapping["value"])
        if column is None:
            value, valued = np.full(block.num_rows, np.nan), ~good
        else:
            value, valued = self._values.of_column(column)
        value[~good] = np.nan
        refusals = _first_reason(
            (reject_reasons.MISSING_FIELD, (series == _UNNAMED) | absent),
            (reject_reasons.BAD_TIMESTAMP, ~timed),
            (reject_reasons.BAD_VALUE, ~graded),
            (reject_reasons.MISSING_FIELD if column is None else reject_reasons.BAD_VALUE, good & ~valued),
            (reject_reasons.UNKNOWN_TAG, series == _NOWHERE),
        )
        keep = _kept(block.num_rows, refusals)
        self.lost = int(block.num_rows - np.count_nonzero(keep))
        return Batch(tuple(self._series), series[keep], ts[keep], value[keep]), refusals

    def _identities(self, block: pa.RecordBatch) -> NDArray[np.int32]:
        """The series of each record, or _UNNAMED or _NOWHERE."""
        identities, index = combined(
            [self._names(block, self._mapping.get(part)) for part in ("asset", "sensor", "tag")]
        )
        return np.array([self._route(*identity) for identity in identities], np.int32)[index]

    def _route(self, asset: str | None, sensor: str | None, tag: str | None) -> int:
        key = (asset, sensor, tag)
        if key not in self._routes:
            if (sensor is None and tag is None) or (tag is None and asset is None):
                self._routes[key] = _UNNAMED
            elif (route := self._router.route(asset, sensor, tag)) is None:
                self._routes[key] = _NOWHERE
            else:
                pair = (route[0], self._router.sensors_of(route[0])[route[1]])
                self._routes[key] = self._series.setdefault(pair, len(self._series))
        return self._routes[key]

    # -- wide --------------------------------------------------------------------------------------

    def _read_wide(self, block: pa.RecordBatch) -> tuple[Batch, list[Refusals]]:
        assets, asset = self._names(block, self._mapping.get("asset"))
        nameless = np.array([name is None for name in assets], bool)[asset] & (self._mapping.get("asset") is not None)
        ts, absent, timed = self._times(block)
        good, graded = self._grades(block)
        refusals = _first_reason(
            (reject_reasons.MISSING_FIELD, nameless | absent),
            (reject_reasons.BAD_TIMESTAMP, ~timed),
            (reject_reasons.BAD_VALUE, ~graded),
        )
        usable = _kept(block.num_rows, refusals)
        refused, accepted = ~usable, np.zeros(block.num_rows, bool)
        indices, instants, values = [], [], []
        for column in self._known:
            series_of = np.array([self._route(name, None, column.strip()) for name in assets], np.int32)
            series = series_of[asset]
            cells = block.column(self.columns.index(column))
            value, valued = self._values.of_column(cells)
            value[~good] = np.nan
            silent = series == _NOWHERE
            if silent.any():
                # a table of several classes has a column for each sensor: a cell that is empty because the asset has
                # no such sensor is not a reading
                silent &= is_empty(cells).to_numpy(zero_copy_only=False)
            wrong = usable & good & ~valued
            lost = usable & (series == _NOWHERE) & ~silent & ~wrong
            for reason, mask in ((reject_reasons.BAD_VALUE, wrong), (reject_reasons.UNKNOWN_TAG, lost)):
                if mask.any():
                    refusals.append(Refusals(reason, np.flatnonzero(mask), column))
                    refused |= mask
            keep = usable & ~wrong & (series >= 0)
            whole = keep.all()
            accepted |= keep
            indices.append(series if whole else series[keep])
            instants.append(ts if whole else ts[keep])
            values.append(value if whole else value[keep])
        self.lost = int(np.count_nonzero(refused & ~accepted))
        pairs = tuple(self._series)
        if not indices:
            return Batch(pairs, np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0)), refusals
        return Batch(pairs, np.concatenate(indices), np.concatenate(instants), np.concatenate(values)), refusals

    # -- fields ------------------------------------------------------------------------------------

    def _normalized(self, block: pa.RecordBatch) -> pa.RecordBatch:
        """The block, with columns in the types that the rules read. Unread columns may be of any type."""
        used = {part["path"] for name in PARTS if (part := self._mapping.get(name))} | set(self._known)
        columns = []
        for name, column in zip(self.columns, block.columns, strict=True):
            try:
                columns.append(normalized(column))
            except UnreadableColumn as error:
                if name in used:
                    raise EugenieError(
                        f"the column {name!r} cannot be read: {error}",
                        hint="name another column in `readings`, or list it under `ignore`",
                    ) from None
                columns.append(pa.nulls(len(column)))
        return pa.RecordBatch.from_arrays(columns, list(self.columns))

    def _column(self, block: pa.RecordBatch, part: Mapping[str, Any] | None) -> pa.Array | None:
        if part and part.get("path") in self.columns:
            return block.column(self.columns.index(part["path"]))
        if part and part.get("const") is not None:
            return pa.array([part["const"]] * block.num_rows, pa.string())
        return None

    def _names(self, block: pa.RecordBatch, part: Mapping[str, Any] | None) -> Coded:
        """Names as `members.text_of` returns them; two may be equal after trimming."""
        if part and part.get("path") in self.columns:
            column = block.column(self.columns.index(part["path"]))
            names, index = distinct(as_texts(column) if _has_no_member(column) else column)
        else:
            names, index = [part.get("const") if part else None], np.zeros(block.num_rows, np.int64)
        return [text_of(name) for name in names], index

    def _times(self, block: pa.RecordBatch) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """(ts, absent, read) of each record: the instant, whether it is missing, and whether it could be read."""
        column = self._column(block, self._mapping["ts"])
        if column is None:
            none = np.zeros(block.num_rows, bool)
            return np.zeros(block.num_rows, np.int64), ~none, none
        ts, read = self._instants.of_column(column)
        if read.all():
            return ts, ~read, read
        return ts, ~read & is_blank(column).to_numpy(zero_copy_only=False), read

    def _grades(self, block: pa.RecordBatch) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(good, known) of each record: whether its quality is good, and whether it could be read."""
        column = self._column(block, self._mapping.get("quality"))
        if column is None:
            return np.ones(block.num_rows, bool), np.ones(block.num_rows, bool)
        return self._qualities.of_column(column)


def _has_no_member(column: pa.Array) -> bool:
    """Whether a normalized column's values have no counterpart in JSON other than text."""
    return is_temporal(column) or pa.types.is_decimal(column.type)


def _member(cell: pa.Array) -> Any:
    """The only value of a normalized column, as a member of a record."""
    return (as_texts(cell) if _has_no_member(cell) else cell)[0].as_py()


def _first_reason(*checks: tuple[str, NDArray[np.bool_]]) -> list[Refusals]:
    """Assign each record that fails to the first check that it fails."""
    refusals: list[Refusals] = []
    assigned = np.zeros(len(checks[0][1]), bool)
    for reason, fails in checks:
        fails = fails & ~assigned
        if fails.any():
            refusals.append(Refusals(reason, np.flatnonzero(fails)))
            assigned |= fails
    return refusals


def _kept(count: int, refusals: Iterable[Refusals]) -> NDArray[np.bool_]:
    keep = np.ones(count, bool)
    for refusal in refusals:
        keep[refusal.records] = False
    return keep
