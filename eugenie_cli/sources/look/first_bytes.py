"""What a file is, by its first bytes: which type of source reads it, or why none does and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.sources.files.archives import is_archive, members
from eugenie_cli.sources.files.compression import compression_of
from eugenie_cli.sources.files.kinds import HEAD, decoded, kind_of, kind_of_text
from eugenie_cli.sources.files.opening import seekable, streamed

_MARKUP = re.compile(r"\s*<(?:!doctype|html|\?xml|table|[a-z][a-z0-9:]*[\s>/])", re.IGNORECASE)
_BINARY = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f]")
_LINE_PROTOCOL = re.compile(r"^[\w.-]+(?:,[^\s,=]+=[^\s,=]+)* [^\s,=]+=[^\s,=]+(?:,[^\s,=]+=[^\s,=]+)* \d{10,19}\s*$")
WORKBOOK_NAMES = (".xls", ".xlsx", ".xlsm", ".xlsb", ".ods")


@dataclass(frozen=True)
class Refusal:
    """A file that no source reads: why, and what to do."""

    file: str
    why: str
    next: str


def type_of(path: Path) -> str:
    """The type of source that reads a file: csv, json, excel or parquet. Raises EugenieError, with what to do, for a
    file that none reads.
    """
    name = printable(str(path))
    if is_archive(path):
        raise EugenieError(f"{name} contains no files, or is damaged", "copy or export it again")
    with streamed(path, _silent) as file:
        head = file.read(HEAD)
    if not head.strip(b"\r\n \t"):
        raise EugenieError(f"{name} is empty", "export it again, or remove it")
    kind = kind_of(head)
    if head.startswith((b"PK", b"\xd0\xcf\x11\xe0")):  # which of them, only the whole file shows
        with seekable(path, _silent) as whole:
            kind = kind_of(head, whole)
    if kind is not None:
        if kind.type is None:
            raise EugenieError(f"{name} is {kind.what}", kind.next_step)
        return kind.type
    text = decoded(head).lstrip("\ufeff")
    if _MARKUP.match(text):
        saved = " with the name of a workbook" if path.suffix.lower() in WORKBOOK_NAMES else ""
        what = "HTML" if "<html" in text.lower() or "<table" in text.lower() else "XML or HTML"
        raise EugenieError(
            f"{name} is {what}{saved}, not a table that can be imported",
            "open it in a spreadsheet and save it as CSV or .xlsx, or export the readings as CSV or JSON",
        )
    text_kind = kind_of_text(head)
    if text_kind is not None and text_kind.type == "json" and not _is_section(text):
        return "json"
    if _LINE_PROTOCOL.match(text.splitlines()[0] if text else ""):
        raise EugenieError(f"{name} is InfluxDB's line protocol, which is for messages", "export it as annotated CSV")
    if text.startswith("LabVIEW Measurement"):
        raise EugenieError(
            f"{name} is a LabVIEW measurement file: its times count from a date and a time of day above its tables",
            "write absolute times in a column (in Write To Measurement File: one column only, with the time of each"
            " row), or export the file as CSV with them",
        )
    if b"\0" not in head and len(_BINARY.findall(head)) > len(head) // 20:
        raise EugenieError(f"{name} is not text, and of no kind that is known", "export the readings as CSV")
    return "csv"


def _is_section(text: str) -> bool:
    """Whether a text that begins with a bracket is a table below a line such as `[Data]`."""
    first = text.lstrip().split("\n", 1)[0].strip()
    return re.fullmatch(r"\[[A-Za-z][\w .-]*\]", first) is not None


def files_in(path: Path) -> list[Path]:
    """A file, or the files in a zip archive, with paths as if the archive were a folder."""
    if not is_archive(path) or compression_of(path):
        return [path]
    return list(members(path, None) or [path])


def _silent(_amount: float) -> None:
    """Nobody watches the progress of the first bytes."""
