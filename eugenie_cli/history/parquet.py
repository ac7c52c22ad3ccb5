"""Writes Parquet files of readings sorted by (asset, sensor, ts), so that an asset occupies only a few row groups.

Columns: asset and sensor (dictionary of text), ts (timestamp[ms, UTC]), value (float64, NaN when bad),
quality (uint8, OPC DA's 192 for good and 0 for bad). A merged file has another one, `item` (int32): the number of the
part that a reading belongs to. `part_files` reads them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eugenie_cli.files import replace_file, sha256
from eugenie_cli.history.batch import Batch, Series, arranged, merge
from eugenie_cli.history.manifest import PartFile, Span
from eugenie_cli.history.part_files import ITEM, read_columns
from eugenie_cli.readings.quality import BAD, GOOD

# Small enough to read one of 500 assets without many others, large enough to compress well. An asset that is not much
# smaller has groups of its own.
ROW_GROUP = 128 * 1024
# Readings in a row of one series, on average, from which whole runs are sorted.
SHORTEST_RUN = 64
# Values of noisy sensors hardly shrink, and trying takes half as long as all else: a sample decides.
SHRUNK = 0.5
_SAMPLES, _SAMPLE = 8, 4096  # pieces of the values, and values in each
_TEXT = pa.dictionary(pa.int32(), pa.string())
# Nothing is null, so nothing is written about which values are.
SCHEMA = pa.schema(
    [
        pa.field("asset", _TEXT, nullable=False),
        pa.field("sensor", _TEXT, nullable=False),
        pa.field("ts", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("quality", pa.uint8(), nullable=False),
    ]
)
MERGED = SCHEMA.append(pa.field(ITEM, pa.int32(), nullable=False))


class PartWriter:
    """Collects readings in memory, then sorts them and writes them as one part."""

    def __init__(self, limit: int) -> None:
        self.rows = 0
        self._limit = limit
        self._series: dict[Series, int] = {}
        self._numbers: list[NDArray[np.int32]] = []  # of each batch: its series' numbers among those of the part
        self._batches: list[Batch] = []

    def pieces(self, batch: Batch) -> Iterator[Batch]:
        """The batch in pieces that do not exceed the limit."""
        for start in range(0, len(batch.ts), self._limit):
            cut = slice(start, start + self._limit)
            yield Batch(batch.series, batch.index[cut], batch.ts[cut], batch.value[cut])

    def add(self, batch: Batch) -> None:
        """Add a batch."""
        numbers = [self._series.setdefault(pair, len(self._series)) for pair in batch.series]
        self._numbers.append(np.array(numbers, np.int32))
        self._batches.append(grouped(batch))
        self.rows += len(batch.ts)

    def end_before(self, batch: Batch) -> Batch | None:
        """Take out the readings at the first instant of `batch`, which comes next, if all others are before it.

        Rows of an export in the order of time may be divided within an instant. Two parts that share one would have to
        be compared whenever the history is read.
        """
        instant, last = batch.ts.min(), self._batches[-1]
        latest = max((own.ts.max() for own in self._batches[:-1] if len(own.ts)), default=instant - 1)
        held = last.ts == instant
        count = int(np.count_nonzero(held))
        if latest >= instant or last.ts.max() > instant or count in (0, self.rows):
            return None
        if count + len(batch.ts) > self._limit:
            return None
        kept = ~held
        self._batches[-1] = Batch(last.series, last.index[kept], last.ts[kept], last.value[kept])
        self.rows -= count
        return Batch(last.series, last.index[held], last.ts[held], last.value[held])

    def write(self, root: Path, file: Path) -> PartFile:
        """Sort the readings and write them to `root / file`. The caller syncs the folder before it commits the part."""
        ordered = sorted(self._series)
        rank = np.empty(len(ordered), np.int32)
        rank[[self._series[pair] for pair in ordered]] = np.arange(len(ordered), dtype=np.int32)
        starts, ts, value, is_unique = self._sorted(rank)
        readings = Sorted(ordered, starts, ts, value)
        replace_file(root / file, lambda target: write_readings(readings, target), sync_name=False)
        bad = int(np.count_nonzero(np.isnan(value)))
        repeated, conflicts = (0, 0) if is_unique else _repetitions(repeated_by(starts), ts, value)
        return PartFile(str(file), sha256(root / file), len(ts), bad, _spans(ordered, starts, ts), repeated, conflicts)

    def _sorted(
        self, rank: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], bool]:
        """(where each series begins, and the end; ts; value; whether the instants of each series differ), sorted."""
        runs = self._runs(rank)
        if runs is None:
            pairs = zip(self._numbers, self._batches, strict=True)
            index = np.concatenate([rank[numbers][batch.index] for numbers, batch in pairs])
            ts = np.concatenate([batch.ts for batch in self._batches])
            value = np.concatenate([batch.value for batch in self._batches])
            order, index, ts = arranged(index, ts)
            starts, value = np.searchsorted(index, np.arange(len(rank) + 1, dtype=np.int32)), value[order]
            return starts, ts, value, _all_later(starts, ts)
        counts = np.zeros(len(rank) + 1, np.int64)
        for series, _, rows in runs:
            counts[series + 1] += rows.stop - rows.start
        starts = np.cumsum(counts)
        ts = np.concatenate([self._batches[number].ts[rows] for _, number, rows in runs])
        value = np.concatenate([self._batches[number].value[rows] for _, number, rows in runs])
        if _all_later(starts, ts):
            return starts, ts, value, True
        order, _, ts = arranged(repeated_by(starts), ts)
        return starts, ts, value[order], _all_later(starts, ts)

    def _runs(self, rank: NDArray[np.int32]) -> list[tuple[int, int, slice]] | None:
        """(rank of the series, number of the batch, its rows) of each run of one series, sorted; None for short runs.

        Wide exports come as such runs, which are sorted as wholes.
        """
        runs: list[tuple[int, int, slice]] = []
        for number, (numbers, batch) in enumerate(zip(self._numbers, self._batches, strict=True)):
            cuts = np.flatnonzero(batch.index[1:] != batch.index[:-1]) + 1
            if len(runs) + len(cuts) > self.rows / SHORTEST_RUN:
                return None
            bounds = [0, *cuts.tolist(), len(batch.index)]
            for start, stop in itertools.pairwise(bounds):
                if start < stop:
                    runs.append((int(rank[numbers[batch.index[start]]]), number, slice(start, stop)))
        return sorted(runs, key=itemgetter(0))


def grouped(batch: Batch) -> Batch:
    """The batch sorted by series, each in the same order as before, if it has many readings of each.

    Exports in the order of time name another series in each row. Sorting them a batch at a time, in the processor's
    cache, takes a third of the time of sorting a whole part.
    """
    count, series = len(batch.ts), len(batch.series)
    if series * SHORTEST_RUN > count or series > 1 << 16:
        return batch
    if np.count_nonzero(batch.index[1:] != batch.index[:-1]) <= count / SHORTEST_RUN:
        return batch
    order = np.argsort(batch.index.astype(np.uint8 if series <= 1 << 8 else np.uint16), kind="stable")
    return Batch(batch.series, batch.index[order], batch.ts[order], batch.value[order])


def read_back(path: Path) -> Batch:
    """The readings of a part that is a file of its own. Raises FileNotFoundError, EugenieError if it is damaged."""
    columns = read_columns(path)
    pairs, index = np.unique(columns.asset * np.int64(len(columns.sensors)) + columns.sensor, return_inverse=True)
    places = [divmod(pair, len(columns.sensors)) for pair in pairs.tolist()]
    series = tuple((columns.assets[asset], columns.sensors[sensor]) for asset, sensor in places)
    return Batch(series, index.astype(np.int32), columns.ts, columns.value)


def _all_later(starts: NDArray[np.int64], ts: NDArray[np.int64]) -> bool:
    """Whether the instants of each series increase. `starts`: as in `Sorted`."""
    later = ts[1:] > ts[:-1]
    inner = starts[1:-1]
    later[inner[(inner > 0) & (inner < len(ts))] - 1] = True
    return bool(later.all())


def repeated_by(starts: NDArray[np.int64], numbers: Sequence[int] | None = None) -> NDArray[np.int32]:
    """int32 [N]: the number of the series of each reading (default: its place). `starts`: as in `Sorted`."""
    numbers = range(len(starts) - 1) if numbers is None else numbers
    return np.repeat(np.array(numbers, np.int32), np.diff(starts))


def _repetitions(index: NDArray[np.int32], ts: NDArray[np.int64], value: NDArray[np.float64]) -> tuple[int, int]:
    """Of sorted readings: (readings that share series and instant with another, instants with several values)."""
    same = ts[1:] == ts[:-1]
    same &= index[1:] == index[:-1]
    if not same.any():
        return 0, 0
    return int(same.sum()), int(merge(index, ts, value).conflict.sum())


@dataclass(frozen=True)
class Sorted:
    """N readings sorted by series and instant.

    `series`: sorted; `starts` int64 [S + 1]: where each of them begins, and the end of the last; `ts` int64 [N]: ms
    since 1970 UTC; `value` float64 [N]; `item` int32 [N]: the part that a reading belongs to, None for a single one.
    """

    series: Sequence[Series]
    starts: NDArray[np.int64]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    item: NDArray[np.int32] | None = None

    def table(self, rows: slice) -> pa.Table:
        """Some of the readings as a table of `SCHEMA`, or of `MERGED`."""
        first = int(np.searchsorted(self.starts, rows.start, side="right")) - 1
        last = max(int(np.searchsorted(self.starts, rows.stop)), first + 1)
        starts = np.clip(self.starts[first : last + 1], rows.start, rows.stop) - rows.start
        value = self.value[rows]
        columns = [
            _texts([asset for asset, _ in self.series[first:last]], starts),
            _texts([sensor for _, sensor in self.series[first:last]], starts),
            pa.array(self.ts[rows]).view(SCHEMA.field("ts").type),
            pa.array(value),
            pa.array(np.where(np.isnan(value), np.uint8(BAD), np.uint8(GOOD))),
        ]
        if self.item is None:
            return pa.Table.from_arrays(columns, schema=SCHEMA)
        return pa.Table.from_arrays([*columns, pa.array(self.item[rows])], schema=MERGED)


def row_groups(series: Sequence[Series], starts: NDArray[np.int64]) -> list[slice]:
    """The rows of each row group. `starts`: as in `Sorted`; `series`: sorted."""
    firsts = [n for n, (asset, _) in enumerate(series) if not n or asset != series[n - 1][0]]
    bounds = [*starts[firsts].tolist(), int(starts[-1])]
    groups = []
    begun = 0
    for start, stop in itertools.pairwise(bounds):
        if stop - begun > ROW_GROUP and start > begun:
            groups.append(slice(begun, start))
            begun = start
        if stop - begun > ROW_GROUP / 2:
            cuts = np.linspace(begun, stop, -(-(stop - begun) // ROW_GROUP) + 1).astype(int).tolist()
            groups += itertools.starmap(slice, itertools.pairwise(cuts))
            begun = stop
    return groups if begun == bounds[-1] else [*groups, slice(begun, bounds[-1])]


def write_readings(readings: Sorted, target: IO[bytes], *, small: bool = False) -> None:
    """Write readings as Parquet, quickly, or `small`, which takes longer to write and to read."""
    schema = SCHEMA if readings.item is None else MERGED
    compression = dict.fromkeys(schema.names, "zstd" if small else "lz4")
    if not small and not _shrinks(readings.value):
        compression["value"] = "none"
    with pq.ParquetWriter(
        target,
        schema,
        compression=compression,
        use_dictionary=[name for name in ("asset", "sensor", ITEM) if name in schema.names],
        column_encoding={"ts": "DELTA_BINARY_PACKED"},
        write_statistics=["asset", "ts"],  # what readers choose row groups by; others would cost as much as the rest
        write_batch_size=ROW_GROUP,  # the statistics of texts are computed anew for each batch
    ) as writer:
        for rows in row_groups(readings.series, readings.starts):
            writer.write_table(readings.table(rows), ROW_GROUP)


def _shrinks(value: NDArray[np.float64]) -> bool:
    """Whether compressing values is worth it; always for few."""
    if len(value) <= _SAMPLES * _SAMPLE:
        return True
    codec = pa.Codec("lz4_raw")
    begins = np.linspace(0, len(value) - _SAMPLE, _SAMPLES).astype(int).tolist()
    sizes = [codec.compress(pa.py_buffer(value[begin : begin + _SAMPLE])).size for begin in begins]
    return bool(sum(sizes) <= SHRUNK * _SAMPLES * _SAMPLE * value.itemsize)


def _texts(values: list[str], starts: NDArray[np.int64]) -> pa.DictionaryArray:
    """The text of each reading, dictionary-encoded, from those of the series, which may contain duplicates."""
    unique = list(dict.fromkeys(values))
    codes = {text: number for number, text in enumerate(unique)}
    indices = repeated_by(starts, [codes[text] for text in values])
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(unique, pa.string()), safe=False)


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
