"""What to correct if the columns of a file do not match the site file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.readings.number_texts import in_yaml
from eugenie_cli.site.field_types import BLANKS
from eugenie_cli.sources.csv.settings import CsvSettings
from eugenie_cli.sources.csv.text_fields import DATA, clean_name, fields_of

SHOWN_COLUMNS = 12  # columns listed in an error
DELIMITERS = {";": ";", "\t": "\\t", ",": ",", "|": "|"}
"""Common delimiters, as a site file writes them."""
_INSTANT = re.compile(r"^\s*\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|^\s*\d{1,2}:\d{2}")
_SEARCHED = 60  # lines that may be the header


def check_columns(where: str, names: Sequence[str], written: Sequence[str], source: CsvSettings, head: bytes) -> None:
    """Raise EugenieError if the file lacks a column that the mapping needs. `written`: the header's cells."""
    for what, path in needed_columns(source):
        if path not in names:
            shown = [printable(name, 40) for name in names[:SHOWN_COLUMNS]] + ["..."] * (len(names) > SHOWN_COLUMNS)
            raise EugenieError(
                f"{where}: there is no column {path!r} for {what}; columns: {', '.join(shown) or 'none'}",
                hint=advice(path, written, source, head),
            )


def needed_columns(source: CsvSettings) -> Iterator[tuple[str, str]]:
    """(part, column) of each column without which no record can be read."""
    for what, part in source.readings.of_records.items():
        for path in part.all_paths:
            yield what, path


def mark_advice(text: str, source: CsvSettings) -> str:
    """What to correct if a text begins with UTF-8's byte order mark but is read in another encoding; else empty."""
    utf = codecs.lookup(source.encoding).name.startswith("utf")
    if utf or not text.startswith(codecs.BOM_UTF8.decode(source.encoding, "replace")):
        return ""
    wrong = f"`encoding: {source.encoding}` of the source {source.name}"
    return f"the file begins with UTF-8's byte order mark: remove {wrong}"


def advice(needed: str, written: Sequence[str], source: CsvSettings, head: bytes) -> str:
    """What to correct, judging by the first lines. `needed`: the missing column."""
    text = head[: 1 << 16].decode("utf-8", "replace").lstrip("\ufeff")
    if marked := mark_advice(text, source):
        return marked
    if text.lstrip()[:1] in ("{", "["):
        return "the file looks like JSON: set the source's `type: json`, or export it as CSV"
    if text.lstrip()[:1] == "<":
        return "the file looks like HTML or XML: export it as CSV"
    lines = text.splitlines()
    header = next((number for number, line in _parsed(lines, source.separator) if needed in line), None)
    other = _other_delimiter(needed, written, source, lines)
    if header is None and other is not None:
        shown = f'"{DELIMITERS[other]}"' if other != BLANKS else other
        looks = DELIMITERS[other] if other != BLANKS else "any number of blanks"
        return f"{looks} looks like the delimiter: set `delimiter: {shown}` of the source {source.name}"
    for name in written:
        if name.casefold() == needed.casefold():
            return f"case matters: the column is called {name!r}"
    if header is not None and source.table is None:
        return f"line {header} looks like the header: set `table: {{skip: {header - 1}}}` of the source {source.name}"
    if written and any(DATA.match(field) for field in written) and (source.table is None or not source.table.names):
        return (
            "the first line looks like readings: if the file has no header, name its columns, such as `table: {names: "
            f"[{', '.join(_names_for(written, source))}]}}` of the source {source.name}"
            + (", with the tag or sensor of each other column" if source.readings.shape == "wide" else "")
        )
    unnamed = "; a column without a name is called by its place, such as 'column 1'" if "" in written else ""
    return f"correct `readings`, `table` or `delimiter` of the source in the site file{unnamed}"


def _names_for(written: Sequence[str], source: CsvSettings) -> Iterator[str]:
    """Names for the columns of a file without a header: those of the mapping's parts, in the likeliest places."""
    readings = source.readings
    long = readings.shape == "long"
    times, values = list(readings.ts.all_paths), list(readings.value.all_paths[:1]) if long else []
    parts = (readings.asset, readings.tag, readings.sensor) if long else (readings.asset,)
    labels = [path for part in parts if part is not None for path in part.all_paths]
    has_instants = any(_INSTANT.match(cell) for cell in written)
    for number, cell in enumerate(written[:SHOWN_COLUMNS], 1):
        if _INSTANT.match(cell) or (number == 1 and not has_instants):
            wanted = times
        else:
            wanted = values if DATA.match(cell) else labels
        yield in_yaml(wanted.pop(0)) if wanted else f"column_{number}"
    if len(written) > SHOWN_COLUMNS:
        yield "..."


def _parsed(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(number, cleaned fields) of the first lines, except for the first line with text, which was the header."""
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    for number, line in enumerate(lines[first + 1 : _SEARCHED], first + 2):
        yield number, [clean_name(field) for field in fields_of(line, delimiter)]


def _other_delimiter(needed: str, written: Sequence[str], source: CsvSettings, lines: Sequence[str]) -> str | None:
    """The delimiter with which the file would have the column, or, if it has one column only, several columns."""
    first = next((line for line in lines if line.strip()), "")
    for delimiter in DELIMITERS:
        if delimiter != source.delimiter and needed in map(clean_name, fields_of(first, delimiter)):
            return delimiter
    if needed and source.delimiter != BLANKS and needed in first.split() and len(first.split()) > 1:
        return BLANKS
    if len(written) != 1:
        return None
    counts = {delimiter: first.count(delimiter) for delimiter in DELIMITERS if delimiter != source.delimiter}
    likely = max(counts, key=lambda delimiter: counts[delimiter])
    if counts[likely]:
        return likely
    return BLANKS if source.delimiter != BLANKS and len(re.findall(r"\S[ \t]{2,}\S", first)) else None
