"""The part of each column in a record: long or wide, and what each column is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.sources.look import names
from eugenie_cli.sources.look.cells import NUMBER
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.groups import grouped
from eugenie_cli.sources.look.qualities import is_quality, preferred
from eugenie_cli.sources.look.table import Column, SampleTable
from eugenie_cli.sources.look.times import TimeColumns, time_columns
from eugenie_cli.sources.look.values import is_number, is_value

CONTROL = "$RT_"
"""Begins the names of marks that WinCC writes between the readings of tags."""


@dataclass(frozen=True)
class Shape:
    """`kind`: "long" or "wide". The names of columns: `times` of the instant that a row shares (none if each tag has
    its own), `asset`, `sensor`, `tag` (None if no column has it), `values`, `quality`; `ignored`: columns that are no
    sensors; `own`: the section `columns`, with the columns of all `instants` and `qualities`; `tags`: value column ->
    tag, of wide tables; `per_file`: each file is of one tag, which its name has; `renamed`: the tags of groups of
    columns whose names must be given, because the first name of a group is no tag.
    """

    kind: str
    times: tuple[str, ...] = ()
    asset: str | None = None
    sensor: str | None = None
    tag: str | None = None
    values: tuple[str, ...] = ()
    quality: str | None = None
    ignored: tuple[str, ...] = ()
    own: dict[str, Any] = field(default_factory=dict)
    instants: tuple[str, ...] = ()
    qualities: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    per_file: bool = False
    renamed: tuple[str, ...] = ()


def shape_of(table: SampleTable, where: str, notes: Notes, *, annotated: bool = False) -> Shape:
    """The parts of a table's columns. Raises EugenieError if it has no instants or no values."""
    if annotated:
        return _annotated(table, notes)
    times = time_columns(table, where)
    by_groups = grouped(table, times)
    if by_groups is not None:
        notes.find("shape", "wide, columns for each tag", ", ".join(f"{k}: {v}" for k, v in by_groups.own.items()))
        return Shape(
            "wide",
            by_groups.times,
            values=by_groups.values,
            ignored=by_groups.ignored,
            own=by_groups.own,
            instants=by_groups.instants,
            qualities=by_groups.qualities,
            tags=by_groups.tags,
            renamed=by_groups.renamed,
        )
    if times.rival is not None:
        notes.check("ts", f"the column {times.shared[0]!r} was taken for the instant, {times.rival!r} may be meant")
    return _long(table, times, notes) or _wide(table, times, where, notes)


# -- one reading in each row --------------------------------------------------------------------------


def _long(table: SampleTable, times: TimeColumns, notes: Notes) -> Shape | None:
    """The shape of a table with a column of names and one of values; None if it is none."""
    rest = [column for column in table.columns if column.name not in times.parts and column.counts]
    labels = [column for column in rest if _may_name(column, table)]
    tag = next((column for column in labels if names.TAG.search(column.name)), None)
    sensor = next((column for column in labels if names.SENSOR.search(column.name) and column is not tag), None)
    asset = next((c for c in labels if names.ASSET.search(c.name) and c not in (tag, sensor)), None)
    if sensor is not None and asset is None:
        tag, sensor = tag or sensor, None
    others = [column for column in rest if column not in (tag, sensor, asset)]
    values = _values(others)
    if tag is None and sensor is None:
        tag = _tag_by_cells(labels, asset, values)
        values = [column for column in values if column is not tag]
    if not values or (tag is None and sensor is None):
        return None
    if sensor is not None:
        tag = None
    quality = _row_quality([c for c in others if c not in values])
    rivals = [c.name for c in labels if c not in (tag, sensor, asset, quality, *values) and _may_be_tag(c)]
    if rivals:
        chosen = sensor or tag
        notes.check(
            "tag" if sensor is None else "sensor",
            f"the column {chosen.name if chosen else ''!r} was taken for the name of the measurement",
            f"others that may be: {', '.join(printable(name, 40) for name in rivals[:4])}",
        )
    known = [column.name for column in (tag, asset, sensor) if column is not None]
    notes.find("shape", "long: one reading in each row", f"{', '.join(known)}, {', '.join(c.name for c in values)}")
    if asset is not None and tag is not None:
        if _belong(tag, asset):
            notes.find("not read", asset.name, f"each tag of {tag.name} belongs to one asset")
            asset = None
        else:
            sensor, tag = tag, None
    return Shape(
        "long",
        times.shared,
        asset.name if asset else None,
        sensor.name if sensor else None,
        tag.name if tag else None,
        tuple(column.name for column in values),
        quality.name if quality else None,
    )


def _may_name(column: Column, table: SampleTable) -> bool:
    """Whether a column may have names: one in nearly every row, and not a different one each time."""
    if column.typed in ("object", "bool") or column.filled < 0.9 * table.rows:
        return False
    if is_number(column):  # numbers of tags
        few = len(column.counts) <= max(2, table.rows // 3)
        return few and bool(names.TAG.search(column.name) and not names.VALUE.search(column.name))
    return len(column.counts) <= max(3, 0.6 * table.rows)


def _values(columns: Sequence[Column]) -> list[Column]:
    """The column of values, or several of which each row fills one (Ignition's floatvalue, intvalue)."""
    typed = [column for column in columns if names.TYPED_VALUE.search(column.name)]
    if len(typed) > 1 and _exclusive(typed):
        order = ("float", "double", "numeric", "int", "long", "bool")
        return sorted(typed, key=lambda c: next(n for n, kind in enumerate(order) if c.name.lower().startswith(kind)))
    named = [column for column in columns if names.VALUE.search(column.name)]
    if named:
        return [next((c for c in named if c.name.strip("_").lower() in ("value", "varvalue")), named[0])]
    numeric = [c for c in columns if is_value(c) and not is_quality(c) and not names.NUMBER_OF_ROW.search(c.name)]
    return numeric if len(numeric) == 1 else []


def _exclusive(columns: Sequence[Column]) -> bool:
    rows = zip(*(column.cells for column in columns), strict=True)
    return all(sum(map(bool, row)) <= 1 for row in rows)


def _tag_by_cells(labels: Sequence[Column], asset: Column | None, values: Sequence[Column]) -> Column | None:
    """A column whose cells look like addresses, beside a single column of values."""
    alike = [
        c for c in labels
        if c is not asset and c not in values and not is_value(c) and all(map(names.TAG_LIKE.match, c.counts))
    ]  # fmt: skip
    generic = len(values) == 1 and (names.VALUE.search(values[0].name) or values[0].name.startswith("value_"))
    if len(alike) != 1 or not generic or is_quality(alike[0]):
        return None
    return alike[0]


def _may_be_tag(column: Column) -> bool:
    """Whether a column that is not taken for the tag has several texts that look like addresses."""
    alike = len(column.counts) > 1 and all(map(names.TAG_LIKE.match, column.counts))
    return alike and not names.TAG_MORE.search(column.name)


def _belong(tag: Column, asset: Column) -> bool:
    """Whether each tag is of one asset alone."""
    pairs = set(zip(tag.cells, asset.cells, strict=True))
    return len(pairs) == len({name for name, _ in pairs})


def _row_quality(columns: Sequence[Column]) -> Column | None:
    found = [column for column in columns if is_quality(column)]
    return preferred(found) if found else None


# -- a column for each sensor -------------------------------------------------------------------------


def _wide(table: SampleTable, times: TimeColumns, where: str, notes: Notes) -> Shape:
    rest = [column for column in table.columns if column.name not in times.parts]
    filled = [column for column in rest if column.counts]
    quality = _row_quality([column for column in filled if not _is_state(column)]) if len(filled) > 1 else None
    texts = [c for c in filled if c is not quality and not is_value(c)]
    asset = next((c for c in texts if names.ASSET.search(c.name) and c.filled >= 0.9 * table.rows), None)
    left = [c for c in filled if c is not quality and c is not asset]
    generic = any(names.VALUE.search(column.name) for column in left)
    left = [c for c in left if not (generic and names.FLAG.search(c.name))]
    ignored = [c for c in left if not is_value(c) or names.LABEL.search(c.name) or _numbers_rows(c)]
    values = [c for c in left if c not in ignored]
    if not values:
        values = [c for c in left if any(map(NUMBER.match, c.counts))]
        ignored = [c for c in ignored if c not in values]
        for column in values:
            notes.check("readings", f"most cells of {printable(column.name, 60)!r} are no numbers; they are rejected")
    if not values:
        raise EugenieError(
            f"{where}: beside the instant {', '.join(map(repr, times.shared))} no column has numbers",
            "export values as numbers, or name the column with states `value`",
        )
    if len(values) == 1 and (names.VALUE.search(values[0].name) or values[0].name.startswith("value_")):
        notes.find("shape", "one tag in each file", f"its values are in the column {values[0].name}")
        return Shape(
            "long", times.shared, values=(values[0].name,), quality=quality.name if quality else None, per_file=True
        )
    _check_repeated(values, table.names, notes)
    empty = [c.name for c in rest if not c.counts and c.is_named]
    for column in ignored:
        why = (
            "has no numbers" if not is_value(column) else "numbers the rows" if _numbers_rows(column) else "is a label"
        )
        notes.check(
            "ignore", f"the column {printable(column.name, 60)!r} {why} and was ignored", "if it is a sensor, remove it"
        )
    notes.find("shape", "wide: a column for each sensor", f"{len(values)} columns with values")
    if empty:
        notes.find("empty columns", ", ".join(printable(name, 40) for name in empty[:8]), "no value in the sample")
    unread = [column.name for column in rest if not column.counts]
    more = [name for name in times.whole if name not in times.shared]
    return Shape(
        "wide",
        times.shared,
        asset.name if asset else None,
        values=tuple(column.name for column in values),
        quality=quality.name if quality else None,
        ignored=(*(c.name for c in ignored), *unread, *more),
        tags={column.name: column.name for column in values},
    )


def _is_state(column: Column) -> bool:
    """Whether a column may be the state of a machine rather than the quality of the row: a status of small numbers."""
    return is_number(column) and not names.QUALITY.search(column.name) and all(len(text) < 2 for text in column.counts)


def _check_repeated(values: Sequence[Column], present: Sequence[str], notes: Notes) -> None:
    """Say that the header has a name more than once."""
    for column in values:
        first, _, number = column.name.rpartition(" ")
        if number.isdigit() and first in present and not names.UNIT.match(first):
            notes.check(
                "readings",
                f"the header has {printable(first, 60)!r} more than once; one of them is called {column.name!r}",
                "if it repeats the first one, list it under `ignore`, and remove its sensor",
            )


def _numbers_rows(column: Column) -> bool:
    if not names.NUMBER_OF_ROW.search(column.name):
        return False
    return len(column.counts) == column.filled and all(text.isdigit() for text in column.counts)


# -- InfluxDB's annotated CSV -------------------------------------------------------------------------


def _annotated(table: SampleTable, notes: Notes) -> Shape:
    """One reading in each row; tags of the series are columns."""
    own = {"", "result", "table", "_start", "_stop", "_time", "_value", "_field", "_measurement", "column 1"}
    labels = [c for c in table.columns if c.name not in own and c.counts]
    asset = next((c.name for c in labels if names.ASSET.search(c.name)), labels[0].name if labels else "_measurement")
    notes.find("shape", "long: one reading in each row", f"asset {asset}, sensor _field")
    if len(labels) > 1:
        notes.check("asset", f"{asset} was taken for the asset", f"others: {', '.join(c.name for c in labels[:5])}")
    return Shape("long", ("_time",), asset, "_field", values=("_value",))
