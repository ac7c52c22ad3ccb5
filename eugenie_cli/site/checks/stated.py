"""Checks of the date, or the start of elapsed time, that is stated once for many instants."""

from __future__ import annotations

from collections.abc import Iterator

from eugenie_cli.readings.format_check import pieces, problems
from eugenie_cli.readings.stated import DATE_FORMAT, DURATION, ELAPSED
from eugenie_cli.site.diagnostics import Path
from eugenie_cli.site.mapping_parts import StatedOnce, TimePart

_OF_DATES = frozenset("YymdbBjaA")
_OF_TIMES = frozenset("HIMSfpzZ")
_ONLY_ELAPSED = (DURATION, *(unit for unit in ELAPSED if unit not in ("s", "ms", "us", "ns")))


def check_stated(ts: TimePart, *, of_file: bool) -> Iterator[tuple[Path, str]]:
    """Problems of `date` and `start`: (path inside the mapping, message). `of_file`: for files."""
    if ts.start is None and ts.unit in _ONLY_ELAPSED:
        yield (
            ("ts", "unit"),
            f"{ts.unit} counts since an instant: give `start`, from a line, the file's name or a const",
        )
    if ts.date is not None:
        yield from _section("date", ts.date, of_file)
        yield from _date(ts, ts.date)
    if ts.start is not None:
        yield from _section("start", ts.start, of_file)
        yield from _start(ts, ts.start)


def times_of_day(format: str) -> Iterator[str]:
    """What is wrong with a format of times of day."""
    letters = {part.letter for part in pieces(format)}
    if dated := sorted(letters & _OF_DATES):
        yield f"%{dated[0]} is of a date, which `date` gives: leave it out"
    elif zoned := sorted(letters & {"z", "Z"}):
        yield f"%{zoned[0]} is not read beside `date`: the times are in `timezone`"
    else:
        yield from problems(f"{DATE_FORMAT} {format}")


def _section(kind: str, stated: StatedOnce, of_file: bool) -> Iterator[tuple[Path, str]]:
    ways = stated.ways
    if not ways:
        yield ("ts", kind), f"needs file, line or const: where the {kind} is"
    for way in ways[1:]:
        yield ("ts", kind, way), f"conflicts with {ways[0]}: give only one of them"
    for way in ways:
        if way != "const" and not of_file:
            yield ("ts", kind, way), f"is for files, which have a name and lines: give a const {kind}"
    own = f"{{{kind}}}"
    if stated.file is not None and (
        stated.file.count(own) != 1 or stated.file.count("{") > stated.file.count("{*}") + 1
    ):
        yield ("ts", kind, "file"), f"needs {own} once, and {{*}} for any other text, e.g. {{*}}_{own}"


def _date(ts: TimePart, date: StatedOnce) -> Iterator[tuple[Path, str]]:
    if date.format is not None:
        letters = {part.letter for part in pieces(date.format)}
        if timed := sorted(letters & _OF_TIMES):
            yield ("ts", "date", "format"), f"%{timed[0]} is no part of a date"
        else:
            for problem in problems(f"{date.format} %H:%M"):
                yield ("ts", "date", "format"), problem
    if ts.unit != "iso":
        yield ("ts", "date"), f"is for times of day: a number in {ts.unit} is an instant by itself"
    if ts.start is not None:
        yield ("ts", "date"), "conflicts with start: give only one of them"


def _start(ts: TimePart, start: StatedOnce) -> Iterator[tuple[Path, str]]:
    if ts.unit not in (*ELAPSED, DURATION):
        yield ("ts", "start"), f"needs a unit of elapsed time: {', '.join(ELAPSED)}, or {DURATION} for 26:30:00"
    for problem in problems(start.format) if start.format is not None else ():
        yield ("ts", "start", "format"), problem
    if ts.paths:
        yield ("ts", "path"), "elapsed time is one column"
