"""Formats in which a text may be read as an instant, a date or a time of day: all of them, for the data to decide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from eugenie_cli.readings.calendar_names import MONTHS, key

_NAME = r"[^\W\d_]{3,12}\.?"
_YEAR_DAY = "%Y{0}%d{0}%m"
MONTHS_OF_A_YEAR = 12
_DATES = (
    (re.compile(r"(\d{4})([-/. ])(\d{1,2})\2(\d{1,2})"), ("%Y{0}%m{0}%d", _YEAR_DAY)),
    (re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4})"), ("%d{0}%m{0}%Y", "%m{0}%d{0}%Y")),
    (re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{2})(?!\d)"), ("%d{0}%m{0}%y", "%m{0}%d{0}%y", "%y{0}%m{0}%d")),
)
_YEAR = r"(?P<Y>\d{4}|\d{2})(?!\d)"
_NAMED = (
    (re.compile(rf"(?P<d>\d{{1,2}})(?P<s>[-/. ]{{0,2}})(?P<b>{_NAME})(?P<t>[-/. ,]{{0,2}}){_YEAR}"), "d{s}b{t}Y"),
    (re.compile(rf"(?P<b>{_NAME})(?P<s> )(?P<d>\d{{1,2}})(?P<t>,? )(?P<Y>\d{{4}})"), "b{s}d{t}Y"),
    (re.compile(rf"(?P<Y>\d{{4}})(?P<s>[-/. ])(?P<b>{_NAME})(?P<t>[-/. ])(?P<d>\d{{1,2}})"), "Y{s}b{t}d"),
)
_COMPACT = re.compile(r"\d{8}(?=\D|$|(?:\d{4}|\d{6})$)")
_TIME = re.compile(r"(\d{1,2})([:.h])(\d{2})(?:\2(\d{2})(?:([.,:])(\d{1,9}))?)?(\s?)([AaPp]\.?[Mm]\.?)?")
_COMPACT_TIME = re.compile(r"(\d{4}|\d{6})(?:([.,])(\d{1,9}))?(?!\d)")
_SEPARATOR = re.compile(r" - |, |\s+|[Tt_:,;/-]|(?=\d)")
_ZONE = re.compile(r"(\s?)(Z|[+-]\d{2}(?::?\d{2})?|\(?[A-Za-z]{2,5}\)?)$")
_WEEKDAY = re.compile(r"([^\W\d_]{2,10})(\.?,? )(?=\S)")
_JAVA = re.compile(r"^[A-Za-z]{3} [^\W\d_]{3} +\d{1,2} \d{2}:\d{2}:\d{2} (?:([A-Za-z]{1,6})|[+-]\d{4}) \d{4}$")
_C = re.compile(r"^[A-Za-z]{3} [^\W\d_]{3} +\d{1,2} \d{2}:\d{2}:\d{2} \d{4}$")


class Candidate(NamedTuple):
    """`format`: in strptime's directives; `date`, `time`: whether it has that part; `zone`: the abbreviation or offset
    in the text, "" for none.
    """

    format: str
    date: bool
    time: bool
    zone: str = ""


@lru_cache(4096)
def candidates(text: str) -> tuple[Candidate, ...]:
    """The formats in which a text may be meant, the most likely first."""
    if java := _JAVA.match(text):
        zone = java[1] or "offset"
        return (Candidate(f"%a %b %d %H:%M:%S {'%Z' if java[1] else '%z'} %Y", True, True, zone),)
    if _C.match(text):
        return (Candidate("%a %b %d %H:%M:%S %Y", True, True),)
    found = dict.fromkeys((*_from(text), *_after_weekday(text)))
    return tuple(found)


def _after_weekday(text: str) -> Iterator[Candidate]:
    weekday = _WEEKDAY.match(text)
    if weekday is None:
        return
    for candidate in _from(text[weekday.end() :]):
        yield candidate._replace(format=f"%a{weekday[2]}{candidate.format}")


def _from(text: str) -> Iterator[Candidate]:
    for date, end in _dates(text):
        rest = text[end:]
        if not rest:
            yield Candidate(date, True, False)
            continue
        separator = _SEPARATOR.match(rest)
        if separator is None:
            continue
        for time, zone in _times(rest[separator.end() :], compact=True):
            if separator.end() or date == "%Y%m%d":
                between = " " if separator[0].isspace() else separator[0]
                yield Candidate(f"{date}{between}{time}", True, True, zone)
    for time, zone in _times(text, compact=False):
        if ":" in time:  # 2.41 is a number
            yield Candidate(time, False, True, zone)
    clock, blank, date_text = text.partition(" ")
    for time, _ in _times(clock, compact=False) if blank and ":" in clock else ():
        for date, end in _dates(date_text):
            if end == len(date_text):
                yield Candidate(f"{time} {date}", True, True)


def _dates(text: str) -> Iterator[tuple[str, int]]:
    """(format, end) of the dates at the beginning of a text."""
    for pattern, formats in _DATES:
        if match := pattern.match(text):
            for format in formats:
                if format != _YEAR_DAY or int(match[3]) > MONTHS_OF_A_YEAR:  # otherwise nobody writes it
                    yield format.format(match[2]), match.end()
    for pattern, layout in _NAMED:
        match = pattern.match(text)
        if match is not None and key(match["b"]) in MONTHS:
            year = "%Y" if len(match["Y"]) == 4 else "%y"
            yield _directives(layout.format(s=match["s"], t=match["t"]), year), match.end()
    if _COMPACT.match(text) and text[:2] in ("19", "20"):
        yield "%Y%m%d", 8


def _directives(layout: str, year: str) -> str:
    return "".join({"d": "%d", "b": "%b", "Y": year}.get(letter, letter) for letter in layout)


def _times(text: str, *, compact: bool) -> Iterator[tuple[str, str]]:
    """(format, zone) of a text that is a time of day, perhaps with a zone."""
    for body, zone, written in _without_zone(text):
        match = _TIME.fullmatch(body)
        if match is not None:
            yield _clock(match) + written, zone
        short = _COMPACT_TIME.fullmatch(body) if compact else None
        if short is not None:
            seconds = "%S" if len(short[1]) == 6 else ""
            if seconds or not short[2]:
                fraction = f"{short[2]}%f" if short[2] else ""
                yield f"%H%M{seconds}{fraction}{written}", zone


def _clock(match: re.Match[str]) -> str:
    _, sign, _, second, point, _, blank, half = match.groups()
    seconds = f"{sign}%S" if second else ""
    fraction = f"{point}%f" if point else ""
    hour = "%I" if half else "%H"
    return f"{hour}{sign}%M{seconds}{fraction}" + (f"{blank}%p" if half else "")


def _without_zone(text: str) -> Iterator[tuple[str, str, str]]:
    """(the time, its zone, the directive of the zone with what is before it)."""
    yield text, "", ""
    match = _ZONE.search(text)
    if match is None or match.start() == 0:
        return
    zone = match[2]
    if zone[0] in "+-Z" and zone != "ZZ":
        yield text[: match.start()], "offset", f"{match[1]}%z"
    elif zone.upper() not in ("AM", "PM"):
        inner = zone.strip("()")
        written = zone.replace(inner, "%Z")
        yield text[: match.start()], inner, f"{match[1]}{written}"
