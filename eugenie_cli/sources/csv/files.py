"""Opens CSV files, and recognizes files that are not the expected text."""

from __future__ import annotations

import codecs
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.progress import Advance
from eugenie_cli.sources.files import kinds
from eugenie_cli.sources.files.archives import is_archive
from eugenie_cli.sources.files.compression import DAMAGED, compression_of, compression_within
from eugenie_cli.sources.files.opening import raw_bytes, streamed

HEAD_BYTES = 4 << 20  # enough for a header of a hundred thousand columns
_WORKBOOK = "set the source's `type: excel`, or save its sheet as CSV"
_WIDE = ("utf-16", "utf-32")
_NEED_MARK = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}


def marked_encoding(path: Path) -> str | None:
    """The encoding that a file's byte order mark says, UTF-16 or UTF-32: no text in another one begins like that. None
    without such a mark, and for a file that cannot be read: reading it raises the error.
    """
    try:
        with raw_bytes(path) as raw:
            compression = compression_of(path)
            head = raw.read(4) if compression is None else compression.opened(raw).read(4)
    except (EugenieError, OSError, *DAMAGED):
        return None
    marked = kinds.marked_encoding(head)
    return marked if marked in _WIDE else None


@contextmanager
def opened(path: Path, encoding: str, advance: Advance, end: int | None = None) -> Iterator[BinaryIO]:
    """A file's bytes, decompressed if its name says how. Raises EugenieError, also within the block, if the file
    cannot be read, is cut off, or by its first bytes is not text in the encoding. `end`: of a file that may grow.
    """
    name = printable(str(path))
    with streamed(path, advance, end) as stream:
        file = cast(io.BufferedReader, stream)
        head = file.peek(4096)
        if (packed := compression_within(path, head)) is not None and kinds.kind_of(head) is not None:
            raise EugenieError(
                f"{name} is compressed with {packed[1].name}",
                hint=f"rename it, so that it ends in .csv{packed[0]}, or unpack it",
            )
        if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):  # the latter: an empty archive
            _refuse(name, *_zip_kind(path))
        kind = kinds.kind_of(head)
        if kind is not None:
            _refuse(name, kind.what, kind.next_step)
        _check_encoding(name, head[:4096], encoding)
        yield stream


def _refuse(name: str, what: str, hint: str) -> None:
    raise EugenieError(f"{name} is {what}, not a CSV file", hint=hint)


def _zip_kind(path: Path) -> tuple[str, str]:
    reason = "contains no file"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:  # the last two: odd names, versions
        names, reason = [], f"cannot be read ({error})"
    if any(name.startswith("xl/") for name in names) or path.suffix.lower() in (".xlsx", ".xlsm", ".xlsb"):
        return "a workbook (.xlsx)", _WORKBOOK
    if "content.xml" in names:
        return "a workbook (.ods)", _WORKBOOK
    if is_archive(path):
        return f"a zip archive that {reason}", "unpack it, or export it again"
    return "a zip archive", "rename it, so that it ends in .zip, or unpack it"


def _check_encoding(name: str, head: bytes, encoding: str) -> None:
    """Refuse text that is clearly in another encoding."""
    codec = codecs.lookup(encoding).name
    wide = codec.startswith(_WIDE)
    if not wide:
        even, odd = head[0::2].count(0), head[1::2].count(0)
        half = max(1, len(head) // 2)
        if len(head) >= 4 and max(even, odd) > 0.8 * half and min(even, odd) < 0.1 * half:
            right = "utf-16-le" if odd > even else "utf-16-be"
            raise EugenieError(
                f"{name} looks like UTF-16 text without a byte order mark", hint=f"set the source's `encoding: {right}`"
            )
    elif head and b"\0" not in head and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise EugenieError(
            f"{name} is not {encoding} text", hint="remove the source's `encoding`, or set the right one: utf-8, cp1252"
        )
    elif codec in _NEED_MARK and head and not head.startswith(_NEED_MARK[codec]):
        order = "be" if head[:1] == b"\0" else "le"
        raise EugenieError(
            f"{name} is {encoding} text without a byte order mark, or not {encoding} text at all",
            hint=f"if it is {encoding} text, set the source's `encoding: {codec}-{order}`",
        )
