"""Writes Parquet files of readings sorted by (asset, sensor, ts), so that an asset occupies only a few row groups.

Columns: asset and sensor (dictionary of text), ts (timestamp[ms, UTC]), value (float64, NaN when bad),
quality (uint8, OPC DA's 192 for good and 0 for bad). A merged file has another one, `item` (int32): the number of the
part that a reading belongs to. `part_files` reads them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
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
SHORTEST_RUN = 128
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
        self._batches.append(batch)
        self.rows += len(batch.ts)

    def write(self, root: Path, file: Path) -> PartFile:
        """Sort the readings and write them to `root / file`, durably."""
        ordered = sorted(self._series)
        rank = np.empty(len(ordered), np.int32)
        rank[[self._series[pair] for pair in ordered]] = np.arange(len(ordered), dtype=np.int32)
        starts, ts, value, is_unique = self._sorted(rank)
        table = pa.Table.from_arrays(columns_of(ordered, starts, ts, value), schema=SCHEMA)
        replace_file(root / file, lambda target: write_table(table, target, row_groups(ordered, starts)))
        bad = len(ts) - np.count_nonzero(table.column("quality"))
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


def read_back(path: Path) -> Batch:
    """The readings of a part that is a file of its own. Raises FileNotFoundError, EugenieError if it is damaged."""
    columns = read_columns(path)
    pairs, index = np.unique(columns.asset * np.int64(len(columns.sensors)) + columns.sensor, return_inverse=True)
    places = [divmod(pair, len(columns.sensors)) for pair in pairs.tolist()]
    series = tuple((columns.assets[asset], columns.sensors[sensor]) for asset, sensor in places)
    return Batch(series, index.astype(np.int32), columns.ts, columns.value)


def _all_later(starts: NDArray[np.int64], ts: NDArray[np.int64]) -> bool:
    """Whether the instants of each series increase. `starts`: as in `columns_of`."""
    later = ts[1:] > ts[:-1]
    inner = starts[1:-1]
    later[inner[(inner > 0) & (inner < len(ts))] - 1] = True
    return bool(later.all())


def repeated_by(starts: NDArray[np.int64], numbers: Sequence[int] | None = None) -> NDArray[np.int32]:
    """int32 [N]: the number of the series of each reading (default: its place). `starts`: as in `columns_of`."""
    numbers = range(len(starts) - 1) if numbers is None else numbers
    if starts[-1] < SHORTEST_RUN * len(numbers):
        return np.repeat(np.array(numbers, np.int32), np.diff(starts))
    repeated = np.zeros(int(starts[-1]), np.int32)
    for number, (start, stop) in zip(numbers, itertools.pairwise(starts.tolist()), strict=True):
        if number:
            repeated[start:stop] = number  # faster than `repeat`, which copies numbers one by one
    return repeated


def _repetitions(index: NDArray[np.int32], ts: NDArray[np.int64], value: NDArray[np.float64]) -> tuple[int, int]:
    """Of sorted readings: (readings that share series and instant with another, instants with several values)."""
    same = ts[1:] == ts[:-1]
    same &= index[1:] == index[:-1]
    if not same.any():
        return 0, 0
    return int(same.sum()), int(merge(index, ts, value).conflict.sum())


def columns_of(
    series: Sequence[Series], starts: NDArray[np.int64], ts: NDArray[np.int64], value: NDArray[np.float64]
) -> list[pa.Array]:
    """The columns of `SCHEMA`. `starts` int64 [S + 1]: where each of S series begins in the others, and their end."""
    return [
        _texts([asset for asset, _ in series], starts),
        _texts([sensor for _, sensor in series], starts),
        pa.array(ts).view(SCHEMA.field("ts").type),
        pa.array(value),
        pa.array(np.where(np.isnan(value), np.uint8(BAD), np.uint8(GOOD))),
    ]


def row_groups(series: Sequence[Series], starts: NDArray[np.int64]) -> list[slice]:
    """The rows of each row group. `starts`: as in `columns_of`; `series`: sorted."""
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


def write_table(table: pa.Table, target: IO[bytes], groups: Iterable[slice], *, small: bool = False) -> None:
    """Write a table of readings as Parquet, quickly, or `small`, which takes longer to write and to read."""
    with pq.ParquetWriter(
        target,
        table.schema,
        compression="zstd" if small else "lz4",
        use_dictionary=[name for name in ("asset", "sensor", ITEM) if name in table.column_names],
        column_encoding={"ts": "DELTA_BINARY_PACKED"},
        write_statistics=["asset", "ts"],  # what readers choose row groups by; others would cost as much as the rest
    ) as writer:
        for rows in groups:
            writer.write_table(table.slice(rows.start, rows.stop - rows.start), ROW_GROUP)


def _texts(values: list[str], starts: NDArray[np.int64]) -> pa.DictionaryArray:
    """The text of each reading, dictionary-encoded, from those of the series, which may contain duplicates."""
    unique = list(dict.fromkeys(values))
    codes = {text: number for number, text in enumerate(unique)}
    indices = repeated_by(starts, [codes[text] for text in values])
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(unique, pa.string()))


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
