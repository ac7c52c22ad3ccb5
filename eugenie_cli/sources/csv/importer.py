"""Imports CSV files: historian exports, data loggers. Files are streamed, so memory does not grow with their size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.progress import Advance
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.csv.files import HEAD_BYTES, marked_encoding, opened
from eugenie_cli.sources.csv.growth import Resumption, digests, may_grow, whole_lines
from eugenie_cli.sources.csv.settings import CsvSettings
from eugenie_cli.sources.files.finding import state_of, status_of
from eugenie_cli.sources.files.importer import FileImporter
from eugenie_cli.sources.files.opening import opened_between
from eugenie_cli.sources.interface import SourceItem, Tally
from eugenie_cli.sources.records.unclear_days import UnclearDaysError

if TYPE_CHECKING:  # what reads files takes a while to import, and is not needed if no file has changed
    from eugenie_cli.sources.csv.lines import Decoder
    from eugenie_cli.sources.csv.reading import FileReading

BLOCK_BYTES = 4 << 20  # the fastest of 1 to 8 MiB: the fixed cost of a block is amortized, memory stays small


class CsvImporter(FileImporter):
    """Reads the files of a `csv` source."""

    _source: CsvSettings

    def __init__(self, source: CsvSettings, site: Site) -> None:
        super().__init__(source, site)
        self._digests: dict[str, str] = {}  # of files that may grow
        self._encodings: dict[Path, str] = {}
        self._growing: set[str] = set()  # keys of files that are longer than when they were imported

    def digest(self, item: SourceItem) -> str:
        """SHA-256 of the file, as long as it was when it was listed. Raises EugenieError if it cannot be read."""
        path = self._base / item.key
        if item.key not in self._digests and self._may_grow(path) and "size" in item.state:
            try:
                self._digests[item.key] = digests(path, (item.state["size"],))[0]
            except EOFError:
                raise self._changed(path) from None
            except OSError:
                return super().digest(item)  # raises the error in words
        return self._digests.get(item.key) or super().digest(item)

    def read(self, item: SourceItem, tally: Tally, advance: Advance) -> Iterator[Batch]:
        """The file's readings, block by block. Raises EugenieError if it cannot be read as configured."""
        path = self._base / item.key
        with self._in_words(path):
            yield from self._read(path, item, tally, advance)

    def continues(self, item: SourceItem, state: Mapping[str, Any]) -> bool:
        """Whether a file only has more lines than when it was imported, so that `read_on` can read those."""
        path = self._base / item.key
        former, size = state["item"].get("size"), item.state.get("size")
        if not former or size is None or size < former or not self._may_grow(path):
            return False
        try:
            before, self._digests[item.key] = digests(path, (former, size))
        except (OSError, EOFError):
            return False  # reading it raises the error
        if before != state["digest"]:
            return False
        self._growing.add(item.key)
        resumption = Resumption.of(state)
        return resumption is not None and self._header(path) == resumption.header

    def read_on(self, item: SourceItem, state: Mapping[str, Any], tally: Tally, advance: Advance) -> Iterator[Batch]:
        """The readings of the lines that a file has more than when it was imported. Raises EugenieError."""
        path = self._base / item.key
        if state["item"] == dict(item.state):  # at rest since the last import: its last line is complete
            self._growing.discard(item.key)
        with self._in_words(path):
            yield from self._read(path, item, tally, advance, Resumption.of(state))

    @contextmanager
    def _in_words(self, path: Path) -> Iterator[None]:
        try:
            yield
        except UnclearDaysError as error:
            raise error.of_file(printable(str(path))) from error
        except UnicodeError as error:  # raised by codecs that cannot replace damaged text, such as idna
            raise EugenieError(
                f"{printable(str(path))} cannot be read as {self._encoding(path)} text: {printable(str(error), 200)}",
                hint="correct the source's `encoding`: utf-8, utf-16, cp1252, latin-1, cp1254",
            ) from error
        except pa.ArrowInvalid as error:
            raise EugenieError(
                f"{printable(str(path))} cannot be read: {printable(str(error), 200)}",
                hint="check `delimiter` and `encoding` of the source in the site file",
            ) from error

    def _read(
        self, path: Path, item: SourceItem, tally: Tally, advance: Advance, resumption: Resumption | None = None
    ) -> Iterator[Batch]:
        reading, end = self._reading(path, tally), self._end(path, item)
        with opened(path, self._encoding(path), advance if resumption is None else _silent, end) as file:
            rest, lines = reading.begin(file, HEAD_BYTES)
            if resumption is None:
                reading.check_above()
                reading.check_names()
                yield from reading.rows(partial(file.read, BLOCK_BYTES), rest, lines)
        if resumption is not None and end is not None:
            with opened_between(path, resumption.at, end, advance) as file:
                yield from reading.rows(partial(file.read, BLOCK_BYTES), b"", resumption.lines)
        self._check_unchanged(path, item)
        if end is not None and reading.lines is not None and whole_lines(path, end) == end:
            tally.resume = Resumption(end, reading.lines, reading.header).state()
        tally.pending = end is not None and end < item.state["size"]
        if tally.pending:
            tally.gap(f"{printable(path.name)}: its last line is not complete yet; a later import reads it")

    def _reading(self, path: Path, tally: Tally) -> FileReading:
        from eugenie_cli.sources.csv.reading import FileReading
        from eugenie_cli.sources.csv.tables import Context

        where, mapping = printable(str(path)), self.mapping_of(path)
        context = Context(where, self._source, mapping, self._site.timezone, self._router, self._bases)
        return FileReading(context, self._decoder(path), tally, path.name)

    def _encoding(self, path: Path) -> str:
        """The source's encoding, unless the file's byte order mark says another one."""
        if path not in self._encodings:
            self._encodings[path] = marked_encoding(path) or self._source.encoding
        return self._encodings[path]

    def _may_grow(self, path: Path) -> bool:
        readings = self._source.readings
        if readings.ts.date is not None or readings.fill:  # a row depends on those before it
            return False
        try:
            return may_grow(path, self._encoding(path))
        except (LookupError, UnicodeError):  # reading the file raises the error
            return False

    def _end(self, path: Path, item: SourceItem) -> int | None:
        """Up to where a file is read: what it had when it was listed, without half a row if it grows. None: its end."""
        size = item.state.get("size")
        if size is None or not self._may_grow(path):
            return None
        grows = item.key in self._growing or status_of(path).st_size > size
        return (whole_lines(path, size) or size) if grows else size

    def _header(self, path: Path) -> str | None:
        """The digest of a file's header; None if it cannot be read."""
        try:
            reading = self._reading(path, Tally())
            with opened(path, self._encoding(path), _silent) as file:
                reading.begin(file, HEAD_BYTES)
                return reading.header
        except (EugenieError, UnicodeError):
            return None

    def _check_unchanged(self, path: Path, item: SourceItem) -> None:
        """Raise EugenieError if a file changed while it was read, unless lines were only appended."""
        current = state_of(path)
        if current and current.items() <= item.state.items():
            return
        size = item.state.get("size", 0)
        if item.key in self._digests and current.get("size", -1) >= size:
            with suppress(OSError, EOFError):
                if digests(path, (size,)) == [self._digests[item.key]]:
                    return
        raise self._changed(path)

    @staticmethod
    def _changed(path: Path) -> EugenieError:
        return EugenieError(
            f"{printable(str(path))} changed while it was read", hint="import again when it is complete"
        )

    def _decoder(self, path: Path) -> Decoder:
        from eugenie_cli.sources.csv.lines import Decoder

        try:
            return Decoder(self._encoding(path))
        except LookupError as error:
            raise EugenieError(
                f"source {self._source.name}: {error}",
                hint="set the source's `encoding` to one that Python knows: utf-8, utf-16, cp1252, latin-1, cp1254",
            ) from error


def _silent(_amount: float) -> None:
    """For what is read twice."""
