"""Tables with one instant in each row and a column for each sensor: which columns are sensors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.readings.number_texts import in_yaml
from eugenie_cli.sources.look import names
from eugenie_cli.sources.look.cells import NUMBER
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.keys import apart, may_tell_apart, pair_apart
from eugenie_cli.sources.look.qualities import quality_of_rows
from eugenie_cli.sources.look.shape import Shape
from eugenie_cli.sources.look.table import Column, SampleTable
from eugenie_cli.sources.look.times import TimeColumns
from eugenie_cli.sources.look.values import is_number, is_value

_STATUS_BEHIND = re.compile(r"^[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?[ ;|/]*(?=[\[({<]?[A-Za-z])")
SPARSE = 0.3
"""Share of empty cells from which a column may have values only where they changed."""


def wide_shape(table: SampleTable, times: TimeColumns, where: str, notes: Notes) -> Shape:
    """The parts of a table's columns. Raises EugenieError if no column has numbers."""
    rest = [column for column in table.columns if column.name not in times.parts]
    filled = [column for column in rest if column.counts]
    quality = quality_of_rows([column for column in filled if not _is_state(column)]) if len(filled) > 1 else None
    texts = [c for c in filled if c is not quality and not is_value(c)]
    asset = next((c for c in texts if names.ASSET.search(c.name) and c.filled >= 0.9 * table.rows), None)
    if asset is None:
        candidates = [c for c in filled if c is not quality and may_tell_apart(c, table)]
        asset = apart(table, times.shared, candidates)
        if asset is not None:
            _say_apart(asset, notes)
        elif (pair := pair_apart(table, times.shared, candidates)) is not None:
            numbers = [c for c in filled if c not in (*pair, quality) and is_number(c)]
            if len(numbers) == 1:
                return _of_pairs(pair, numbers[0], quality, times, notes)
    left = [c for c in filled if c is not quality and c is not asset]
    generic = any(names.VALUE.search(column.name) for column in left)
    left = [c for c in left if not (generic and names.FLAG.search(c.name))]
    ignored = [c for c in left if not is_value(c) or any(is_none(c) for is_none in _NO_SENSORS.values())]
    values = [c for c in left if c not in ignored]
    if not values:
        values = [c for c in left if any(map(NUMBER.match, c.counts))]
        ignored = [c for c in ignored if c not in values]
        for column in values:
            notes.check("readings", f"most cells of {printable(column.name, 60)!r} are no numbers; they are rejected")
    if not values and (found := _with_status(left)):
        raise EugenieError(
            f"{where}: numbers are followed by their status, such as {printable(found, 40)!r}",
            "export the status in a column of its own; or, if only those of one status count, write the source by hand"
            f" with `value: {{unit: {in_yaml(_STATUS_BEHIND.sub('', found).strip())}}}`",
        )
    if not values:
        raise EugenieError(
            f"{where}: beside the instant {', '.join(map(repr, times.shared))} no column has numbers",
            "export values as numbers, or name the column with states `value`",
        )
    generic = len(values) == 1 and bool(names.VALUE.search(values[0].name) or values[0].name.startswith("value_"))
    if asset is not None and len(values) == 1 and (generic or is_number(asset)):
        return _of_tags(asset, values[0], quality, times)
    if generic:
        notes.find("shape", "one tag in each file", f"its values are in the column {values[0].name}")
        return Shape(
            "long", times.shared, values=(values[0].name,), quality=quality.name if quality else None, per_file=True
        )
    _check_repeated(values, table.names, notes)
    _check_empty(values, table.rows, notes)
    _check_flags(values, notes)
    empty = [c.name for c in rest if not c.counts and c.is_named]
    for column in ignored:
        why = next((why for why, is_none in _NO_SENSORS.items() if is_none(column)), "has no numbers")
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


def _say_apart(column: Column, notes: Notes) -> None:
    shown = ", ".join(printable(name, 30) for name in list(column.counts)[:4])
    notes.find("names", shown, f"rows with the same instant differ in {column.name}")
    notes.check(
        "asset",
        f"rows with the same instant differ in {printable(column.name, 60)!r} ({shown}): it says what the readings are"
        " of",
    )


def _of_tags(tag: Column, value: Column, quality: Column | None, times: TimeColumns) -> Shape:
    """One reading in each row: the only column with values belongs to the tag that another column has."""
    return Shape(
        "long",
        times.shared,
        tag=tag.name,
        values=(value.name,),
        quality=quality.name if quality else None,
    )


def _of_pairs(
    pair: tuple[Column, Column], value: Column, quality: Column | None, times: TimeColumns, notes: Notes
) -> Shape:
    """One reading in each row, of the asset and the sensor that two columns have."""
    asset, sensor = pair
    notes.find("shape", "long: one reading in each row", f"{asset.name}, {sensor.name}, {value.name}")
    notes.check(
        "asset",
        f"rows with the same instant differ in {asset.name!r} and {sensor.name!r}, taken for asset and sensor",
        "exchange them if it is the other way",
    )
    return Shape(
        "long",
        times.shared,
        asset.name,
        sensor.name,
        None,
        (value.name,),
        quality.name if quality is not None else None,
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


def _check_empty(values: Sequence[Column], rows: int, notes: Notes) -> None:
    """Say that empty cells are readings of bad quality, if there are many."""
    empty = [column for column in values if rows - column.filled > SPARSE * rows]
    if empty:
        shown = ", ".join(printable(column.name, 40) for column in empty[:4])
        share = 1 - sum(column.filled for column in empty) / (rows * len(empty))
        notes.check(
            "value",
            f"{share:.0%} of the cells of {shown}{' and others' if len(empty) > 4 else ''} are empty, which is read as"
            " bad quality",
            "if they mean that nothing changed, export one reading in each row",
        )


def _check_flags(values: Sequence[Column], notes: Notes) -> None:
    """Ask whether a column such as `Error` says which rows are bad."""
    for column in values:
        if names.ERROR.search(column.name) and column.counts.keys() <= {"0", "1", "true", "false", "True", "False"}:
            good, bad = ("0", "1") if column.counts.keys() <= {"0", "1"} else ("false", "true")
            notes.check(
                "readings",
                f"the column {printable(column.name, 60)!r} was taken for a sensor",
                f"if {bad} marks rows of bad readings, remove the sensor and write quality: {{path: {column.name},"
                f" good: ['{good}'], bad: ['{bad}']}}",
            )


def _numbers_rows(column: Column) -> bool:
    if not names.NUMBER_OF_ROW.search(column.name) and (column.is_named or column.cells[0] not in ("0", "1")):
        return False
    return len(column.counts) == column.filled and all(text.isdigit() for text in column.counts)


_NO_SENSORS: dict[str, Callable[[Column], bool]] = {
    "is a label": lambda column: names.LABEL.search(column.name) is not None,
    "numbers the rows": _numbers_rows,
    "is part of the instant": lambda column: names.SECONDS.search(column.name) is not None,
}
"""Why a column with numbers is no sensor."""


def _with_status(columns: Sequence[Column]) -> str | None:
    """The most frequent cell in which a word follows a number, if most cells of a column are such."""
    for column in columns:
        cells = {text: count for text, count in column.counts.items() if _STATUS_BEHIND.match(text)}
        if 2 * sum(cells.values()) > column.filled:
            usual = Counter(_STATUS_BEHIND.sub("", text) for text in column.cells if text in cells).most_common(1)[0][0]
            return next(text for text in cells if text.endswith(usual))
    return None
