"""Compressed files, by their names: gzip, bzip2 and xz."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
"""What is raised for compressed data that are cut off or damaged; bzip2 raises a plain OSError without a number."""


class Compression(NamedTuple):
    """`begins`: the first bytes of such a file; `opened`: its bytes -> what they are decompressed."""

    name: str
    begins: bytes
    opened: Callable[[BinaryIO], BinaryIO]


_OF_SUFFIX = {
    ".gz": Compression("gzip", b"\x1f\x8b", lambda raw: cast(BinaryIO, gzip.GzipFile(fileobj=raw))),
    ".bz2": Compression("bzip2", b"BZh", lambda raw: cast(BinaryIO, bz2.BZ2File(raw))),
    ".xz": Compression("xz", b"\xfd7zXZ\0", lambda raw: cast(BinaryIO, lzma.LZMAFile(raw))),  # noqa: SIM115 - whoever opens raw closes it
}
SUFFIXES = tuple(_OF_SUFFIX)


def compression_of(path: Path) -> Compression | None:
    """How a file is compressed, by its name; None if it is not."""
    return _OF_SUFFIX.get(path.suffix.lower())


def compression_within(path: Path, head: bytes) -> tuple[str, Compression] | None:
    """(suffix, compression) of a file whose first bytes show a compression that its name does not say."""
    if compression_of(path) is not None:
        return None
    return next((found for found in _OF_SUFFIX.items() if head.startswith(found[1].begins)), None)


def is_damage(error: BaseException) -> bool:
    """Whether an error says that compressed data are damaged, rather than that a file cannot be read."""
    return isinstance(error, DAMAGED) or (isinstance(error, OSError) and error.errno is None)


def without_compression(path: Path) -> Path:
    """A path without the suffix of its compression: `x.csv.gz` -> `x.csv`."""
    return path if compression_of(path) is None else path.with_suffix("")
