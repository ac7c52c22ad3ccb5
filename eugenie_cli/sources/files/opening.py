"""Opens the files of a source: plain, compressed, or in a zip archive."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.progress import Advance
from eugenie_cli.sources.files.archives import inside, is_archive, member_opened
from eugenie_cli.sources.files.compression import DAMAGED, compression_of, is_damage
from eugenie_cli.sources.files.finding import permission_hint, status_of
from eugenie_cli.sources.files.kinds import LOCKED, kind_of, kind_of_text

IN_MEMORY = 64 << 20
"""Bytes of an unpacked file that are kept in memory; a larger one goes to a temporary file."""


class CountingFile(io.RawIOBase):
    """A binary file that reports to `advance` how many bytes were read, and ends after `limit` bytes, if given."""

    def __init__(self, file: BinaryIO, advance: Advance, limit: int | None = None) -> None:
        self._file, self._advance, self._left = file, advance, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._left is not None:
            buffer = memoryview(buffer)[: self._left]
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self._advance(count)
        if self._left is not None:
            self._left -= count
        return count


@contextmanager
def raw_bytes(path: Path) -> Iterator[BinaryIO]:
    """A file's bytes as they are, also of one in an archive. Raises EugenieError and OSError."""
    status_of(path)
    found = inside(path)
    with path.open("rb", buffering=0) if found is None else member_opened(*found) as raw:
        yield raw


@contextmanager
def opened_between(path: Path, start: int, end: int, advance: Advance) -> Iterator[BinaryIO]:
    """A part of a file's bytes. Raises EugenieError."""
    try:
        with raw_bytes(path) as raw:
            raw.seek(start)
            yield cast(BinaryIO, io.BufferedReader(CountingFile(raw, advance, end - start), 1 << 20))
    except OSError as error:
        raise _unreadable(printable(str(path)), error) from error


@contextmanager
def streamed(path: Path, advance: Advance, end: int | None = None) -> Iterator[BinaryIO]:
    """A file's bytes, decompressed if its name says how. Raises EugenieError, also within the block, if the file
    cannot be read or is cut off. `end`: of a file that may grow.
    """
    name = printable(str(path))
    try:
        with raw_bytes(path) as raw:
            counted = io.BufferedReader(CountingFile(raw, advance, end), 1 << 20)
            compression = compression_of(path)
            if compression is None:
                yield cast(BinaryIO, counted)
                return
            begin = counted.peek(8)
            if begin and not begin.startswith(compression.begins):
                raise EugenieError(
                    f"{name} is not compressed with {compression.name}", hint=f"rename it, without {path.suffix}"
                )
            unpacked = compression.opened(cast(BinaryIO, counted))
            yield cast(BinaryIO, io.BufferedReader(cast(Any, unpacked), 1 << 20))
    except (*DAMAGED, OSError) as error:
        if not is_damage(error):
            raise _unreadable(name, cast(OSError, error)) from error
        cut = "is cut off" if isinstance(error, EOFError) else f"is damaged ({error})"
        raise EugenieError(
            f"{name} {cut}: its compressed data cannot be read to the end",
            hint="copy or export it again; nothing of it is imported",
        ) from error


@contextmanager
def seekable(path: Path, advance: Advance) -> Iterator[IO[bytes]]:
    """As `streamed`, for formats that are not read from beginning to end. Progress: the whole file, at its end."""
    if inside(path) is None and compression_of(path) is None:
        try:
            with raw_bytes(path) as file:
                yield file
                advance(file.seek(0, io.SEEK_END))
        except OSError as error:
            raise _unreadable(printable(str(path)), error) from error
        return
    with streamed(path, advance) as file:
        begin = file.read(IN_MEMORY)
        if len(begin) < IN_MEMORY:
            yield io.BytesIO(begin)
            return
        with tempfile.TemporaryFile() as unpacked:
            unpacked.write(begin)
            del begin
            shutil.copyfileobj(file, unpacked, 1 << 20)
            unpacked.seek(0)
            yield unpacked


def _unreadable(name: str, error: OSError) -> EugenieError:
    return EugenieError(f"{name} cannot be read: {error.strerror or error}", hint=permission_hint(error))


def check_kind(path: Path, head: bytes, type: str, expected: str, unpacked: IO[bytes] | None = None) -> None:
    """Refuse a file of another kind than the source reads. `head`: its first bytes, unpacked; `type`: of the source;
    `expected`: what it reads, in words; `unpacked`: the whole file, if it is seekable. Raises EugenieError, which names
    the type that reads the file.
    """
    name = printable(str(path))
    if is_archive(path):  # one with files that can be listed is not read itself
        raise EugenieError(f"{name} contains no files, or is damaged", hint="copy or export it again, or remove it")
    if not head:
        raise EugenieError(f"{name} is empty", hint="export it again, or remove it")
    if unpacked is not None:
        kind = kind_of(head, unpacked)
        unpacked.seek(0)
    elif inside(path) is None and compression_of(path) is None:
        with path.open("rb") as file:
            kind = kind_of(head, file)
    else:
        kind = kind_of(head)
    kind = kind or kind_of_text(head)
    if kind is None:
        raise EugenieError(f"{name} is not {expected}", hint="narrow the source's `path` to files of its type")
    if kind.type != type:
        other = "" if kind is LOCKED and type == "excel" else f", not {expected}"
        raise EugenieError(f"{name} is {kind.what}{other}", hint=kind.next_step)
