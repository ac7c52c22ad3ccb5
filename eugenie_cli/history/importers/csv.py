"""CSV files: historian exports, data loggers. Streamed, so memory does not grow with a file."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.csv as pa_csv

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.importers.importer import EXAMPLES, SourceItem, Tally, router_of
from eugenie_cli.history.importers.records import RecordReader, Refusals
from eugenie_cli.progress import Advance
from eugenie_cli.readings import reasons
from eugenie_cli.readings.mapping import bind_file
from eugenie_cli.site.model import CsvSource, Part, Site

BLOCK_BYTES = 4 << 20  # of 1 to 8 MiB the quickest: what a block costs in itself is spread, memory stays small
SHOWN_COLUMNS = 12  # in an error
SHOWN_TEXT = 80  # of a malformed row


class CsvImporter:
    """Reads the files of a `csv` source."""

    def __init__(self, source: CsvSource, site: Site) -> None:
        self._source, self._site = source, site
        self._router = router_of(site)

    def items(self) -> Sequence[SourceItem]:
        """The files that match the source's path, sorted."""
        pattern = self._site.resolve(self._source.path)
        found = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
        paths = sorted(path for path in found if path.is_file())
        if not paths:
            raise EugenieError(
                f"source {self._source.name}: no file matches {pattern}",
                hint=f"correct `path` of the source in {self._site.file}",
            )
        return [self._item(path) for path in paths]

    def _item(self, path: Path) -> SourceItem:
        try:
            status = path.stat()
        except OSError as error:
            raise EugenieError(f"{path}: {error.strerror}") from error
        return SourceItem(str(path), status.st_size, {"size": status.st_size, "mtime_ns": status.st_mtime_ns})

    def settings(self) -> Mapping[str, Any]:
        """The source's own settings, the time zone, and the names that readings are given."""
        return {
            "source": self._source.model_dump(mode="json", exclude={"name", "path"}),
            "timezone": self._site.timezone,
            "routes": sorted([str(field) for field in route] for route in self._router.table()),
        }

    def digest(self, item: SourceItem) -> str:
        """SHA-256 of the file."""
        digest = hashlib.sha256()
        with Path(item.key).open("rb") as file:
            while chunk := file.read(BLOCK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def read(self, item: SourceItem, tally: Tally, advance: Advance) -> Iterator[Batch]:
        """The file's readings, block by block. Raises EugenieError for a file that cannot be read as
        configured.
        """
        path = Path(item.key)
        try:
            yield from self._read(path, tally, advance)
        except UnicodeDecodeError as error:
            raise EugenieError(
                f"{path} is not {self._source.encoding} text: {error.reason}",
                hint="set the source's `encoding`",
            ) from error
        except (OSError, LookupError, pa.ArrowInvalid) as error:
            raise EugenieError(f"{path} cannot be read: {error}") from error
        if self._item(path).state != item.state:
            raise EugenieError(f"{path} changed while it was read", hint="import again when it is complete")

    def _read(self, path: Path, tally: Tally, advance: Advance) -> Iterator[Batch]:
        columns = self._header(path)
        mapping = bind_file(self._source.readings.model_dump(mode="json"), str(path))
        asset = (mapping["asset"] or {}).get("const")
        if asset is not None and asset.strip() not in self._site.assets:
            raise EugenieError(
                f"{path}: the site has no asset {asset!r}",
                hint="add it to `assets`, or narrow the source's `path` to the files of the site's assets",
            )
        reader = RecordReader(mapping, self._site.timezone, self._router, columns)
        tally.unknown_columns.extend(reader.unknown_columns())
        places = _Places(tally)
        with path.open("rb") as raw:
            counted = _Counted(raw, advance)
            blocks = self._blocks(_plain(counted, path), columns, places)
            while block := next(blocks, None):
                batch, refusals = reader.read(block)
                for refusal in refusals:
                    places.refuse(reader, block, refusal)
                places.records += block.num_rows
                yield batch
        places.report(path, self._source.encoding)

    def _blocks(self, file: BinaryIO, columns: Sequence[str], places: _Places) -> Iterator[pa.RecordBatch]:
        """Blocks of records, every column text exactly as written."""
        stream = pa_csv.open_csv(
            file,
            # one thread: only then does a malformed row say where it is
            pa_csv.ReadOptions(
                column_names=list(columns),
                skip_rows=1,
                block_size=BLOCK_BYTES,
                encoding=self._source.encoding,
                use_threads=False,
            ),
            pa_csv.ParseOptions(delimiter=self._source.delimiter, invalid_row_handler=places.ragged),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False),
        )
        yield from stream

    def _header(self, path: Path) -> list[str]:
        """The column names: unnamed ones become `column 3`, and of two of one name the second `name 2`."""
        with (
            path.open("rb") as raw,
            io.TextIOWrapper(_plain(raw, path), self._source.encoding, newline="") as text,
        ):
            first = next(csv.reader(text, delimiter=self._source.delimiter), [])
        names: list[str] = []
        for place, written in enumerate(first, 1):
            name = written.lstrip("\ufeff").strip() or f"column {place}"
            names.append(name if name not in names else f"{name} {names.count(name) + 1}")
        self._check(path, names)
        return names

    def _check(self, path: Path, names: Sequence[str]) -> None:
        """Raise EugenieError when the mapping needs a column that the file does not have."""
        readings = self._source.readings
        parts: dict[str, Part | None] = {"ts": readings.ts, "asset": readings.asset}
        if readings.shape == "long":
            parts |= {"value": readings.value}
        for name, part in parts.items():
            if part is not None and part.path is not None and part.path not in names:
                shown = ", ".join(names[:SHOWN_COLUMNS]) + (" ..." if len(names) > SHOWN_COLUMNS else "")
                raise EugenieError(
                    f"{path}:1: there is no column {part.path!r} for {name}; columns: {shown or 'none'}",
                    hint="correct `readings` or `delimiter` of the source in the site file",
                )


class _Counted(io.RawIOBase):
    """A binary file that tells how far it was read."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self._file, self._advance = file, advance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self._advance(count)
        return count


def _plain(file: Any, path: Path) -> BinaryIO:
    """The file, unpacked when its name ends in .gz."""
    return cast(BinaryIO, gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else io.BufferedReader(file))


class _Places:
    """Where in the file rejected records are. A row's number counts the lines that are not blank, from 1."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._examples: list[tuple[int, str, str]] = []
        self._ragged: list[int] = []
        self.records = 0

    def ragged(self, row: pa_csv.InvalidRow) -> str:
        """A row of too few or too many fields."""
        self._ragged.append(row.number)
        if self._tally.reject(reasons.MISSING_FIELD, 1) >= len(self._ragged):
            self._examples.append((-row.number, reasons.MISSING_FIELD, _fields(row)))
        return "skip"

    def refuse(self, reader: RecordReader, block: pa.RecordBatch, refusal: Refusals) -> None:
        """Count refusals of a block, and keep the first few of each reason."""
        kept = sum(reason == refusal.reason for _, reason, _ in self._examples)
        self._tally.reject(refusal.reason, len(refusal.records))
        for record in refusal.records[: max(0, EXAMPLES - kept)].tolist():
            detail = reader.explain(block, record, refusal.column)
            self._examples.append((self.records + record, refusal.reason, detail))

    def report(self, path: Path, encoding: str) -> None:
        """Hand the examples over, each with its line."""
        numbered = sorted((self._number(place), reason, detail) for place, reason, detail in self._examples)
        lines = _lines(path, encoding, [number for number, _, _ in numbered])
        for line, (_, reason, detail) in zip(lines, numbered, strict=True):
            self._tally.example(reason, f"{path.name}:{line}", detail)

    def _number(self, place: int) -> int:
        """The row of a record (counted from 0, without ragged rows) or of a ragged row (given as -number)."""
        if place < 0:
            return -place
        number = place + 2  # the header is row 1
        for ragged in sorted(self._ragged):
            if ragged > number:
                break
            number += 1
        return number


def _fields(row: pa_csv.InvalidRow) -> str:
    return f"{row.actual_columns} fields, expected {row.expected_columns}: {row.text[:SHOWN_TEXT]}"


def _lines(path: Path, encoding: str, numbers: Sequence[int]) -> list[int]:
    """The lines of a file on which rows stand; `numbers` is sorted. Reads no further than the last."""
    found: list[int] = []
    if not numbers:
        return found
    with path.open("rb") as raw, io.TextIOWrapper(_plain(raw, path), encoding, newline="\n") as text:
        row = 0
        for line, content in enumerate(text, 1):
            row += content not in ("\n", "\r\n")
            while len(found) < len(numbers) and numbers[len(found)] == row:
                found.append(line)
            if len(found) == len(numbers):
                break
    return found
