"""CSV files -> their columns, read by the reader that imports them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eugenie_cli.printable import printable
from eugenie_cli.site.field_types import BLANKS
from eugenie_cli.sources.csv.blanks import tabbed
from eugenie_cli.sources.csv.headers import HeaderReader
from eugenie_cli.sources.csv.lines import Decoder, Format, Framer
from eugenie_cli.sources.csv.parsing import BlockParser
from eugenie_cli.sources.csv.quotes import QuoteRules
from eugenie_cli.sources.csv.settings import CsvSettings
from eugenie_cli.sources.csv.unread_lines import UnreadLines
from eugenie_cli.sources.look.cells import is_data
from eugenie_cli.sources.look.dialect import delimiter_of, lines_of
from eugenie_cli.sources.look.encodings import encoding_of
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.layout import layout_of
from eugenie_cli.sources.look.sample import Sample, trimmed
from eugenie_cli.sources.look.table import Column, SampleTable


@dataclass(frozen=True)
class FileLook:
    """One file. `settings`: of its source, without name, path and readings; `table`: its columns; `units`: of columns;
    `mapping`: what is already known of its mapping, such as `records` of JSON; `sample`: of a file of lines; `ascii`:
    whether any encoding fits; `annotated`: InfluxDB's CSV; `header_lines`: the lines down to its header's last one;
    `labels`: column -> a better name for its sensor.
    """

    path: Path
    type: str
    settings: dict[str, Any]
    table: SampleTable
    units: dict[str, str] = field(default_factory=dict)
    mapping: dict[str, Any] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
    sample: Sample | None = None
    ascii: bool = False
    annotated: bool = False
    header_lines: int = 0
    labels: dict[str, str] = field(default_factory=dict)


def csv_look(path: Path, sample: Sample) -> FileLook:
    """The columns of a CSV file. Raises EugenieError if it has none that could be readings."""
    where, notes = printable(str(path)), Notes()
    encoding = encoding_of(sample.parts, notes)
    decoder = Decoder(encoding)
    head = decoder(sample.head, final=True).removeprefix("\ufeff".encode())
    delimiter = delimiter_of(head, where, notes)
    layout = layout_of(lines_of(head, delimiter), where, notes)
    settings: dict[str, Any] = {}
    if delimiter != ",":
        settings["delimiter"] = delimiter
    if encoding != "utf-8":
        settings["encoding"] = encoding
    if layout.table:
        settings["table"] = layout.table
    source = CsvSettings.model_validate(
        {"name": "sample", "type": "csv", "path": "-", **settings, "readings": _ANY_COLUMNS}
    )
    columns, lines = _columns(where, source, sample, annotated=layout.annotated)
    plain = encoding == "utf-8" and all(part.isascii() for part in sample.parts)
    return FileLook(path, "csv", settings, columns, layout.units, {}, notes, sample, plain, layout.annotated, lines)


_ANY_COLUMNS = {"shape": "wide", "columns": {"repeat": ["ts", "value"]}}
"""A mapping that needs no column by name."""


def _columns(where: str, source: CsvSettings, sample: Sample, *, annotated: bool) -> tuple[SampleTable, int]:
    """(the columns of the sample, as the importer reads them; the lines down to the header)."""
    rules, decoder = QuoteRules(source.separator), Decoder(source.encoding)
    separated = tabbed if source.delimiter == BLANKS else None
    unread = UnreadLines(source.table, rules, annotated=annotated)
    format = Format(rules, source.encoding, decoder, unread, separated)
    data = decoder(sample.data, final=True).removeprefix("\ufeff".encode())
    data = separated(data) if separated is not None else data
    header = HeaderReader(where, source, format).read(data)
    framer = Framer(Format(rules, "utf-8", Decoder("utf-8"), unread), is_data)
    parser = BlockParser(source.separator, header)
    cells: list[list[str]] = [[] for _ in header.names]
    for block in framer.blocks(lambda: b"", data[header.end :], header.lines + 1):
        records, _ = parser.parse(block)
        for place, column in enumerate(records.columns):
            cells[place] += map(trimmed, column.to_pylist())
    kept = _without_headers(header.names, cells)
    shown = list(itertools.islice(zip(header.names, kept, strict=True), len(header.names) - header.spare))
    return SampleTable(tuple(Column(name, texts) for name, texts in shown)), header.lines


def _without_headers(names: Sequence[str], cells: list[list[str]]) -> list[list[str]]:
    """The cells without rows that repeat the header, or that are empty."""
    if not cells:
        return cells
    rows = zip(*cells, strict=True)
    keep = [any(row) and sum(a == b for a, b in zip(row, names, strict=True)) < max(1, len(names) / 2) for row in rows]
    return [list(itertools.compress(column, keep)) for column in cells]
