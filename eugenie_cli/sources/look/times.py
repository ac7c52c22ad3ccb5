"""The part `ts` of a mapping: one column, or a date and a time of day in columns of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.instants import Instants, instants_of, named_like_time, relative
from eugenie_cli.sources.look.table import Column, SampleTable
from eugenie_cli.sources.look.time_choice import choose
from eugenie_cli.sources.look.zones import zone_of

ROWS, SECOND_MS = 1_000, 1_000
"""Rows in which two columns of instants are compared, and what counts as the same instant, ms."""
_MILLIS = re.compile(r"milli|msec|(?:^|[\W_])ms(?:$|[\W_])|^ms$", re.IGNORECASE)
_MILLIS_ALONE = re.compile(r"^(?:time[_ ]?)?(?:milli(?:s|sec|tm|seconds?)?|msec|ms)$", re.IGNORECASE)
"""Beside a column with whole instants, another name is that of a measurement."""
_FRACTION = re.compile(r":\d{2}[.,]\d")
_UTC = re.compile(r"(?:^|[\W_])(?:UTC|GMT)(?![ ]?[+-] ?\d)(?:$|[\W_])", re.IGNORECASE)
_THREE_DIGITS = re.compile(r"^\d{1,3}$")
_PREFERRED = (re.compile(r"source", re.IGNORECASE), re.compile(r"server|insert|created|received|import"))


@dataclass(frozen=True)
class TimeColumns:
    """The columns of a table that are instants. `whole`: instants by themselves; `shared`: those that together are the
    instant of a row: one of `whole`, or a date and a time; `joined`: how these are read; `rival`: another column that
    may be meant instead.
    """

    whole: dict[str, Instants]
    shared: tuple[str, ...]
    joined: Instants | None
    rival: str | None = None

    @property
    def parts(self) -> set[str]:
        """All columns that have to do with time."""
        return {*self.whole, *self.shared}


def time_columns(table: SampleTable, where: str) -> TimeColumns:
    """The columns with instants. Raises EugenieError if there are none."""
    found = {column.name: read for column in table.columns if (read := instants_of(column)) is not None}
    whole = _without_counters({name: read for name, read in found.items() if read.is_whole})
    if whole:
        name, rival = _preferred(whole, table)
        more = () if _has_fractions(table[name]) else _millis(table, set(whole), _MILLIS_ALONE)
        read = instants_of(table[name], by_format=True) if more and whole[name].unit == "iso" else None
        return TimeColumns(whole, (name, *more) if read else (name,), read or whole[name], rival)
    dates = [name for name, read in found.items() if read.date and not read.time]
    clocks = [name for name, read in found.items() if read.time and not read.date]
    if dates and clocks:
        names = (dates[0], clocks[0], *_millis(table, {*dates, *clocks}, _MILLIS))
        joined = Column("joined", _joined(table, names))
        read = instants_of(joined)
        if read is not None and read.is_whole:
            return TimeColumns({}, names, read)
    raise EugenieError(*_missing(table, where, dates, clocks))


def _without_counters(whole: dict[str, Instants]) -> dict[str, Instants]:
    """Columns with instants, without numbers that only rise as instants do, if others are instants beyond doubt."""
    sure = {name: read for name, read in whole.items() if read.unit == "iso" or named_like_time(name)}
    return sure or whole


def _missing(table: SampleTable, where: str, dates: Sequence[str], clocks: Sequence[str]) -> tuple[str, str]:
    """Why there are no instants, and what to do."""
    if dates:
        return (
            f"{where}: the column {dates[0]!r} has dates without a time of day",
            "export the time of day, too: otherwise all readings of a day would be at midnight",
        )
    if clocks:
        return (
            f"{where}: the column {clocks[0]!r} has times of day without a date",
            f"export the date, too, or say where it is stated: ts: {{path: {clocks[0]},"
            " date: {file: 'log_{date}'}}",
        )
    for column in table.columns:
        if relative(column):
            return (
                f"{where}: the column {column.name!r} counts time from a start that the rows do not state",
                f"export absolute timestamps, or say where the start is: ts: {{path: {column.name}, unit: s,"
                " start: {line: ...}}",
            )
    names = ", ".join(repr(name) for name in table.names[:8])
    return f"{where}: none of its columns ({names}) has instants", "export the timestamp of each reading"


def _preferred(whole: dict[str, Instants], table: SampleTable) -> tuple[str, str | None]:
    """(the instant of a row: of the source rather than of a server, the one that tells most rows apart; one that is as
    likely by its name, and differs by more than a second).
    """
    order = list(whole)

    def rank(name: str) -> tuple[float, ...]:
        column = table[name]
        named = named_like_time(name)
        source = bool(_PREFERRED[0].search(name)) - bool(_PREFERRED[1].search(name.lower()))
        read = whole[name].reader()
        distinct = len({read(text) for text in column.counts} - {None})
        return (named, source, column.filled >= 0.75 * table.rows, distinct, -order.index(name))

    best, *others = sorted(order, key=rank, reverse=True)
    for other in others:
        if rank(other)[:3] == rank(best)[:3] and _differ(table, best, other, whole):
            return best, other
    return best, None


def _differ(table: SampleTable, one: str, other: str, whole: dict[str, Instants]) -> bool:
    """Whether two columns of instants are more than a second apart in a row."""
    reads = whole[one].reader(), whole[other].reader()
    for cells in zip(table[one].cells[:ROWS], table[other].cells[:ROWS], strict=True):
        instants = [at for read, cell in zip(reads, cells, strict=True) if cell and (at := read(cell)) is not None]
        if len(instants) == len(cells) and abs(instants[0] - instants[1]) > SECOND_MS:
            return True
    return False


def _millis(table: SampleTable, others: set[str], pattern: re.Pattern[str]) -> tuple[str, ...]:
    """A column of milliseconds."""
    for column in table.columns:
        if column.name not in others and pattern.search(column.name) and _are_millis(column):
            return (column.name,)
    return ()


def _are_millis(column: Column) -> bool:
    return bool(column.counts) and all(map(_THREE_DIGITS.match, column.counts))


def _has_fractions(column: Column) -> bool:
    return any(_FRACTION.search(text) for text in column.counts)


def instants_in(table: SampleTable, names: Sequence[str]) -> Instants:
    """How the columns with these names are read together. Raises EugenieError if they are no instants."""
    column = table[names[0]] if len(names) == 1 else Column("joined", _joined(table, names))
    read = instants_of(column, by_format=len(names) > 1)
    if read is None or not read.is_whole:
        raise EugenieError(
            f"the instants of several files, in {', '.join(map(repr, names))}, are in different forms",
            "look at the files of each form alone",
        )
    return read


def _joined(table: SampleTable, names: Sequence[str]) -> list[str]:
    """The texts of instants in several columns, without milliseconds in the last one, which no format reads."""
    whole = names[:-1] if len(names) > 1 and _MILLIS.search(names[-1]) and _are_millis(table[names[-1]]) else names
    columns = [table[name].cells for name in whole]
    return [" ".join(cells) if all(cells) else "" for cells in zip(*columns, strict=True)]


def time_part(
    table: SampleTable, names: Sequence[str], read: Instants, notes: Notes, *, ordered: bool = True
) -> dict[str, Any]:
    """The settings of `ts`. `names`: none if each tag has an instant of its own, whose cells are then `table`'s;
    `ordered`: whether rows have an order that shows which pass of the repeated hour they are of.
    """
    cells = _joined(table, names) if len(names) > 1 else list(table[names[0]].cells) if names else _all(table)
    choice = choose(read, cells, notes, "the instant")
    settings = read.settings(choice)
    to_ms = read.reader(choice)
    instants = [at for cell in cells if (at := to_ms(cell)) is not None]
    shown = next((cell for cell in cells if to_ms(cell) is not None), "")
    written = settings.get("format") or settings.get("unit") or "ISO 8601"
    notes.find("instants", written if isinstance(written, str) else " and ".join(written), f"such as {shown}")
    in_utc = read.is_local and next(filter(_UTC.search, names), None)
    if in_utc:
        notes.find("time zone", "UTC", f"the name of the column {in_utc}")
    is_open = read.unit == "ticks" and not in_utc  # which clock they count is written nowhere
    if is_open:
        notes.check("timezone", "ticks of .NET are read as UTC: they may count local time", "write the zone instead")
    zone = "UTC" if in_utc or is_open else zone_of(read, instants, notes)
    if zone is not None:
        settings["timezone"] = zone
    if read.is_local and ordered and zone != "UTC":
        settings["ambiguous"] = "order"
    if names:
        path = {"path": names[0] if len(names) == 1 else list(names)}
        return {**path, **settings}
    return settings


def _all(table: SampleTable) -> list[str]:
    return [cell for column in table.columns for cell in column.cells]
