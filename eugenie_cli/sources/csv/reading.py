"""Reads one file: its header, then its rows, a block at a time; and further tables in it, each with its own header."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

import pyarrow as pa

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.readings.reject_reasons import MISSING_FIELD
from eugenie_cli.site.field_types import BLANKS
from eugenie_cli.sources.csv.blanks import tabbed
from eugenie_cli.sources.csv.headers import Header, HeaderReader
from eugenie_cli.sources.csv.lines import Block, Decoder, Format, Framer, Refused
from eugenie_cli.sources.csv.quotes import QuoteRules
from eugenie_cli.sources.csv.rejected_rows import BlockRead, Rejections
from eugenie_cli.sources.csv.sections import Sections
from eugenie_cli.sources.csv.tables import Context, Table
from eugenie_cli.sources.csv.unread_lines import ANNOTATIONS, UnreadLines
from eugenie_cli.sources.files.stated import bind_lines
from eugenie_cli.sources.interface import Tally

LOOKED_AT = 100  # lines above the readings, the last ones


class FileReading:
    """One reading of one file. `name`: the file's name in rejections."""

    def __init__(self, context: Context, decoder: Decoder, tally: Tally, name: str) -> None:
        self._context, self._decoder, self._tally = context, decoder, tally
        self._rejections, self._name = Rejections(tally, name), printable(name)
        self._tables: dict[tuple[tuple[str, ...], bool], Table] = {}

    def begin(self, file: BinaryIO, head_bytes: int) -> tuple[bytes, int]:
        """Read the header. Returns what follows it among the first bytes, and the number of lines up to there.

        Raises EugenieError for a header that does not match the site file, and UnicodeError.
        """
        source = self._context.source
        head = self._decoder(file.read(head_bytes))
        while head.endswith(b"\r") and (more := file.read(4)):  # perhaps half of a CRLF
            head += self._decoder(more)
        while head.startswith(codecs.BOM_UTF8):
            head = head.removeprefix(codecs.BOM_UTF8)
        separated = tabbed if source.delimiter == BLANKS else None
        head = head if separated is None else separated(head)
        rules = QuoteRules(source.separator)
        self._annotated = ANNOTATIONS.match(head) is not None
        self._sections = Sections.of(self._context)
        unread = UnreadLines(
            source.table,
            rules,
            annotated=self._annotated,
            tabbed=separated is not None,
            kept=None if self._sections is None else self._sections.begin,
        )
        self._format = Format(rules, self._decoder.encoding, self._decoder, unread, separated)
        self._headers = HeaderReader(self._context.where, source, self._format)
        header = self._headers.read(head)
        self._above, self._below_header = head[: header.end], head[header.end :]
        self._context = self._stated()
        self._table = self._first = self._below(header)
        return head[header.end :], header.lines

    def _stated(self) -> Context:
        """The context with what the lines above the readings state. Raises EugenieError."""
        context = self._context
        if self._sections is None:
            return context
        lines = self._above.decode("utf-8", "replace").splitlines()
        return replace(context, mapping=bind_lines(context.mapping, lines, context.where, context.timezone))

    def check_above(self) -> None:
        """Refuse lines above the readings that read as rows: `table` leaves out too much."""
        lines = list(enumerate(self._above.splitlines(), 1))[-LOOKED_AT:]
        why = "above the readings, but it reads as a row: correct `table` (skip, header, data)"
        split, is_row = self._format.rules.split, self._table.reader.is_row
        rows = [Refused(number, MISSING_FIELD, why, line) for number, line in lines if line and is_row(split(line))]
        if rows:
            none = pa.RecordBatch.from_arrays([], [])
            self._rejections.add(BlockRead(Block(b"", 1, rows), none, [], [], 0), self._table.reader)

    def check_names(self) -> None:
        """Say where the names of tags are, if the header has none and a row below it has."""
        reader = self._table.reader
        if not reader.is_nameless:
            return
        split, first = self._format.rules.split, self._above.count(b"\n")
        lines = [line for line in (self._above + self._below_header).splitlines()[: first + LOOKED_AT] if line.strip()]
        for row, line in enumerate(lines, 1):
            tags = [field.strip() for field in split(line) if reader.has_tag(field.strip())]
            if tags and row > 1 and not self._context.source.table:
                shown = printable(", ".join(tags), 60)
                self._tally.gap(
                    f"{self._name}: row {row} contains tags of the site, {shown}: if it names the columns,"
                    f" set `table: {{header: {row}}}` of the source"
                )
                return

    def rows(self, read: Callable[[], bytes], rest: bytes, lines: int) -> Iterator[Batch]:
        """The readings of `rest` and of what `read` returns (b"" at the end), block by block; `lines`: the number of
        lines before. Raises EugenieError for a further header that does not match, and pyarrow's ArrowInvalid.
        """
        self._framer = Framer(self._format, lambda fields: self._table.reader.is_row(fields))
        for block in self._framer.blocks(read, rest, lines + 1):
            for part in (block,) if self._sections is None else self._in_sections(block, self._sections):
                yield from self._read(part)
        self._report_notes()

    @property
    def header(self) -> str:
        """A digest of the header of the first table."""
        return self._first.header.digest()

    @property
    def lines(self) -> int | None:
        """The number of lines that were read; None if more rows could not be read on their own: at the end, a quote is
        not closed, or another table was begun or ended.
        """
        again = self._framer.open_end or self._format.unread.over or self._table is not self._first
        return None if again else self._framer.lines

    def _read(self, block: Block) -> Iterator[Batch]:
        so_far = self._table.so_far()
        read, batch, others = self._table.read(block)
        if not others:
            self._table.notes.inspect(read.records)
            self._rejections.add(read, self._table.reader)
            yield batch
            return
        if self._context.mapping["ts"].get("date"):
            where = f"{self._context.where}:{block.rows[0][others[0]]}"
            raise EugenieError(
                f"{where}: another header, and the date of the rows below it is not known",
                hint="divide the file above each header",
            )
        self._table.go_back(so_far)
        starts = [0, *(block.offset(row) for row in others), len(block.data)]
        for number, (start, end) in enumerate(itertools.pairwise(starts)):
            part = block.part(start, end)
            if number:
                header = self._headers.again(part.data, part.first)
                self._table = self._below(header)
                part = part.part(header.end, len(part.data))
            yield from self._read(part)

    def _in_sections(self, block: Block, sections: Sections) -> Iterator[Block]:
        """The parts of a block, below lines that state another date or start."""
        for part, line in sections.divided(block):
            if line is not None:
                self._context = sections.restated(self._context, line, part.first - 1)
                self._report_notes()
                self._tables.clear()
                self._table = self._below(self._table.header)
            yield part

    def _report_notes(self) -> None:
        for table in self._tables.values():
            table.notes.report(self._tally)

    def _below(self, header: Header) -> Table:
        """The table below a header: the same one for the same columns."""
        key = header.names, header.spare
        if key not in self._tables:
            self._tables[key] = Table(self._context, header, annotated=self._annotated)
        return self._tables[key]
