"""Imports JSON files. Lines and records are read in batches, so memory does not grow with a file's size."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, BinaryIO

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.progress import Advance
from eugenie_cli.readings.mapping import PARTS, WHOLE
from eugenie_cli.readings.members import paths_of
from eugenie_cli.sources.files.importer import WholeFileImporter
from eugenie_cli.sources.files.kinds import HEAD, encoding_of
from eugenie_cli.sources.files.opening import check_kind, streamed
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.json.documents import Outline, by_place, outlines, records
from eugenie_cli.sources.json.messages import MessageReader
from eugenie_cli.sources.json.scanner import NotJson, Scanner

BATCH_RECORDS = 20_000
BLOCK_BYTES = 8 << 20
FIRST_BYTES = 1 << 16
"""The beginning of a file, by which lines are told from a document."""
FIRST_LINES = 20
_PLACE = re.compile(r"(?:^|\.)[0-9]+(?:\.|$)")


class JsonImporter(WholeFileImporter):
    """Reads the files of a `json` source."""

    def read_file(self, path: Path, tally: Tally, advance: Advance) -> Iterator[Batch]:
        where = printable(str(path))
        reader = MessageReader(self.mapping_of(path), self._site.timezone, self._router, tally, self._bases)
        with streamed(path, advance) as file:
            head = _head(file)
            check_kind(path, head[:HEAD], "json", "JSON")
            encoding = encoding_of(head)
            text = head.decode(encoding, "replace")
            if in_lines(text):
                yield from self._lines(file, encoding, reader, printable(path.name))
                return
        try:
            yield from self._documents(path, advance, encoding, reader)
        except NotJson as error:
            raise EugenieError(f"{where} {error}", "copy or export it again; nothing of it is imported") from error
        except UnicodeDecodeError as error:
            raise EugenieError(
                f"{where} is not {encoding} text: {error.reason} at byte {error.start}", "export it as UTF-8"
            ) from error

    # -- lines -----------------------------------------------------------------------------------------

    def _lines(self, file: BinaryIO, encoding: str, reader: MessageReader, name: str) -> Iterator[Batch]:
        number = 1
        for lines in _blocks(file, encoding):
            numbers = [number + index for index, line in enumerate(lines) if line and not line.isspace()]
            payloads = [lines[index - number] for index in numbers]
            number += len(lines)

            def place(index: int, numbers: Sequence[int] = numbers) -> str:
                return f"{name}:{numbers[index]}"

            yield reader.lines(payloads, place)

    # -- documents -------------------------------------------------------------------------------------

    def _documents(self, path: Path, advance: Advance, encoding: str, reader: MessageReader) -> Iterator[Batch]:
        given = self._source.readings.records
        with streamed(path, lambda _: None) as file:
            documents = outlines(_scanner(file, encoding), given or WHOLE)
        self._check(documents, path)
        name = printable(path.name)
        with streamed(path, advance) as file:
            found = records(_scanner(file, encoding), given or WHOLE, documents, name)
            if self._has_places():
                found = (record._replace(value=by_place(record.value)) for record in found)
            while batch := list(islice(found, BATCH_RECORDS)):
                for _, group in groupby(batch, key=lambda record: id(record.around)):
                    yield reader.records(list(group))
            if given is None:
                single = [outline.document for outline in documents if not outline.found]
                payloads = [json.dumps(document).encode() for document in single]
                if payloads:
                    yield reader.lines(payloads, lambda index: f"{name}:document {index + 1}")

    def _has_places(self) -> bool:
        """Whether a path names elements of an array by their places: `path: 0`, as for Prometheus' [instant, value]."""
        return any(_PLACE.search(path) for part in PARTS for path in paths_of(self._mapping.get(part)))

    def _check(self, documents: Sequence[Outline], path: Path) -> None:
        """Raise EugenieError if the records are not where the mapping says."""
        given, where = self._source.readings.records, printable(str(path))
        for outline in documents:
            arrays = ", ".join(f"records: {found}" for found in _arrays(outline.document))
            if given is None and not outline.found and arrays:
                raise EugenieError(
                    f"{where} is an object with arrays of objects, and the mapping does not say which are the records",
                    hint=f"write in the source's `readings`: {arrays}",
                )
            if given is not None and not outline.found:
                hint = f"write `{arrays}`" if arrays else "correct it"
                if isinstance(outline.document, list):
                    hint = "the file is an array: remove `records`"
                raise EugenieError(f"{where}: there is no array at {given!r}, the `records` of the mapping", hint=hint)


def in_lines(head: str) -> bool:
    """Whether a text has a message in each line, by its beginning: its first line is one, or half of the first lines
    are.
    """
    lines = head.split("\n")
    whole = [line for line in lines[:-1] if line.strip()][:FIRST_LINES]
    if not whole or (len(whole) == 1 and not lines[-1].strip()):
        return False  # one line, or its beginning: a document
    read = [_is_message(line) for line in whole]
    return read[0] or (whole[0].lstrip().startswith("{") and 2 * sum(read) > len(read))


def _is_message(line: str) -> bool:
    try:
        return isinstance(json.loads(line), (dict, list))
    except (ValueError, RecursionError):
        return False


def _arrays(document: Any, before: str = "") -> list[str]:
    """Paths of the arrays of objects in an object, the shortest first."""
    if not isinstance(document, dict):
        return []
    lists = [(name, value) for name, value in document.items() if isinstance(value, list)]
    here = [name for name, value in lists if value and isinstance(value[0], dict)]
    below = [path for name, value in document.items() for path in _arrays(value, f"{before}{name}.")]
    return [f"{before}{name}" for name in here] + below


def _head(file: BinaryIO) -> bytes:
    peek = getattr(file, "peek", None)
    assert peek is not None  # noqa: S101 - `streamed` returns buffered readers
    head: bytes = peek(FIRST_BYTES)
    return head[:FIRST_BYTES]


def _scanner(file: BinaryIO, encoding: str) -> Scanner:
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    return Scanner(lambda count: text.read(count).removeprefix("\ufeff"))


def _blocks(file: BinaryIO, encoding: str) -> Iterator[list[bytes]]:
    """The lines of a file as UTF-8, block by block."""
    if not encoding.startswith("utf-8"):
        text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
        read = lambda: text.read(BLOCK_BYTES).removeprefix("\ufeff").encode("utf-8", "replace")  # noqa: E731
    else:
        read = lambda: file.read(BLOCK_BYTES)  # noqa: E731
    rest = b""
    while block := read():
        lines = (rest + block).replace(b"\r\n", b"\n").split(b"\n")
        rest = lines.pop()
        yield lines
    if rest:
        yield [rest]
