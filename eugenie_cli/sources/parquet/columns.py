"""The columns of Parquet and Arrow files. Members of structures are columns of their own: `meta.machine`."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import IO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

BATCH_CELLS = 1 << 20  # cells in memory at a time, about: a batch of few columns has many rows
FEWEST_ROWS = 4_096
BUFFER_BYTES = 1 << 20  # of each column chunk that is being read: a row group may be larger than the memory

_END = b"\xff\xff\xff\xff\0\0\0\0"
"""Of a stream: Arrow reads one without it, which may have lost batches."""


class ColumnFile(Protocol):
    """An open file of columns."""

    names: list[str]
    """Of all columns, in order."""

    def first(self) -> list[pa.RecordBatch]:
        """The first batch, with all columns, or none. Raises as `batches`."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Batches with these columns, in this order. Raises OSError and ValueError (Arrow's errors are such)."""


def open_columns(file: IO[bytes], head: bytes) -> ColumnFile:
    """A file by its first bytes. Raises OSError and ValueError if it is damaged."""
    if head.startswith(b"PAR1"):
        return _ParquetFile(file)
    return _ArrowFile(file, is_stream=not head.startswith(b"ARROW1"))


class _ParquetFile:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = pq.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False)
        schema = self._file.schema_arrow
        self.names = _distinct(_leaves(schema))
        self._has_repeated_names = len(set(schema.names)) < len(schema.names)

    def first(self) -> list[pa.RecordBatch]:
        return list(islice(self.batches(self.names), 1))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        roots = None if self._has_repeated_names else _roots(columns, self._file.schema_arrow)
        rows = _rows(len(columns))
        for batch in self._file.iter_batches(rows, columns=roots, use_threads=False):
            yield _chosen(batch, columns)


class _ArrowFile:
    def __init__(self, file: IO[bytes], is_stream: bool) -> None:
        opened = pa.PythonFile(file, mode="r")
        if is_stream:
            file.seek(-len(_END), io.SEEK_END)
            if file.read() != _END:
                raise ValueError("the mark of its end is missing")
            file.seek(0)
            stream = pa.ipc.open_stream(opened)
            self.names = _distinct(_leaves(stream.schema))
            self._batches: Iterator[pa.RecordBatch] = iter(stream)
        else:
            reader = pa.ipc.open_file(opened)
            self.names = _distinct(_leaves(reader.schema))
            self._batches = (reader.get_batch(number) for number in range(reader.num_record_batches))

    def first(self) -> list[pa.RecordBatch]:
        begin = list(islice(self._batches, 1))
        self._batches = chain(begin, self._batches)
        return [_chosen(batch.slice(0, _rows(len(self.names))), self.names) for batch in begin]

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        rows = _rows(len(columns))
        for batch in self._batches:
            for start in range(0, batch.num_rows, rows):
                yield _chosen(batch.slice(start, rows), columns)


def _rows(columns: int) -> int:
    return max(FEWEST_ROWS, BATCH_CELLS // max(1, columns))


def _chosen(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
    table = pa.Table.from_batches([batch])
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    names = _distinct(table.schema.names)
    arrays = [_single(table.column(names.index(name))) for name in columns]
    return pa.RecordBatch.from_arrays(arrays, list(columns)) if arrays else _without_columns(table.num_rows)


def _single(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    combined = column.combine_chunks()
    return combined.combine_chunks() if isinstance(combined, pa.ChunkedArray) else combined


def _without_columns(rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(rows)], [""]).select([])


def _leaves(schema: pa.Schema) -> list[str]:
    table = schema.empty_table()
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return list(table.schema.names)


def _roots(columns: Sequence[str], schema: pa.Schema) -> list[str]:
    """The top-level columns that contain these."""
    return [name for name in schema.names if any(c == name or c.startswith(f"{name}.") for c in columns)]


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of columns; the second one of a name is `name 2`, as in CSV."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return distinct
