"""The header of a CSV file: the names of its columns, and advice if it does not match the site file."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.site.field_types import on_one_line
from eugenie_cli.site.readings_mapping import Part
from eugenie_cli.sources.csv.files import HEAD_BYTES
from eugenie_cli.sources.csv.lines import LINE_END, Decoder
from eugenie_cli.sources.csv.quotes import QuoteRules, line_count
from eugenie_cli.sources.csv.settings import CsvSettings

SHOWN_COLUMNS = 12  # columns listed in an error
_SEPARATOR_LINE = re.compile(r"""^"?sep=(.)"?\s*$""", re.IGNORECASE)  # the first line that Excel may write
_DATA = re.compile(r"^\s*\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|^\s*[-+]?\d+(?:[.,]\d+)?\s*$")  # a date or a number
_DELIMITERS = {";": ";", "\t": "\\t", ",": ",", "|": "|"}  # as a site file writes them


@dataclass(frozen=True)
class Header:
    """`names`: of the columns; `end`: where the header ends in the file's first bytes, after `lines` lines; `spare`:
    each row ends with a delimiter that the header lacks.
    """

    names: tuple[str, ...]
    end: int
    lines: int
    spare: bool = False


def read_header(where: str, head: bytes, source: CsvSettings, rules: QuoteRules, decoder: Decoder) -> Header:
    """The header in the first bytes of a file, given as UTF-8. Raises EugenieError if there is none, if it is not in
    the encoding, or if it lacks a column that the mapping needs.
    """
    start = 0
    while True:  # blank lines, and Excel's `sep=;`
        end = _header_end(head, start, rules)
        text = head[start:end].decode("utf-8", "replace")
        separator = _SEPARATOR_LINE.match(text)
        if start == end or not (text.strip("\r\n") == "" or separator):
            break
        if separator and separator[1] != source.delimiter:
            raise EugenieError(
                f"{where}: the file names {separator[1]!r} as its delimiter; the site file says {source.delimiter!r}",
                hint=f'set `delimiter: "{_DELIMITERS.get(separator[1], separator[1])}"` of the source {source.name}',
            )
        start = end
    _check_encoding(where, head[start:end], source, decoder)
    line = 1 + line_count(head[:start])
    if end == len(head) == HEAD_BYTES:
        raise EugenieError(
            f"{where}: its first line is longer than {HEAD_BYTES >> 20} MiB",
            hint="export it again as CSV with a header line",
        )
    if not text:
        raise EugenieError(f"{where}: the file is empty", hint="export it again, or remove it")
    fields = _fields(text, source.delimiter)
    written = [_clean(field) for field in fields]
    body = _fields(head[end : _line_end(head, end)].decode("utf-8", "replace"), source.delimiter)
    spare = len(body) == len(fields) + 1 and not body[-1].strip()
    if len(fields) == len(body) + 1 and not written[-1]:  # the header alone ends with a delimiter
        written.pop()
    names = _named([*written, ""] if spare else written)
    _check(f"{where}:{line}", names, written, source, head)
    return Header(tuple(names), end, line_count(head[:end]), spare)


def _check_encoding(where: str, header: bytes, source: CsvSettings, decoder: Decoder) -> None:
    """Refuse a header that is not in the encoding: its columns would get wrong names."""
    if not header.isascii() and (at := decoder.bad(header, 0)) >= 0:
        likely = header.decode("cp1252", "replace").rstrip("\r\n")
        raise EugenieError(
            f"{where} is not {source.encoding} text: byte {at + 1} of its header",
            hint=_mark_advice(header.decode("utf-8", "replace"), source)
            or "set the source's `encoding`; as cp1252 (Windows, western Europe) the header reads "
            f"{printable(likely, 80)}; Turkish exports are cp1254, Cyrillic ones cp1251",
        )


def _header_end(head: bytes, start: int, rules: QuoteRules) -> int:
    """The end of the header's line, or of its lines if a quoted field contains line breaks. An unclosed quote does not
    extend it.
    """
    row, first = rules.row(head, start), _line_end(head, start)
    if row is None or not row.broken or not row.closed:
        return first
    more = head[first : row.end].splitlines()
    data = sum(any(_DATA.match(field) for field in rules.split(line)) for line in more)
    return first if 2 * data > len(more) else row.end


def _line_end(data: bytes, start: int) -> int:
    match = LINE_END.search(data, start)
    return match.end() if match else len(data)


def _fields(text: str, delimiter: str) -> list[str]:
    text = text.rstrip("\r\n")
    if not text:
        return []
    try:
        return next(csv.reader(io.StringIO(text.replace("\0", ""), newline=""), delimiter=delimiter), [])
    except csv.Error:
        return [text]


def _clean(name: str) -> str:
    """A name on one line, as a site file can contain it."""
    return str(on_one_line(name)).strip()


def _named(written: Sequence[str]) -> list[str]:
    """Unique names: an unnamed third column becomes `column 3`, the second column called `name` becomes `name 2`."""
    names: dict[str, None] = {}
    for position, given in enumerate(written, 1):
        name = base = given or f"column {position}"
        number = 1
        while name in names:
            number += 1
            name = f"{base} {number}"
        names[name] = None
    return list(names)


def _check(where: str, names: Sequence[str], written: Sequence[str], source: CsvSettings, head: bytes) -> None:
    """Raise EugenieError if the file lacks a column that the mapping needs."""
    readings = source.readings
    parts: dict[str, Part | None] = {"ts": readings.ts, "asset": readings.asset}
    if readings.shape == "long":
        parts |= {"value": readings.value}
    for what, part in parts.items():
        if part is not None and part.path is not None and part.path not in names:
            shown = [printable(name, 40) for name in names[:SHOWN_COLUMNS]] + ["..."] * (len(names) > SHOWN_COLUMNS)
            raise EugenieError(
                f"{where}: there is no column {part.path!r} for {what}; columns: {', '.join(shown) or 'none'}",
                hint=_advice(part.path, written, source, head),
            )


def _mark_advice(text: str, source: CsvSettings) -> str:
    """What to correct if a text begins with UTF-8's byte order mark but is read in another encoding; else empty."""
    utf = codecs.lookup(source.encoding).name.startswith("utf")
    if utf or not text.startswith(codecs.BOM_UTF8.decode(source.encoding, "replace")):
        return ""
    wrong = f"`encoding: {source.encoding}` of the source {source.name}"
    return f"the file begins with UTF-8's byte order mark: remove {wrong}"


def _advice(needed: str, written: Sequence[str], source: CsvSettings, head: bytes) -> str:
    """What to correct, judging by the first lines. `needed`: the missing column."""
    text = head[:4096].decode("utf-8", "replace").lstrip("\ufeff")
    if marked := _mark_advice(text, source):
        return marked
    if text.lstrip()[:1] in ("{", "["):
        return "the file looks like JSON: export it as CSV"
    if text.lstrip()[:1] == "<":
        return "the file looks like HTML or XML: export it as CSV"
    first = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    for delimiter, shown in _DELIMITERS.items():
        if delimiter != source.delimiter and needed in map(_clean, _fields(first, delimiter)):
            return f'{shown} looks like the delimiter: set `delimiter: "{shown}"` of the source {source.name}'
    if len(written) == 1:
        counts = {delimiter: first.count(delimiter) for delimiter in _DELIMITERS if delimiter != source.delimiter}
        likely = max(counts, key=lambda delimiter: counts[delimiter])
        if counts[likely]:
            shown = _DELIMITERS[likely]
            return f'{shown} looks like the delimiter: set `delimiter: "{shown}"` of the source {source.name}'
    for name in written:
        if name.casefold() == needed.casefold():
            return f"case matters: the column is called {name!r}"
    lines = text.splitlines()[1:]
    for number, line in enumerate(lines[:20], 2):
        if needed in map(_clean, _fields(line, source.delimiter)):
            return (
                f"line {number} looks like the header: remove the lines above it; the first line must name the columns"
            )
    if written and any(_DATA.match(field) for field in written):
        return "the first line looks like readings: a CSV file needs a header line that names its columns"
    return "correct `readings` or `delimiter` of the source in the site file"
