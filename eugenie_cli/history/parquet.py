"""Writes Parquet files of readings sorted by (asset, sensor, ts), so that an asset occupies only a few row groups.

Columns: asset and sensor (dictionary of text), ts (timestamp[ms, UTC]), value (float64, NaN when bad),
quality (uint8, OPC DA's 192 for good and 0 for bad). A merged file has another one, `item` (int32): the number of the
part that a reading belongs to. `part_files` reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eugenie_cli.files import replace_file, sha256
from eugenie_cli.history.batch import Batch, Series, merge, order_by
from eugenie_cli.history.manifest import PartFile, Span
from eugenie_cli.history.part_files import ITEM, read_columns
from eugenie_cli.readings.quality import BAD, GOOD

# Small enough to read one of 500 assets without many others, large enough to compress well.
ROW_GROUP = 128 * 1024
_TEXT = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("asset", _TEXT),
        ("sensor", _TEXT),
        ("ts", pa.timestamp("ms", tz="UTC")),
        ("value", pa.float64()),
        ("quality", pa.uint8()),
    ]
)
MERGED = SCHEMA.append(pa.field(ITEM, pa.int32()))


class PartWriter:
    """Collects readings in memory, then sorts them and writes them as one part."""

    def __init__(self, limit: int) -> None:
        self.rows = 0
        self._limit = limit
        self._series: dict[Series, int] = {}
        self._batches: list[tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]] = []

    def pieces(self, batch: Batch) -> Iterator[Batch]:
        """The batch in pieces that do not exceed the limit."""
        for start in range(0, len(batch.ts), self._limit):
            cut = slice(start, start + self._limit)
            yield Batch(batch.series, batch.index[cut], batch.ts[cut], batch.value[cut])

    def add(self, batch: Batch) -> None:
        """Add a batch."""
        lookup = np.array([self._series.setdefault(pair, len(self._series)) for pair in batch.series], np.int32)
        self._batches.append((lookup[batch.index], batch.ts, batch.value))
        self.rows += len(batch.ts)

    def write(self, root: Path, file: Path) -> PartFile:
        """Sort the readings and write them to `root / file`, durably."""
        index, ts, value = (np.concatenate(column) for column in zip(*self._batches, strict=True))
        ordered = sorted(self._series)
        rank = np.empty(len(ordered), np.int32)
        rank[[self._series[pair] for pair in ordered]] = np.arange(len(ordered), dtype=np.int32)
        order = order_by(rank[index], ts)
        index, ts, value = rank[index][order], ts[order], value[order]
        good = ~np.isnan(value)
        table = pa.Table.from_arrays(columns_of(ordered, index, ts, value), schema=SCHEMA)
        replace_file(root / file, lambda target: write_table(table, target))
        digest = sha256(root / file)
        starts = np.searchsorted(index, np.arange(len(ordered) + 1))
        bad, (repeated, conflicts) = int(len(ts) - good.sum()), _repetitions(index, ts, value)
        return PartFile(str(file), digest, len(ts), bad, _spans(ordered, starts, ts), repeated, conflicts)


def read_back(path: Path) -> Batch:
    """The readings of a part that is a file of its own. Raises FileNotFoundError, EugenieError if it is damaged."""
    columns = read_columns(path)
    pairs, index = np.unique(columns.asset * np.int64(len(columns.sensors)) + columns.sensor, return_inverse=True)
    places = [divmod(pair, len(columns.sensors)) for pair in pairs.tolist()]
    series = tuple((columns.assets[asset], columns.sensors[sensor]) for asset, sensor in places)
    return Batch(series, index.astype(np.int32), columns.ts, columns.value)


def _repetitions(index: NDArray[np.int32], ts: NDArray[np.int64], value: NDArray[np.float64]) -> tuple[int, int]:
    """Of sorted readings: (readings that share series and instant with another, instants with several values)."""
    same = ts[1:] == ts[:-1]
    same &= index[1:] == index[:-1]
    if not same.any():
        return 0, 0
    return int(same.sum()), int(merge(index, ts, value).conflict.sum())


def columns_of(
    series: Sequence[Series], index: NDArray[np.int32], ts: NDArray[np.int64], value: NDArray[np.float64]
) -> list[pa.Array]:
    """The columns of `SCHEMA`. `index`, `ts` and `value` as in `Batch`, sorted."""
    return [
        _texts([asset for asset, _ in series], index),
        _texts([sensor for _, sensor in series], index),
        pa.array(ts).cast(pa.timestamp("ms")).cast(SCHEMA.field("ts").type),
        pa.array(value),
        pa.array(np.where(np.isnan(value), BAD, GOOD).astype(np.uint8)),
    ]


def write_table(table: pa.Table, target: object) -> None:
    """Write a table of readings as Parquet to a file."""
    pq.write_table(
        table,
        target,
        row_group_size=ROW_GROUP,
        compression="zstd",
        use_dictionary=[name for name in ("asset", "sensor", ITEM) if name in table.column_names],
        column_encoding={"ts": "DELTA_BINARY_PACKED"},
    )


def _texts(values: list[str], index: NDArray[np.int32]) -> pa.DictionaryArray:
    """Dictionary-encoded text of each row. `values` may contain duplicates (several series of an asset)."""
    unique = list(dict.fromkeys(values))
    codes = {text: number for number, text in enumerate(unique)}
    lookup = np.array([codes[text] for text in values], np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(lookup[index]), pa.array(unique, pa.string()))


def _spans(series: list[Series], starts: NDArray[np.int64], ts: NDArray[np.int64]) -> dict[str, Span]:
    spans: dict[str, Span] = {}
    for (asset, _), start, stop in zip(series, starts[:-1], starts[1:], strict=True):
        if start == stop:
            continue
        rows, first, last = int(stop - start), int(ts[start]), int(ts[stop - 1])
        known = spans.get(asset)
        if known is not None:
            rows, first, last = rows + known.rows, min(first, known.start), max(last, known.end)
        spans[asset] = Span(rows, first, last)
    return spans
