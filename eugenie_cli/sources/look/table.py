"""The columns of sample exports as texts, whatever kind of file they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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
    """The columns of one file, or of several with the same columns."""

    columns: tuple[Column, ...]

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
        return SampleTable(
            tuple(
                Column(c.name, [cell for cell, keep in zip(c.cells, kept, strict=True) if keep], c.typed)
                for c in self.columns
            )
        )


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
    return SampleTable(tuple(columns))
