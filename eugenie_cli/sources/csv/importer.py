"""Imports CSV files: historian exports, data loggers. Files are streamed, so memory does not grow with their size."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from eugenie_cli.errors import EugenieError
from eugenie_cli.files import sha256
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.progress import Advance
from eugenie_cli.readings.mapping import bind_file
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.csv.companions import ColumnNotes, bases_of
from eugenie_cli.sources.csv.files import HEAD_BYTES, matching, opened, status_of, without_gz
from eugenie_cli.sources.csv.headers import Header, read_header
from eugenie_cli.sources.csv.lines import Block, Decoder, Framer
from eugenie_cli.sources.csv.quotes import QuoteRules
from eugenie_cli.sources.csv.rejected_rows import Ragged, Rejections, rows_of
from eugenie_cli.sources.csv.settings import CsvSettings
from eugenie_cli.sources.interface import SourceItem, Tally, router_of
from eugenie_cli.sources.records.reader import RecordReader

BLOCK_BYTES = 4 << 20  # the fastest of 1 to 8 MiB: the fixed cost of a block is amortized, memory stays small


class CsvImporter:
    """Reads the files of a `csv` source."""

    def __init__(self, source: CsvSettings, site: Site) -> None:
        self._source, self._site = source, site
        self._base = site.base.resolve()
        self._mapping = source.readings.model_dump(mode="json")
        self._router = router_of(site)

    def items(self) -> Sequence[SourceItem]:
        """The files that match the source's path, sorted, with unreadable ones: reading those raises the error."""
        pattern = self._site.resolve(self._source.path)
        paths = matching(pattern)
        if not paths:
            raise EugenieError(
                f"source {self._source.name}: no file matches {printable(str(pattern))}",
                hint=f"correct `path` of the source in {self._site.file}",
            )
        return [self._item(path) for path in paths]

    def _item(self, path: Path) -> SourceItem:
        """A file, with a key relative to the site's folder, so that it is recognized after the folder was moved."""
        inside = path.is_relative_to(self._base)
        key = str(path.relative_to(self._base)) if inside else str(path)
        state = _state(path)
        names = {name: part["const"] for name, part in self._bound(path).items() if part != self._mapping[name]}
        return SourceItem(key, state.get("size", 0), state, (str(path),) if inside else (), names)

    def _bound(self, path: Path) -> dict[str, Any]:
        """The mapping of a file, with its patterns filled in."""
        return bind_file(self._mapping, str(without_gz(path)))

    def missing(self, key: str) -> str:
        """Why `items` no longer contains an imported item."""
        try:
            exists = (self._base / key).exists()
        except OSError as error:
            return f"its file cannot be accessed: {error.strerror}"
        return "the source's `path` does not match it" if exists else "its file is gone"

    def settings(self) -> Mapping[str, Any]:
        """The source's own settings, the time zone, and the routing table."""
        return {
            "source": self._source.model_dump(mode="json", exclude={"name", "path"}),
            "timezone": self._site.timezone,
            "routes": sorted([str(field) for field in route] for route in self._router.table()),
        }

    def digest(self, item: SourceItem) -> str:
        """SHA-256 of the file. Raises EugenieError if it cannot be read."""
        path = self._base / item.key
        status_of(path)
        try:
            return sha256(path)
        except OSError as error:
            raise EugenieError(
                f"{printable(str(path))} cannot be read: {error.strerror}",
                hint="let the user that runs eugenie read the file, and check the disk or the network share",
            ) from error

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
        if _state(path) != item.state:
            raise EugenieError(
                f"{printable(str(path))} changed while it was read", hint="import again when it is complete"
            )

    def _read(self, path: Path, tally: Tally, advance: Advance) -> Iterator[Batch]:
        rules, decoder = QuoteRules(self._source.delimiter), self._decoder()
        with opened(path, self._source.encoding, advance) as file:
            head = decoder(file.read(HEAD_BYTES))
            while head.endswith(b"\r") and (more := file.read(4)):  # perhaps half of a CRLF
                head += decoder(more)
            while head.startswith(codecs.BOM_UTF8):
                head = head.removeprefix(codecs.BOM_UTF8)
            header = read_header(printable(str(path)), head, self._source, rules, decoder)
            reader = self._reader(path, header)
            column_notes = ColumnNotes(reader, self._bases, self._source.readings)
            rejections = Rejections(tally, path.name)
            framer = Framer(rules, self._source.encoding, decoder, reader.is_row)
            for block in framer.blocks(partial(file.read, BLOCK_BYTES), head[header.end :], header.lines + 1):
                records, ragged = self._parsed(block, header)
                batch, refusals = reader.read(records)
                column_notes.inspect(records)
                rejections.add(block, records, reader, refusals, ragged)
                yield batch
        column_notes.report(tally)

    def _decoder(self) -> Decoder:
        try:
            return Decoder(self._source.encoding)
        except LookupError as error:
            raise EugenieError(
                f"source {self._source.name}: {error}",
                hint="set the source's `encoding` to one that Python knows: utf-8, utf-16, cp1252, latin-1, cp1254",
            ) from error

    @cached_property
    def _bases(self) -> frozenset[str]:
        """The normalized tags and sensors, with which the names of companion columns begin or end."""
        tags = {tag for asset in self._site.assets.values() for tag in asset.tags.values()}
        return bases_of(tags | {name for equipment in self._site.classes.values() for name in equipment.sensor_names})

    def _reader(self, path: Path, header: Header) -> RecordReader:
        mapping = self._bound(path)
        asset = (mapping["asset"] or {}).get("const")
        if asset is not None and asset.strip() not in self._site.assets:
            raise EugenieError(
                f"{printable(str(path))}: the site has no asset {asset!r}",
                hint="add it to `assets`, or narrow the source's `path` to the files of the site's assets",
            )
        if header.spare:
            mapping = {**mapping, "ignore": [*mapping["ignore"], header.names[-1]]}
        return RecordReader(mapping, self._site.timezone, self._router, header.names)

    def _parsed(self, block: Block, header: Header) -> tuple[pa.RecordBatch, list[Ragged]]:
        """A block's records, every column as text exactly as written, and its rows with a wrong number of fields."""
        ragged: list[Ragged] = []
        width = len(header.names) - header.spare

        def skip(row: pa_csv.InvalidRow) -> str:
            ragged.append(Ragged.of(row.number - 1, row.actual_columns, width, row.text))
            return "skip"

        names, text = list(header.names), pa.string()
        empty = pa.RecordBatch.from_arrays([pa.array([], text)] * len(names), names)
        if not block.data:
            return empty, ragged
        table = pa_csv.read_csv(
            pa.BufferReader(block.data),
            # one thread: only then is the position of a malformed row known
            pa_csv.ReadOptions(column_names=names, block_size=len(block.data) + 1, use_threads=False),
            pa_csv.ParseOptions(
                delimiter=self._source.delimiter, invalid_row_handler=skip, newlines_in_values=bool(block.joined)
            ),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(names, text), strings_can_be_null=False),
        )
        records = table.combine_chunks().to_batches()[0] if table.num_rows else empty
        return self._check_spare(records, ragged) if header.spare else (records, ragged)

    def _check_spare(self, records: pa.RecordBatch, ragged: list[Ragged]) -> tuple[pa.RecordBatch, list[Ragged]]:
        """Turn rows with text after the trailing delimiter, which the header lacks, into ragged ones."""
        filled = pc.not_equal(records.column(records.num_columns - 1), "")
        if not pc.any(filled).as_py():
            return records, ragged
        rows = rows_of(records, ragged)
        for record in np.flatnonzero(filled.to_numpy(zero_copy_only=False)).tolist():
            fields = [column[record].as_py() for column in records.columns]
            text = self._source.delimiter.join(fields)
            ragged.append(Ragged.of(int(rows[record]), len(fields), len(fields) - 1, text))
        return records.filter(pc.invert(filled)), sorted(ragged, key=lambda row: row.row)


def _state(path: Path) -> dict[str, Any]:
    """Changes whenever the file may have changed. Empty if it cannot be accessed: reading it raises the error."""
    try:
        status = status_of(path)
    except EugenieError:
        return {}
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
