"""The columns of sample exports as texts, whatever kind of file they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress

from eugenie_cli.readings.tag_columns import UNNAMED


@dataclass(frozen=True)
class Column:
    """`cells`: trimmed texts in the order of the rows, "" for an empty one; `typed`: the type of its cells in the file:
    "text", "number", "bool", "instant", or "object" (JSON).
    """

    name: str
    cells: Sequence[str]
    typed: str = "text"

    @cached_property
    def counts(self) -> Counter[str]:
        """The texts that are not empty, with how often each occurs."""
        return Counter(cell for cell in self.cells if cell)

    @property
    def filled(self) -> int:
        """The number of cells that are not empty."""
        return self.counts.total()

    @property
    def is_named(self) -> bool:
        """Whether the file has a name for it."""
        return UNNAMED.match(self.name) is None


@dataclass(frozen=True)
class SampleTable:
    """The columns of one file, or of several with the same columns. `files`: the number of the file of each row; none
    if there is one.
    """

    columns: tuple[Column, ...]
    files: Sequence[int] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.columns[0].cells) if self.columns else 0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def with_rows(self, kept: Sequence[bool]) -> SampleTable:
        """Only some of the rows."""
        columns = (Column(c.name, list(compress(c.cells, kept)), c.typed) for c in self.columns)
        return SampleTable(tuple(columns), list(compress(self.files, kept)) if self.files else ())


def pooled(tables: Sequence[SampleTable]) -> SampleTable:
    """The rows of several tables, with all of their columns."""
    if len(tables) == 1:
        return tables[0]
    names = dict.fromkeys(name for table in tables for name in table.names)
    columns = []
    for name in names:
        cells: list[str] = []
        typed = "text"
        for table in tables:
            if name in table.names:
                cells += table[name].cells
                typed = table[name].typed
            else:
                cells += [""] * table.rows
        columns.append(Column(name, cells, typed))
    files = [number for number, table in enumerate(tables) for _ in range(table.rows)]
    return SampleTable(tuple(columns), files)
