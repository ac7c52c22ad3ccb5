"""Imports Parquet and Arrow files. A file is read batch by batch, so memory does not grow with its size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.progress import Advance
from eugenie_cli.sources.files.importer import WholeFileImporter
from eugenie_cli.sources.files.kinds import HEAD
from eugenie_cli.sources.files.opening import check_kind, seekable
from eugenie_cli.sources.files.tables import TableReading
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.parquet.columns import ColumnFile, open_columns

_DAMAGED = "copy or export it again; nothing of it is imported"


class ParquetImporter(WholeFileImporter):
    """Reads the files of a `parquet` source."""

    def read_file(self, path: Path, tally: Tally, advance: Advance) -> Iterator[Batch]:
        where = printable(str(path))
        context = self.context_of(path)
        with seekable(path, advance) as file:
            head = file.read(HEAD)
            check_kind(path, head, "parquet", "a Parquet or Arrow file", file)
            try:
                opened = open_columns(file, head)
            except (OSError, ValueError) as error:  # Arrow's errors are subclasses
                raise _damaged(where, error) from error
            context.check_columns(opened.names, "correct the paths in the source's `readings`")
            reading = TableReading(context, opened.names, tally)
            for first in _first(opened, where) if len(reading.needed) < len(opened.names) else ():
                reading.look(first)
            yield from reading.batches(_located(opened, reading.needed, where, printable(path.name)))


def _first(opened: ColumnFile, where: str) -> list[pa.RecordBatch]:
    """The first batch of a file, with all columns; none of an empty file."""
    try:
        return opened.first()
    except (OSError, ValueError) as error:
        raise _damaged(where, error) from error


def _located(
    opened: ColumnFile, columns: Sequence[str], where: str, name: str
) -> Iterator[tuple[pa.RecordBatch, Callable[[int], str]]]:
    """The batches of a file, with the row of a record in the file, from 1."""
    first = 1
    batches = opened.batches(columns)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except (OSError, ValueError) as error:
            raise _damaged(where, error) from error
        yield batch, partial(_place, name, first)
        first += batch.num_rows


def _place(name: str, first: int, record: int) -> str:
    return f"{name}:row {first + record}"


def _damaged(where: str, error: Exception) -> EugenieError:
    return EugenieError(f"{where} is cut off or damaged: {printable(str(error), 200)}", hint=_DAMAGED)
