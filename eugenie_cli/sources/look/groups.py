"""Wide tables in which a tag has several columns: found by their names, or by places that repeat."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from eugenie_cli.sources.look.instants import named_like_time
from eugenie_cli.sources.look.names import LABEL, NUMBER_OF_ROW, SECONDS, TAG_LIKE, UNIT, split_word
from eugenie_cli.sources.look.qualities import is_quality
from eugenie_cli.sources.look.table import Column, SampleTable
from eugenie_cli.sources.look.times import TimeColumns
from eugenie_cli.sources.look.values import is_number, is_value

_NAMED_TAG = re.compile(r"tag|name|point|signal|channel|kanal|var|item", re.IGNORECASE)


@dataclass(frozen=True)
class Groups:
    """`own`: the section `columns`; `times`: of the instant that all tags of a row share; the columns of all
    `instants`, `values` and `qualities`; `tags`: value column -> tag; `unnamed`: instants whose names are no tags, so
    that the names of the columns must be given.
    """

    own: dict[str, Any]
    times: tuple[str, ...]
    values: tuple[str, ...]
    tags: dict[str, str]
    instants: tuple[str, ...] = ()
    qualities: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    renamed: tuple[str, ...] = field(default=())


def grouped(table: SampleTable, times: TimeColumns) -> Groups | None:
    """The groups of columns of a table; None if each tag has one column."""
    return _by_names(table, times) or _by_places(table, times) or _pairs_with_tags(table, times)


# -- by names -----------------------------------------------------------------------------------------


def _by_names(table: SampleTable, times: TimeColumns) -> Groups | None:
    present = set(table.names)
    own_times = {name: list(split_word(name, "time")) for name in times.whole}
    own_qualities = {
        c.name: list(split_word(c.name, "quality"))
        for c in table.columns
        if c.name not in times.parts and is_quality(c)
    }
    for value in _value_patterns(table, times):
        by_time = _pattern_of(own_times, value, present)
        by_quality = _pattern_of(own_qualities, value, present)
        if by_time is None and by_quality is None:
            continue
        own: dict[str, Any] = {} if value == "{tag}" else {"value": value}
        used_times: tuple[str, ...] = ()
        used_qualities: tuple[str, ...] = ()
        if by_time is not None:
            own["ts"], used_times = by_time[0], tuple(by_time[1])
        if by_quality is not None:
            own["quality"], used_qualities = by_quality[0], tuple(by_quality[1])
        tags = set((by_time or by_quality or ("", {}))[1].values())
        values = {value.replace("{tag}", tag): tag for tag in tags}
        others = [c for c in table.columns if c.name not in (*used_times, *used_qualities, *values, *times.shared)]
        more = _more_of_tags(others, tags)
        alone = [c for c in others if _is_sensor(c) and c.name not in (*more, *times.parts)]
        shared = () if by_time is not None else times.shared
        if alone and by_time is not None:
            continue  # some tags have no instant of their own: rows would be rejected
        if alone and value == "{tag}":
            values |= {c.name: c.name for c in alone}
            own["optional"] = ["quality"]
        ordered = {name: tag for name in table.names if (tag := values.get(name)) is not None}
        ignored = tuple(c.name for c in others if c.name not in ordered)
        return Groups(own, shared, tuple(ordered), ordered, used_times, used_qualities, ignored)
    return None


def _is_sensor(column: Column) -> bool:
    """Whether a column that belongs to no tag has values of its own."""
    named_otherwise = NUMBER_OF_ROW.search(column.name) or LABEL.search(column.name) or SECONDS.search(column.name)
    return bool(column.counts) and is_value(column) and not named_otherwise and not is_quality(column)


def _more_of_tags(columns: Sequence[Column], tags: Collection[str]) -> frozenset[str]:
    """The columns that say more of each tag: F1_ID and F2_ID, beside F1_VALUE and F2_VALUE."""
    ends: dict[str, dict[str, str]] = defaultdict(dict)
    for column in columns:
        for tag in tags:
            if column.name.startswith(tag) and column.name != tag:
                ends[column.name.removeprefix(tag)][tag] = column.name
    return frozenset(name for of_tags in ends.values() if len(of_tags) == len(tags) for name in of_tags.values())


def _value_patterns(table: SampleTable, times: TimeColumns) -> Iterator[str]:
    """Patterns of the names of columns with values, the most frequent first."""
    counts: dict[str, int] = defaultdict(int)
    for column in table.columns:
        if column.name not in times.parts:
            for _, pattern in split_word(column.name, "value"):
                counts[pattern] += 1
    yield from sorted(counts, key=lambda pattern: -counts[pattern])
    yield "{tag}"


def _pattern_of(
    columns: dict[str, list[tuple[str, str]]], value: str, present: set[str]
) -> tuple[str, dict[str, str]] | None:
    """(pattern, column -> tag) of the pattern under which most columns belong to a column with values."""
    by_pattern: dict[str, dict[str, str]] = defaultdict(dict)
    for name, splits in columns.items():
        for tag, pattern in splits:
            if value.replace("{tag}", tag) in present and value.replace("{tag}", tag) != name:
                by_pattern[pattern][name] = tag
    if not by_pattern:
        return None
    best = max(by_pattern, key=lambda pattern: len(by_pattern[pattern]))
    return best, by_pattern[best]


# -- by places ----------------------------------------------------------------------------------------


def _by_places(table: SampleTable, times: TimeColumns) -> Groups | None:
    """Groups of an instant and a value, perhaps with a quality, one after the other."""
    if len(times.whole) < 2:
        return None
    columns = [c for c in table.columns if c.counts or c.is_named]
    kinds = ["ts" if c.name in times.whole else "quality" if is_quality(c) else "value" for c in columns]
    for size in (2, 3):
        repeat = kinds[:size]
        whole = len(kinds) // size * size
        if len(kinds) < 2 * size or kinds[:whole] != repeat * (whole // size) or whole < len(kinds) - 1:
            continue
        if sorted(repeat) != sorted(["ts", "value", "quality"][:size]):
            continue
        pieces = [columns[start : start + size] for start in range(0, whole, size)]
        of = {kind: tuple(p[repeat.index(kind)].name for p in pieces) for kind in repeat}
        named = [_tag_of(piece, times) for piece in pieces]
        if not all(named):
            return None
        read = [next((c.name for c in piece if c.is_named), "") for piece in pieces]
        renamed = tuple(named) if read != named else ()
        tags = dict(zip(of["value"], named, strict=True))
        qualities = of.get("quality", ())
        return Groups({"repeat": repeat}, (), of["value"], tags, of["ts"], qualities, renamed=renamed)
    return None


def _tag_of(piece: Sequence[Column], times: TimeColumns) -> str:
    """The name of a group that is a tag."""
    named = [c for c in piece if c.is_named]
    plain = [c for c in named if not (c.name in times.whole and _is_time_word(c.name))]
    return (plain or named or [Column("", ())])[0].name


def _is_time_word(name: str) -> bool:
    return named_like_time(name) and (len(name) < 24 or UNIT.match(name) is not None)


def _pairs_with_tags(table: SampleTable, times: TimeColumns) -> Groups | None:
    """A row with one instant and several pairs of a tag and a value."""
    rest = [c for c in table.columns if c.name not in times.parts and c.counts]
    if len(rest) < 4 or len(rest) % 2:
        return None
    pairs = list(zip(rest[::2], rest[1::2], strict=True))
    if any(tag.is_named and not _NAMED_TAG.search(tag.name) for tag, _ in pairs):
        return None  # a machine and a measurement, side by side
    tags = all(not is_value(tag) and all(map(TAG_LIKE.match, tag.counts)) for tag, _ in pairs)
    if not tags or not all(is_number(value) for _, value in pairs):
        return None
    if len({c.name for c in rest}) < len(rest) or any(len(tag.counts) > max(2, table.rows // 2) for tag, _ in pairs):
        return None
    empty = tuple(c.name for c in table.columns if not c.counts)
    values = tuple(value.name for _, value in pairs)
    found = {value.name: next(iter(tag.counts)) for tag, value in pairs}
    return Groups({"repeat": ["tag", "value"]}, times.shared, values, found, ignored=empty)
