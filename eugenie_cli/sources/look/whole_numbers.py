"""Files that contain only whole numbers between commas: their values may be cut at decimal commas."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from eugenie_cli.printable import printable
from eugenie_cli.sources.csv.decimal_commas import may_be_fractions
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.shape import Shape
from eugenie_cli.sources.look.table import Column, SampleTable

_INTEGER = re.compile(r"[+-]?\d+")

FEW_DIGITS = 3
"""Fewer different digits in each pair's second column are those of a flag, or show nothing."""


def check_whole_numbers(table: SampleTable, shape: Shape, delimiter: str, notes: Notes) -> None:
    """Ask whether two columns are the parts of one number, if every value of the file may be such a part."""
    values = [column for column in table.columns if column.name in shape.values]
    if delimiter != "," or any(column.typed != "text" for column in values):
        return
    if not all(map(_INTEGER.fullmatch, (text for column in values for text in column.counts))):
        return
    split = _couples(values, table.names) if shape.kind == "wide" else _beside(values[0], table)
    if any(len(after.counts) >= FEW_DIGITS for _, after in split):
        (before, after), *_ = split
        shown = f"{before.cells[0]},{after.cells[0]}"
        columns = " and ".join(printable(column.name, 40) for column in (before, after))
        notes.check(
            "delimiter",
            f"all values are whole numbers: if the file has decimal commas, {shown} in the columns {columns} is one"
            " number, and values are in the wrong columns",
            "export with another delimiter, numbers in quotes, or a decimal point",
        )


def _couples(values: Sequence[Column], names: Sequence[str]) -> list[tuple[Column, Column]]:
    """The columns of values, two by two, if all can be an integer and the digits behind it."""
    couples = list(zip(values[::2], values[1::2], strict=False))
    adjacent = (names.index(after.name) - names.index(before.name) == 1 for before, after in couples)
    fits = len(values) % 2 == 0 and all(adjacent) and all(may_be_fractions(after.counts) for _, after in couples)
    return couples if fits and all(_alike(before, after) for before, after in couples) else []


def _beside(value: Column, table: SampleTable) -> list[tuple[Column, Column]]:
    """The column of values and the one behind it, if that has digits."""
    pairs = itertools.pairwise(table.columns)
    return [(before, after) for before, after in pairs if before is value and may_be_fractions(after.counts)]


def _alike(before: Column, after: Column) -> bool:
    """Whether two columns have cells in the same rows."""
    return all(bool(one) == bool(other) for one, other in zip(before.cells, after.cells, strict=True))
