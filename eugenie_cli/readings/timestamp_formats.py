"""Timestamps of a format: what Python's strptime reads, with nothing left to the machine that reads.

strptime asks the machine for the names of months and for abbreviations of zones, takes what a format leaves out from
1900-01-01 and 00:00, and lets %H pass beside %p. Here names are a table, abbreviations those of the mapping's zone, and
a format that does not name one instant is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo

from eugenie_cli.readings.abbreviations import offset_reader
from eugenie_cli.readings.calendar_names import MONTHS, WEEKDAYS, key
from eugenie_cli.readings.format_check import NUMBERS, Directive, pieces, problems, says_utc

_WIDTHS = {"Y": 4, "y": 2, "j": 3, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2}
_NAME = r"[^\W\d_]{2,}\.?"
_OTHERS = {
    "b": _NAME,
    "B": _NAME,
    "a": _NAME,
    "A": _NAME,
    "p": r"[AaPp]\.?[Mm]\.?",
    "f": r"[0-9]{1,9}",
    "z": r"[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?",
    "Z": r"[A-Za-z]{1,6}|[+-][0-9]{2,4}",
}
_DATE, _TIME = frozenset("YymdbBjaA"), frozenset("HIMSfp")
CENTURY_TURNS = 69  # POSIX: 69 to 99 are of the twentieth century, 00 to 68 of the twenty-first

Local = tuple[datetime, int, "int | None"]
"""A naive time on the text's own clock, to the second; milliseconds; its offset from UTC in ms, None where unsaid."""


def compile_format(format: str, zone: tzinfo) -> Callable[[str], Local]:
    """The reader of one format. `zone`: whose abbreviations %Z may be.

    Where all of the date comes before all of the time, a text that ends with its date is midnight: spreadsheets and
    .NET leave 00:00:00 out. A literal Z, UTC or GMT at the end says UTC. Raises ValueError for a format that does not
    name one instant, saying what to write; the reader raises it for a text that is not of the format.
    """
    for problem in problems(format):
        raise ValueError(f"format {format!r}: {problem}")
    pattern = format_pattern(format)
    offset_of, in_utc = offset_reader(zone), says_utc(format)

    def read(text: str) -> Local:
        match = pattern.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not of the format {format!r}")
        said = match.groupdict()
        try:
            day = _date(said)
            local = datetime(
                day.year, day.month, day.day, _hour(said), int(said.get("M") or 0), int(said.get("S") or 0)
            )
        except (ValueError, OverflowError) as error:  # the latter beyond the days that a date can be
            raise ValueError(f"{text!r}: {error}") from None
        weekday = said.get("a") or said.get("A")
        if weekday is not None and WEEKDAYS.get(key(weekday), day.weekday()) != day.weekday():
            raise ValueError(f"{text!r}: {day.isoformat()} is no {weekday}")
        milliseconds = int((said.get("f") or "")[:3].ljust(3, "0"))
        return local, milliseconds, 0 if in_utc else _offset(text, said, local, offset_of)

    return read


def format_pattern(format: str) -> re.Pattern[str]:
    """What a whole text of a format looks like: a group for each directive, named by its letter."""
    return re.compile(_pattern(pieces(format)), re.IGNORECASE)


def _pattern(parts: list[Directive]) -> str:
    begin = _beginning_of_time(parts)
    written = [_piece(parts, place) for place in range(len(parts))]
    if begin is None:
        return "".join(written)
    return "".join(written[:begin]) + "(?:" + "".join(written[begin:]) + ")?"


def _piece(parts: list[Directive], place: int) -> str:
    letter, text = parts[place]
    if not letter:
        return r"\s+" if text.isspace() else re.escape(text)
    if letter in _OTHERS:
        return f"(?P<{letter}>{_OTHERS[letter]})"
    width = _WIDTHS[letter]
    around = [parts[other] for other in (place - 1, place + 1) if 0 <= other < len(parts)]
    # a neighbour's digits would leave open where this number ends
    whole = letter in "Yy" or any(one.letter in NUMBERS if one.letter else one.text[:1].isdigit() for one in around)
    return f"(?P<{letter}>[0-9]{{{width}}})" if whole else f"(?P<{letter}>[0-9]{{1,{width}}})"


def _beginning_of_time(parts: list[Directive]) -> int | None:
    """Where the time of day begins, with what parts it from the date, if all of the date is before it."""
    first = next(place for place, part in enumerate(parts) if part.letter in _TIME)
    later = {part.letter for part in parts[first:] if part.letter}
    if first == 0 or not later <= _TIME or parts[first - 1].letter:
        return None
    return first - 1 if parts[first - 1].text.isspace() or parts[first - 1].text in ("T", "t") else None


def _date(said: dict[str, str | None]) -> date:
    if said.get("Y"):
        year = int(said["Y"] or 0)
    else:
        short = int(said["y"] or 0)
        year = short + (1900 if short >= CENTURY_TURNS else 2000)
    if said.get("j"):
        day = date(year, 1, 1) + timedelta(days=int(said["j"] or 0) - 1)
        if day.year != year:
            raise ValueError(f"{year} has no day {said['j']}")
        return day
    name = said.get("b") or said.get("B")
    if name is None:
        month = int(said["m"] or 0)
    elif key(name) in MONTHS:
        month = MONTHS[key(name)]
    else:
        raise ValueError(f"{name!r} is no month that is known here: write months as numbers, with %m")
    return date(year, month, int(said["d"] or 0))


def _hour(said: dict[str, str | None]) -> int:
    if said.get("I") is None:
        return int(said.get("H") or 0)
    hour = int(said["I"] or 0)
    if not 1 <= hour <= 12:
        raise ValueError(f"a clock of 12 hours has no hour {hour}")
    return hour % 12 + (12 if (said["p"] or "")[0] in "Pp" else 0)


def _offset(
    text: str, said: dict[str, str | None], local: datetime, offset_of: Callable[[str, datetime], int]
) -> int | None:
    written, named = said.get("z"), said.get("Z")
    offset = None if written is None else offset_ms(written)
    if named is None:
        return offset
    meant = offset_of(named, local)
    if offset is not None and offset != meant:
        raise ValueError(f"{text!r}: {named} is not {written}")
    return meant


MAX_OFFSET_MINUTES = 18 * 60  # no zone is further from UTC; the limit of ISO 8601 libraries


def offset_ms(text: str) -> int:
    """`Z`, `+01:00`, `+0100` or `+01` -> milliseconds. Raises ValueError for what no offset can be."""
    if text in "Zz":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[3:].lstrip(":") or 0)
    if minutes > MAX_OFFSET_MINUTES or int(text[3:].lstrip(":") or 0) > 59:
        raise ValueError(f"{text!r} is not an offset from UTC")
    return (-minutes if text[0] == "-" else minutes) * 60_000
