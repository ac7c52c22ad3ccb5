"""The header of a CSV file: where the table begins, and the names of its columns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.sources.csv.files import HEAD_BYTES
from eugenie_cli.sources.csv.header_advice import DELIMITERS, advice, check_columns, mark_advice
from eugenie_cli.sources.csv.lines import LINE_END, Format
from eugenie_cli.sources.csv.quotes import line_count
from eugenie_cli.sources.csv.settings import CsvSettings
from eugenie_cli.sources.csv.table_settings import Table
from eugenie_cli.sources.csv.text_fields import DATA, clean_name, fields_of

_SEPARATOR_LINE = re.compile(r"""^"?sep=(.)"?\s*$""", re.IGNORECASE)  # the first line that Excel may write
_SAMPLE = 20  # rows that decide whether rows have one field more than the header: the first may be units


@dataclass(frozen=True)
class Header:
    """`names`: of the columns; `end`: where the header ends in the file's first bytes, after `lines` lines; `spare`:
    each row ends with a delimiter that the header lacks; `rows`: the cells of the rows above the readings.
    """

    names: tuple[str, ...]
    end: int
    lines: int
    spare: bool = False
    rows: tuple[tuple[str, ...], ...] = ()

    def digest(self) -> str:
        """Differs for headers below which rows are read differently."""
        return hashlib.sha256(repr((self.names, self.spare, self.end)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Row:
    """A row of the first lines: `[start, end)`, with its line break."""

    start: int
    end: int


class HeaderReader:
    """Reads the header of one file. `where`: the file, in messages."""

    def __init__(self, where: str, source: CsvSettings, format: Format) -> None:
        self._where, self._source, self._format = where, source, format
        self._table = source.table or Table()

    def read(self, head: bytes) -> Header:
        """The header in the first bytes of a file, given as UTF-8. Raises EugenieError if there is none, if it is not
        in the encoding, or if it lacks a column that the mapping needs.
        """
        if not head.strip(b"\r\n"):
            raise EugenieError(f"{self._where}: the file is empty", hint="export it again, or remove it")
        start = self._start(head)
        if self._table.names is not None:
            return self._without_header(head, self._after_separator(head, start))
        last = max(self._table.header[-1], (self._table.data or 1) - 1)
        rows: list[_Row] = []
        for row in self._rows(head, start):
            rows.append(row)
            if len(rows) == last:
                break
        if len(rows) < last or rows[-1].end == len(head) == HEAD_BYTES:
            raise self._missing(head, rows, last)
        return self._named(head, rows, self._table.header, line=1)

    def again(self, data: bytes, line: int) -> Header:
        """The header in the first line of `data`, in the middle of a file; `line`: its number in the file."""
        if len(self._table.header) > 1:
            raise EugenieError(
                f"{self._where}:{line}: another header, of which only one row is recognized",
                hint="divide the file above each header",
            )
        return self._named(data, [_Row(0, self._row_end(data, 0))], (1,), line)

    # -- where it is -------------------------------------------------------------------------------

    def _start(self, head: bytes) -> int:
        """Where the table's first row may be: below `after` and `skip`."""
        start = 0
        if self._table.after is not None:
            marked = self._table.after.encode()
            marked = marked if self._format.separated is None else self._format.separated(marked)
            while not head[start : self._line_end(head, start)].strip(b' \t"').startswith(marked):
                start = self._line_end(head, start)
                if start == len(head):
                    raise EugenieError(
                        f"{self._where}: no line begins with {self._table.after!r}",
                        hint=f"correct `table: {{after: ...}}` of the source {self._source.name}",
                    )
            start = self._line_end(head, start)
        for _ in range(self._table.skip):
            start = self._line_end(head, start)
        return start

    def _rows(self, head: bytes, start: int) -> Iterator[_Row]:
        """The rows from `start` on: neither blank lines, nor comments, nor Excel's `sep=;`."""
        start = self._after_separator(head, start)
        while start < len(head):
            line = head[start : self._line_end(head, start)]
            if self._format.unread.is_end(line):
                return
            if not line.strip() or self._format.unread.is_comment(line):
                start += len(line)
                continue
            end = self._row_end(head, start)
            yield _Row(start, end)
            start = end

    def _after_separator(self, head: bytes, start: int) -> int:
        """`start`, or the offset after a line `sep=;`, perhaps below blank lines. Raises EugenieError if it names
        another delimiter than the site file.
        """
        at = start
        while at < len(head) and not head[at : self._line_end(head, at)].strip(b"\r\n"):
            at = self._line_end(head, at)
        end = self._line_end(head, at)
        separator = _SEPARATOR_LINE.match(head[at:end].decode("utf-8", "replace"))
        if separator is None:
            return start
        if separator[1] != self._source.separator:
            raise EugenieError(
                f"{self._where}: the file names {separator[1]!r} as its delimiter; the site file says "
                f"{self._source.delimiter!r}",
                hint=f'set `delimiter: "{DELIMITERS.get(separator[1], separator[1])}"` of the source '
                f"{self._source.name}",
            )
        return end

    def _row_end(self, head: bytes, start: int) -> int:
        """The end of a row's line, or of its lines if a quoted field contains line breaks. An unclosed quote does not
        extend it.
        """
        rules = self._format.rules
        row, first = rules.row(head, start), self._line_end(head, start)
        if row is None or not row.broken or not row.closed:
            return first
        more = head[first : row.end].splitlines()
        data = sum(any(DATA.match(field) for field in rules.split(line)) for line in more)
        return first if 2 * data > len(more) else row.end

    @staticmethod
    def _line_end(data: bytes, start: int) -> int:
        match = LINE_END.search(data, start)
        return match.end() if match else len(data)

    def _missing(self, head: bytes, rows: Sequence[_Row], last: int) -> EugenieError:
        if rows and rows[-1].end == len(head) == HEAD_BYTES:
            return EugenieError(
                f"{self._where}: its first line is longer than {HEAD_BYTES >> 20} MiB",
                hint="export it again as CSV with a header line",
            )
        return EugenieError(
            f"{self._where}: the header should be in row {last}, but there are only {len(rows)} rows",
            hint=f"correct `table` of the source {self._source.name}, or export the file again",
        )

    # -- what it says ------------------------------------------------------------------------------

    def _named(self, head: bytes, rows: Sequence[_Row], header: Sequence[int], line: int) -> Header:
        """The columns that the rows number `header` name. `rows`: those above the readings; `line`: the number of the
        first line of `head`.
        """
        cells = [self._cells(head[row.start : row.end]) for row in rows]
        named = [rows[number - 1] for number in header]
        for row in named:
            self._check_encoding(head[row.start : row.end])
        written = cells[header[0] - 1]
        for lower in header[1:]:
            written = _joined(written, cells[lower - 1])
        end, width = rows[-1].end, len(written)
        sample = self._sample(head, end)
        filled = sum(len(fields) == width for fields in sample)
        spare = sum(len(fields) == width + 1 and not fields[-1].strip() for fields in sample) > filled
        if sum(len(fields) == width - 1 for fields in sample) > filled and not written[-1]:
            written.pop()  # the header alone ends with a delimiter
        names = _unique([*written, ""] if spare else written)
        number = line + line_count(head[: named[0].start])
        check_columns(f"{self._where}:{number}", names, written, self._source, head if line == 1 else b"")
        return Header(tuple(names), end, line_count(head[:end]), spare, tuple(map(tuple, cells)))

    def _cells(self, row: bytes) -> list[str]:
        return [clean_name(field) for field in fields_of(row.decode("utf-8", "replace"), self._source.separator)]

    def _without_header(self, head: bytes, end: int) -> Header:
        """The columns that the site file names. Raises EugenieError if no row has as many fields."""
        given = self._table.names or ()
        sample = self._sample(head, end)
        widths = [len(fields) for fields in sample]
        spare = widths.count(len(given)) < sum(len(f) == len(given) + 1 and not f[-1].strip() for f in sample)
        if sample and not spare and len(given) not in widths:
            raise EugenieError(
                f"{self._where}:{1 + line_count(head[:end])}: {widths[0]} fields, but `table.names` has {len(given)}: "
                + printable(self._source.separator.join(sample[0]), 80),
                hint=advice("", sample[0], self._source, head)
                if widths[0] == 1
                else "give each column a name in `table.names`, ~ for one that has none",
            )
        names = _unique([name or "" for name in given] + [""] * spare)
        check_columns(self._where, names, list(names), self._source, head)
        return Header(tuple(names), end, line_count(head[:end]), spare)

    def _sample(self, head: bytes, start: int) -> list[list[str]]:
        """The fields of the first rows below the header, each on one line."""
        sample: list[list[str]] = []
        while start < len(head) and len(sample) < _SAMPLE:
            end = self._line_end(head, start)
            line = head[start:end]
            whole = end < len(head) or len(head) < HEAD_BYTES or line.endswith((b"\r", b"\n"))
            if self._format.unread.is_end(line) or (sample and not whole):
                break
            if line.strip() and not self._format.unread.is_comment(line):
                sample.append(fields_of(line.decode("utf-8", "replace"), self._source.separator))
            start = end
        return sample

    def _check_encoding(self, header: bytes) -> None:
        """Refuse a header that is not in the encoding: its columns would get wrong names."""
        if header.isascii() or (at := self._format.decoder.bad(header, 0)) < 0:
            return
        likely = header.decode("cp1252", "replace").rstrip("\r\n")
        raise EugenieError(
            f"{self._where} is not {self._source.encoding} text: byte {at + 1} of its header",
            hint=mark_advice(header.decode("utf-8", "replace"), self._source)
            or "set the source's `encoding`; as cp1252 (Windows, western Europe) the header reads "
            f"{printable(likely, 80)}; Turkish exports are cp1254, Cyrillic ones cp1251",
        )


def _joined(upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    """Two rows of a header as one. An empty upper cell continues the one to its left, as merged cells are exported, if
    that one has a part below it: `Pump 1,,Time` above `Flow,Pressure,` is Pump 1 Flow, Pump 1 Pressure, Time.
    """
    names, group = [], ""
    width = max(len(upper), len(lower))
    cells = zip([*upper, *[""] * (width - len(upper))], [*lower, *[""] * (width - len(lower))], strict=True)
    for above, below in cells:
        if above:
            group = above if below else ""
        names.append(f"{above or (group if below else '')} {below}".strip())
    return names


def _unique(written: Sequence[str]) -> list[str]:
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
