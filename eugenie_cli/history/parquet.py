"""One Parquet part: readings sorted by (asset, sensor, ts), so that an asset occupies only a few row groups.

Columns: asset and sensor (dictionary of text), ts (timestamp[ms, UTC]), value (float64, NaN when bad),
quality (uint8, OPC DA's 192 for good and 0 for bad).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eugenie_cli.files import replace_file, sha256
from eugenie_cli.history.batch import Batch, Series, merge, order_by
from eugenie_cli.history.manifest import PartFile, Span
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
        table = pa.Table.from_arrays(
            [
                _texts([asset for asset, _ in ordered], index),
                _texts([sensor for _, sensor in ordered], index),
                pa.array(ts).cast(pa.timestamp("ms")).cast(SCHEMA.field("ts").type),
                pa.array(value),
                pa.array(np.where(good, GOOD, BAD).astype(np.uint8)),
            ],
            schema=SCHEMA,
        )
        replace_file(root / file, lambda target: _write(table, target))
        digest = sha256(root / file)
        starts = np.searchsorted(index, np.arange(len(ordered) + 1))
        bad, (repeated, conflicts) = int(len(ts) - good.sum()), _repetitions(index, ts, value)
        return PartFile(str(file), digest, len(ts), bad, _spans(ordered, starts, ts), repeated, conflicts)


def _repetitions(index: NDArray[np.int32], ts: NDArray[np.int64], value: NDArray[np.float64]) -> tuple[int, int]:
    """Of sorted readings: (readings that share series and instant with another, instants with several values)."""
    same = ts[1:] == ts[:-1]
    same &= index[1:] == index[:-1]
    if not same.any():
        return 0, 0
    return int(same.sum()), int(merge(index, ts, value).conflict.sum())


def _write(table: pa.Table, target: object) -> None:
    pq.write_table(
        table,
        target,
        row_group_size=ROW_GROUP,
        compression="zstd",
        use_dictionary=["asset", "sensor"],
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


def read_part(
    path: Path, asset: str, start_ms: int | None, end_ms: int | None, names: dict[str, int]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """(sensor, ts, value) of an asset's readings in `[start_ms, end_ms)`. Sensor numbers are added to `names`."""
    chosen = pc.field("asset") == asset
    instant = SCHEMA.field("ts").type
    if start_ms is not None:
        chosen &= pc.field("ts") >= pa.scalar(start_ms, pa.int64()).cast(instant)
    if end_ms is not None:
        chosen &= pc.field("ts") < pa.scalar(end_ms, pa.int64()).cast(instant)
    table = pq.read_table(path, columns=["sensor", "ts", "value"], filters=chosen, memory_map=True)
    sensor = table.column("sensor").combine_chunks()
    if isinstance(sensor, pa.ChunkedArray):  # no rows
        sensor = pa.array([], pa.string()).dictionary_encode()
    if not isinstance(sensor, pa.DictionaryArray):
        sensor = sensor.dictionary_encode()
    lookup = np.array([names.setdefault(name, len(names)) for name in sensor.dictionary.to_pylist()], np.int32)
    ts = table.column("ts").cast(pa.int64()).to_numpy()
    return lookup[sensor.indices.to_numpy()], ts, table.column("value").to_numpy()
