"""Imports CSV files: historian exports, data loggers. Files are streamed, so memory does not grow with their size."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.progress import Advance
from eugenie_cli.sources.csv.files import HEAD_BYTES, opened
from eugenie_cli.sources.csv.lines import Decoder
from eugenie_cli.sources.csv.reading import FileReading
from eugenie_cli.sources.csv.settings import CsvSettings
from eugenie_cli.sources.csv.tables import Context
from eugenie_cli.sources.files.finding import state_of
from eugenie_cli.sources.files.importer import FileImporter
from eugenie_cli.sources.interface import SourceItem, Tally

BLOCK_BYTES = 4 << 20  # the fastest of 1 to 8 MiB: the fixed cost of a block is amortized, memory stays small


class CsvImporter(FileImporter):
    """Reads the files of a `csv` source."""

    _source: CsvSettings

    def read(self, item: SourceItem, tally: Tally, advance: Advance) -> Iterator[Batch]:
        """The file's readings, block by block. Raises EugenieError if it cannot be read as configured."""
        path = self._base / item.key
        try:
            yield from self._read(path, tally, advance)
        except UnicodeError as error:  # raised by codecs that cannot replace damaged text, such as idna
            raise EugenieError(
                f"{printable(str(path))} cannot be read as {self._source.encoding} text: {printable(str(error), 200)}",
                hint="correct the source's `encoding`: utf-8, utf-16, cp1252, latin-1, cp1254",
            ) from error
        except pa.ArrowInvalid as error:
            raise EugenieError(
                f"{printable(str(path))} cannot be read: {printable(str(error), 200)}",
                hint="check `delimiter` and `encoding` of the source in the site file",
            ) from error
        current = state_of(path)
        if not current or not current.items() <= item.state.items():
            raise EugenieError(
                f"{printable(str(path))} changed while it was read", hint="import again when it is complete"
            )

    def _read(self, path: Path, tally: Tally, advance: Advance) -> Iterator[Batch]:
        context = Context(
            printable(str(path)), self._source, self.mapping_of(path), self._site.timezone, self._router, self._bases
        )
        reading = FileReading(context, self._decoder(), tally, path.name)
        with opened(path, self._source.encoding, advance) as file:
            yield from reading.rows(partial(file.read, BLOCK_BYTES), *reading.begin(file, HEAD_BYTES))

    def _decoder(self) -> Decoder:
        try:
            return Decoder(self._source.encoding)
        except LookupError as error:
            raise EugenieError(
                f"source {self._source.name}: {error}",
                hint="set the source's `encoding` to one that Python knows: utf-8, utf-16, cp1252, latin-1, cp1254",
            ) from error
