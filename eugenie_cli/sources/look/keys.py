"""Which columns tell readings apart: two readings of one tag do not have the same instant."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from eugenie_cli.sources.look import names
from eugenie_cli.sources.look.cells import NUMBER
from eugenie_cli.sources.look.table import Column, SampleTable

FEW = 0.02
"""Share of rows that may repeat the key of another: rows are exported twice, and clocks are set back."""
MANY = 0.2
"""Share of rows that repeat the key of another from which a column is missing in the key."""
_COUNTS = names.COUNTS_TAGS


def repeated(table: SampleTable, key: Sequence[str]) -> float:
    """The share of rows whose cells in the columns `key` are those of an earlier row of its file."""
    files = [table.files] if table.files else []
    rows = list(zip(*files, *(table[name].cells for name in key), strict=True)) if key else []
    return 1 - len(set(rows)) / len(rows) if rows else 0.0


def apart(table: SampleTable, key: Sequence[str], candidates: Sequence[Column]) -> Column | None:
    """The column that, added to the key, tells rows apart that have the same key; None if the key does so by itself, or
    if no column does.
    """
    before = repeated(table, key)
    if before < MANY:
        return None
    fitting = [c for c in candidates if c.name not in key and repeated(table, [*key, c.name]) <= min(FEW, before / 5)]
    return max(fitting, key=_rank, default=None)


def pair_apart(table: SampleTable, key: Sequence[str], candidates: Sequence[Column]) -> tuple[Column, Column] | None:
    """Two columns that only together tell rows apart that have the same key, in their order."""
    before = repeated(table, key)
    if before < MANY:
        return None
    for one, other in itertools.combinations(candidates, 2):
        if repeated(table, [*key, one.name, other.name]) <= min(FEW, before / 5):
            return one, other
    return None


def _rank(column: Column) -> tuple[bool, bool, int]:
    named = any(pattern.search(column.name) for pattern in (names.TAG, names.SENSOR, names.ASSET))
    return named, all(map(names.TAG_LIKE.match, column.counts)), -len(column.counts)


def may_tell_apart(column: Column, table: SampleTable) -> bool:
    """Whether a column may have the names of machines or tags: few texts, or the numbers of channels."""
    if column.typed in ("object", "bool", "instant") or column.filled < 0.9 * table.rows or len(column.counts) < 2:
        return False
    if 2 * sum(count for text, count in column.counts.items() if NUMBER.match(text)) > column.filled:
        whole = all(text.isdigit() for text in column.counts)
        return whole and _COUNTS.search(column.name) is not None and len(column.counts) <= max(2, table.rows // 3)
    return len(column.counts) <= max(3, 0.6 * table.rows)
