"""Recognizes kinds of files by their first bytes, to name the `type` of source that reads a file."""

from __future__ import annotations

import codecs
import re
import zipfile
from typing import IO, NamedTuple

HEAD = 4096
"""Bytes from which a kind is recognized."""


class Kind(NamedTuple):
    """`what` a file is; the `type` of the sources that read it, or None; `advice`: what to do if it is another."""

    what: str
    type: str | None
    advice: str

    @property
    def next_step(self) -> str:
        """What to do about such a file in a source of another type."""
        return f"set the source's `type: {self.type}`, or {self.advice}" if self.type else self.advice


_CSV = "export it as CSV"
_SHEET = "save its sheet as CSV"
_UNPACK = "unpack it, or compress it with gzip, bzip2 or xz (.gz, .bz2, .xz)"
_PARQUET = Kind("a Parquet file", "parquet", _CSV)
_ARROW = Kind("an Arrow file", "parquet", _CSV)
_XLS = Kind("a workbook (.xls)", "excel", _SHEET)
LOCKED = Kind("a workbook that is protected with a password", None, "save it without a password")
_RENAME = "rename it, so that it ends in {}"
GZIP = Kind("compressed with gzip", None, _RENAME.format(".gz"))
_MAGIC = (
    (b"PAR1", _PARQUET),
    (b"PARE", Kind("an encrypted Parquet file", None, "export it without encryption")),
    (b"ARROW1\0\0", _ARROW),
    (b"\xff\xff\xff\xff", _ARROW),  # a stream of Arrow record batches
    (b"FEA1", Kind("a Feather file of version 1", None, "write it with version 2 of Feather, or as Parquet")),
    (b"\x1f\x8b", GZIP),
    (b"SQLite format 3\0", Kind("an SQLite database", None, "export its table as CSV")),
    (b"%PDF-", Kind("a PDF", None, "export the readings as CSV")),
    *((b"BZh%d1AY&SY" % level, Kind("compressed with bzip2", None, _RENAME.format(".bz2"))) for level in range(1, 10)),
    (b"\xfd7zXZ\0", Kind("compressed with xz", None, _RENAME.format(".xz"))),
    (b"\x28\xb5\x2f\xfd", Kind("compressed with zstd", None, _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7-Zip archive", None, "unpack it")),
    (b"Rar!\x1a\x07", Kind("a RAR archive", None, "unpack it")),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file", None, "export it as Parquet or CSV")),
)
_NAMES = re.compile(rb"(?:PAR1|PARE|FEA1)[ -~\x80-\xff]{0,60}[,;|\t\r\n]")
"""Text that begins like a file of columns: the header of a CSV file with parameters named PAR1 and so on."""
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Microsoft's container: .xls, and workbooks with a password
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_MARKUP = re.compile(rb"\s*<(?:[!?a-zA-Z])")
_TABLE = re.compile(r"^[^\n{\[<]+[,;\t][^\n]*\n")
_MARKS = (  # the longer ones first: UTF-32's begins with UTF-16's
    *((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig")),
)


def kind_of(head: bytes, file: IO[bytes] | None = None) -> Kind | None:
    """The kind of a file that is not text, by its first bytes; None for text. `file`: the whole file, if it can be
    searched.
    """
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        return _of_zip(file)
    if head.startswith(_COMPOUND):
        return LOCKED if _is_locked(head, file) else _XLS
    if _NAMES.match(head):
        return None
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)


def kind_of_text(head: bytes) -> Kind | None:
    """The kind of a text, as far as its beginning shows it: JSON, markup, or a table."""
    text = decoded(head)
    first = text.lstrip()[:1]
    if first and first in "{[":
        return Kind("JSON", "json", _CSV)
    if _MARKUP.match(head):
        return Kind("XML or HTML", None, "export the readings as CSV or JSON")
    if _TABLE.match(text.lstrip()):
        return Kind("a text that looks like CSV", "csv", "export it as JSON")
    return None


def encoding_of(head: bytes) -> str:
    """The encoding of a JSON text: by its byte order mark, or else by the zero bytes beside its first characters.

    JSON begins with two ASCII characters (RFC 4627, 3).
    """
    marked = marked_encoding(head)
    if marked is not None:
        return marked
    zeros = "".join("-" if byte else "0" for byte in head[:4])
    return {"000-": "utf-32-be", "-000": "utf-32-le", "0-0-": "utf-16-be", "-0-0": "utf-16-le"}.get(zeros, "utf-8")


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte order mark says; None without one."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def decoded(head: bytes) -> str:
    """The beginning of a text, as far as it can be read."""
    return head.decode(encoding_of(head), "replace")


def _of_zip(file: IO[bytes] | None) -> Kind:
    if file is None:
        return Kind("a zip archive or a workbook", None, "unpack it")
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        return Kind(f"a zip archive or workbook that is damaged ({error})", None, "copy or export it again")
    if any(name.startswith("xl/") for name in names):
        return Kind("a workbook (.xlsx)", "excel", _SHEET)
    if "content.xml" in names:
        return Kind("a workbook (.ods)", "excel", _SHEET)
    return Kind("a zip archive", None, "rename it, so that it ends in .zip, or unpack it")


def _is_locked(head: bytes, file: IO[bytes] | None) -> bool:
    """Whether the name of the stream with the encrypted workbook is in the container's directory, anywhere in it."""
    if file is None:
        return _ENCRYPTED in head
    file.seek(0)
    rest = b""
    while block := file.read(1 << 20):
        if _ENCRYPTED in rest + block:
            return True
        rest = block[-len(_ENCRYPTED) :]
    return False
