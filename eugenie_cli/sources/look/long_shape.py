"""Tables with one reading in each row: which columns have names, the value and the quality."""

from __future__ import annotations

from collections.abc import Sequence

from eugenie_cli.printable import printable
from eugenie_cli.sources.look import names
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.keys import apart, may_tell_apart
from eugenie_cli.sources.look.qualities import is_quality, may_be_quality, named_like_quality, quality_of_rows
from eugenie_cli.sources.look.shape import Shape
from eugenie_cli.sources.look.table import Column, SampleTable
from eugenie_cli.sources.look.times import TimeColumns
from eugenie_cli.sources.look.values import is_number, is_value


def long_shape(table: SampleTable, times: TimeColumns, notes: Notes) -> Shape | None:
    """The shape of a table with a column of names and one of values; None if it is none."""
    rest = [column for column in table.columns if column.name not in times.parts and column.counts]
    labels = [column for column in rest if _may_name(column, table)]
    tag = min((c for c in labels if names.TAG.search(c.name)), key=_is_code, default=None)
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
    quality = quality_of_rows([c for c in others if c not in values])
    free = [c for c in rest if c not in (tag, sensor, asset, quality, *values)]
    tag, sensor, asset = _apart(table, times, (tag, sensor, asset), free, notes)
    rivals = [c.name for c in labels if c in free and c not in (tag, sensor, asset) and _may_be_tag(c)]
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
        if _follows(asset, tag):
            notes.find("not read", asset.name, f"each tag of {tag.name} belongs to one asset")
            asset = None
        else:
            sensor, tag = tag, None
    _say_unread([c for c in free if c.name not in known], sensor or tag, quality, notes)
    return Shape(
        "long",
        times.shared,
        asset.name if asset else None,
        sensor.name if sensor else None,
        tag.name if tag else None,
        tuple(column.name for column in values),
        quality.name if quality else None,
    )


Names = tuple[Column | None, Column | None, Column | None]
"""The columns of tag, sensor and asset."""


def _is_code(column: Column) -> bool:
    return names.IDENTIFIER.search(column.name) is not None


def _apart(table: SampleTable, times: TimeColumns, found: Names, free: Sequence[Column], notes: Notes) -> Names:
    """The columns of names, with the one that tells readings apart which have the same names and instant."""
    tag, sensor, asset = found
    chosen = sensor or tag
    key = [*times.shared, *(column.name for column in found if column is not None)]
    more = apart(table, key, [c for c in free if may_tell_apart(c, table)])
    if more is None or chosen is None or (asset is not None and len(chosen.counts) > 1):
        return found
    shown = ", ".join(printable(name, 30) for name in list(more.counts)[:4])
    said = f"rows with the same {chosen.name} and instant differ in {printable(more.name, 60)!r} ({shown})"
    if len(chosen.counts) == 1:
        notes.find("names", more.name, f"{chosen.name} is the same in all rows, {next(iter(chosen.counts))}")
        return (more, None, asset) if sensor is None else (None, more, asset)
    notes.check("asset", f"{said}: it was taken for the asset")
    return None, chosen, more


def _say_unread(columns: Sequence[Column], chosen: Column | None, quality: Column | None, notes: Notes) -> None:
    """Say which columns are not read; ask about one that may say whether a reading is good."""
    left = list(columns)
    if quality is None and chosen is not None:
        for column in [c for c in columns if may_be_quality(c) and not _follows(c, chosen)]:
            codes = ", ".join(printable(code, 20) for code in list(column.counts)[:6])
            usual = column.counts.most_common(1)[0][0]
            notes.check(
                "quality",
                f"the column {printable(column.name, 60)!r} ({codes}) is not read",
                f"if it says which readings are good: quality: {{path: {column.name}, good: [{usual!r}]}}",
            )
            left.remove(column)
    if left:
        notes.find("not read", ", ".join(printable(c.name, 40) for c in left[:8]), "no part of a reading")


def _follows(column: Column, chosen: Column) -> bool:
    """Whether a column says the same of each name in another, such as the asset or the unit of each tag."""
    pairs = set(zip(chosen.cells, column.cells, strict=True))
    return len(pairs) == len({name for name, _ in pairs})


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
    return alike and not names.TAG_MORE.search(column.name) and not named_like_quality(column.name)
