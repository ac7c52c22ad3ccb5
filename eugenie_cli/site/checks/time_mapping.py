"""Checks that the `ts` of a mapping determines instants."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eugenie_cli.readings.format_check import problems
from eugenie_cli.readings.number_units import DAYS, LOCAL_UNITS
from eugenie_cli.site.checks.stated import check_stated, times_of_day
from eugenie_cli.site.diagnostics import Path
from eugenie_cli.site.mapping_parts import TimePart

_FRACTION_NAMES = re.compile(r"(?:^|[\W_])(u|µ|n|micro|nano)(?:s|sec|second)s?(?:$|[\W_])|(micro|nano)s", re.IGNORECASE)
_FRACTION_ALONE = re.compile(r"\s%f$")


def check_time(ts: TimePart, *, of_file: bool, of_kafka: bool) -> Iterator[tuple[Path, str]]:
    """Problems of the part `ts`: (path inside the mapping, message). Arguments: as for `check_mapping`."""
    if ts.format is not None and ts.unit != "iso":
        yield ("ts", "format"), f"a number in {ts.unit} has no format: give format or unit, not both"
    else:
        for format in ts.all_formats:
            for problem in problems(format) if ts.date is None else times_of_day(format):
                yield ("ts", "format"), f"{format!r}: {problem}" if ts.formats else problem
    if len(set(ts.formats)) < len(ts.formats):
        yield ("ts", "format"), "contains a format twice"
    if ts.ambiguous == "order" and of_kafka:
        yield (
            ("ts", "ambiguous"),
            "order is for imports: messages may arrive in any order; use first or second, or have the gateway send UTC",
        )
    if ts.ambiguous != "reject" and (ts.unit not in LOCAL_UNITS or ts.record is not None or ts.start):
        yield ("ts", "ambiguous"), "is for local times: this instant has no time zone"
    if ts.unit == "ticks" and ts.timezone is None:
        yield ("ts", "unit"), "ticks may count UTC or local time: write `timezone: UTC`, or the zone"
    if ts.paths and not ts.all_formats and ts.unit not in ("iso", "s", *DAYS):
        yield ("ts", "path"), f"a number in {ts.unit} is one column: several need unit s, excel, or text"
    yield from _fraction(ts)
    yield from check_stated(ts, of_file=of_file)
    for format in ts.all_formats if ts.paths else ():
        if _FRACTION_ALONE.search(format):
            yield (
                ("ts", "format"),
                "%f reads 7 as seven tenths of a second, a column of milliseconds means 0.007: leave %f out, the last"
                " column of `path` is read as milliseconds",
            )


def _fraction(ts: TimePart) -> Iterator[tuple[Path, str]]:
    given = "fraction" in ts.model_fields_set
    if given and not ts.paths:
        yield ("ts", "fraction"), "is what the last of several columns counts: `path: [seconds, fraction]`"
    elif ts.paths and not given and (named := _FRACTION_NAMES.search(ts.paths[-1])):
        fraction = "us" if (named[1] or named[2])[0].lower() in "uµm" else "ns"
        yield (
            ("ts", "path"),
            f"{ts.paths[-1]!r} is not milliseconds by its name: write `fraction: {fraction}`, or `ms` if it is",
        )
