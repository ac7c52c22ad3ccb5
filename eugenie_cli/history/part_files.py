"""Reads Parquet files of readings: the row groups that may contain what is asked for, whole columns at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable

ITEM = "item"
"""The column of a merged file that tells its parts apart."""

# Arrow's threads cost more than they gain on fewer readings.
THREADED_ROWS = 500_000


@dataclass(frozen=True)
class Columns:
    """Readings of a file, sorted by (asset, sensor, ts).

    `assets` and `sensors`: names; `asset` and `sensor` int32 [N]: index into them; `ts` int64 [N]: ms since 1970 UTC;
    `value` float64 [N]: NaN where the quality is bad; `item` int32 [N]: number of the part, None if the file is one
    part.
    """

    assets: list[str]
    asset: NDArray[np.int32]
    sensors: list[str]
    sensor: NDArray[np.int32]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    item: NDArray[np.int32] | None

    def only(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Columns:
        """Some of the readings: those where `rows` bool [N] is true, or those at these places, in this order."""
        item = None if self.item is None else self.item[rows]
        return Columns(
            self.assets, self.asset[rows], self.sensors, self.sensor[rows], self.ts[rows], self.value[rows], item
        )


@dataclass(frozen=True)
class Wanted:
    """Which readings: of assets from `first` to `last` in alphabetical order, with `start_ms <= ts < end_ms`."""

    first: str | None = None
    last: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None

    def may_be_in(self, group: pq.RowGroupMetaData) -> bool:
        """Whether a row group may contain such readings, by its statistics."""
        assets = group.column(0).statistics
        if (
            assets is not None
            and assets.has_min_max
            and (
                (self.first is not None and assets.max < self.first)
                or (self.last is not None and assets.min > self.last)
            )
        ):
            return False
        if self.start_ms is None and self.end_ms is None:
            return True
        instants = group.column(2).statistics
        if instants is None or not instants.has_min_max:
            return True
        earliest, latest = instants.min_raw, instants.max_raw
        return not (
            (self.start_ms is not None and latest < self.start_ms)
            or (self.end_ms is not None and earliest >= self.end_ms)
        )

    def is_all_of(self, group: pq.RowGroupMetaData) -> bool:
        """Whether a row group contains nothing but readings of the only asset that is wanted, by its statistics."""
        assets = group.column(0).statistics
        return bool(
            self.first is not None
            and assets is not None
            and assets.has_min_max
            and assets.min == assets.max == self.first == self.last
        )


ALL = Wanted()


def read_columns(path: Path, wanted: Wanted = ALL) -> Columns:
    """The readings in the row groups that may contain those wanted; others of these groups, too.

    Raises FileNotFoundError if a commit has removed the file since it was listed, EugenieError if it is damaged.
    """
    try:
        return _read_columns(path, wanted)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # Arrow's errors are subclasses
        first = printable(str(error).partition("\n")[0], 200)
        raise EugenieError(
            f"{path} is damaged: {first}", hint="`eugenie history verify` shows what is damaged, and what to do"
        ) from error


def _read_columns(path: Path, wanted: Wanted) -> Columns:
    with pq.ParquetFile(path, memory_map=True) as file:
        metadata = file.metadata
        groups = [n for n in range(metadata.num_row_groups) if wanted.may_be_in(metadata.row_group(n))]
        known = bool(groups) and all(wanted.is_all_of(metadata.row_group(n)) for n in groups)
        names = ["sensor", "ts", "value"] if known else ["asset", "sensor", "ts", "value"]
        merged = ITEM in file.schema_arrow.names
        rows = sum(metadata.row_group(n).num_rows for n in groups)
        table = file.read_row_groups(groups, [*names, ITEM] if merged else names, use_threads=rows >= THREADED_ROWS)
        assets, asset = _texts(table.column("asset")) if not known else ([wanted.first or ""], np.zeros(rows, np.int32))
        sensors, sensor = _texts(table.column("sensor"))
        ts, value = _numbers(table.column("ts"), np.int64), _numbers(table.column("value"), np.float64)
        item = _numbers(table.column(ITEM), np.int32) if merged else None
        return Columns(assets, asset, sensors, sensor, ts, value, item)


def read_part(path: Path, asset: str, start_ms: int | None, end_ms: int | None) -> Columns:
    """Only the readings of an asset with `start_ms <= ts < end_ms`."""
    columns = read_columns(path, Wanted(asset, asset, start_ms, end_ms))
    if asset not in columns.assets:
        return columns.only(np.zeros(len(columns.ts), bool))
    if len(columns.assets) == 1 and start_ms is None and end_ms is None:
        return columns
    rows = columns.asset == columns.assets.index(asset)
    if start_ms is not None:
        rows &= columns.ts >= start_ms
    if end_ms is not None:
        rows &= columns.ts < end_ms
    return columns if rows.all() else columns.only(rows)


Number = TypeVar("Number", bound=np.generic)


def _numbers(column: pa.ChunkedArray, kind: type[Number]) -> NDArray[Number]:
    """The values of a column without nulls. Arrow's own `to_numpy` imports pandas, which takes longer than the rest."""
    chunks = [_values(chunk, kind) for chunk in column.chunks if len(chunk)]
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks or [np.zeros(0, kind)])


def _values(array: pa.Array, kind: type[Number]) -> NDArray[Number]:
    if array.null_count:
        raise ValueError(f"{array.null_count} values are null")
    values: NDArray[Number] = np.frombuffer(array.buffers()[1], kind)
    return values[array.offset : array.offset + len(array)]


def _texts(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int32]]:
    """(distinct texts, index into them of each row)."""
    if not len(column):
        return [], np.zeros(0, np.int32)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    chunks = [chunk for chunk in column.unify_dictionaries().chunks if len(chunk)]  # each had one of its own
    texts = chunks[0].dictionary.to_pylist()
    # `cast` imports pyarrow.compute, which takes longer than reading a small file
    indices = [
        chunk.indices if chunk.indices.type == pa.int32() else chunk.indices.cast(pa.int32()) for chunk in chunks
    ]
    codes = [_values(numbers, np.int32) for numbers in indices]
    used = np.concatenate(codes) if len(codes) > 1 else codes[0]
    distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    if len(distinct) < len(texts):
        used = np.array([distinct[text] for text in texts], np.int32)[used]
    return list(distinct), used
