"""Checks whether a timestamp format determines an instant: what is wrong with it, and what to write instead."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

KNOWN = "aAbBdfHIjmMpSyYzZ%"
"""Supported directives, with the meaning that they have in Python's strptime."""
NUMBERS = "dfHIjmMSyY"

_INSTEAD = {
    "T": "%H:%M:%S", "F": "%Y-%m-%d", "R": "%H:%M", "D": "%m/%d/%y", "e": "%d", "k": "%H", "l": "%I", "P": "%p",
    "h": "%b", "L": "%f", "N": "%f", "q": "%f", "Q": "%f (fractions of a second)", "i": "%M", "o": "%m", "n": "a space",
    "t": "a space",
}  # fmt: skip
_WEEKS = "GVuUWw"
_LOCALE = "cxX"
_FOREIGN = re.compile(
    r"'[^']*'|y+|u+|M+|d+|D+|E+|H+|h+|k+|K+|m+|n+|s+|S+|f+|F+|a+|t+|A+/P+M*|AM/PM|z+|Z+|X+|x+|Y+|.", re.DOTALL
)
_OFFSET = re.compile(r"[+-][0-9]{2}:?[0-9]{2}$")
_SHORT_OFFSET = re.compile(r"(?:^|[A-Za-z(])[+-][0-9]{1,2}(?::?[0-9]{2})?(?![0-9])")  # after a time of day
_ZULU = re.compile(r"[.,][0-9]+[Zz]")
_ABBREVIATION = re.compile(r"[A-Z]{2,3}T|MEZ|MESZ|MSK|UTC")
_IN_SIGNS = re.compile(r"[^\w+-]+(UTC|GMT|Z)\W*|(UTC|GMT|Z)[^\w+-]+", re.IGNORECASE)  # (UTC), 'Z', UTC]
_HALF_OF_DAY = re.compile(r"[AP]\.?M\.?|[午上下][前後午]|오[전후]|Ö[ÖS]", re.IGNORECASE)
_SIGNS = "()[]{}<>'\"_,;:/"

UTC_WORDS = frozenset({"UTC", "GMT", "Z"})


class Directive(NamedTuple):
    """A piece of a format: a directive with its letter, or literal text with an empty `letter`."""

    letter: str
    text: str


def pieces(format: str) -> list[Directive]:
    """The pieces of a format, including unknown directives."""
    parts: list[Directive] = []
    for text in re.findall(r"%.|\s+|[^%\s]+|%$", format, re.DOTALL):
        letter = text[1:2] if text[0] == "%" else ""
        if text == "%%":
            parts.append(Directive("", "%"))
        else:
            parts.append(Directive(letter or ("%" if text == "%" else ""), text))
    return parts


def problems(format: str) -> Iterator[str]:
    """Messages about everything that is wrong with a format; none if it determines an instant."""
    parts = pieces(format)
    letters = [part.letter for part in parts if part.letter]
    if not letters:
        suggestion = translated(format)
        hint = f"write {suggestion}" if suggestion else "write a format such as %d.%m.%Y %H:%M:%S"
        yield f"{format!r} has no directives such as %Y: {hint}"
        return
    unknown = [letter for letter in dict.fromkeys(letters) if letter not in KNOWN]
    for letter in unknown:
        yield _unknown(letter)
    if "%" in letters:
        yield "it ends with a single %: write %% for a literal %"
    for letter in dict.fromkeys(letters):
        if letters.count(letter) > 1:
            yield f"%{letter} occurs {letters.count(letter)} times: each directive may occur once"
    if not unknown and "%" not in letters:
        yield from _contradictions(frozenset(letters))
        yield from _run_together(parts)
        yield from _unread_zone(format, parts)
        yield from _half_of_day(parts)


def says_utc(format: str) -> bool:
    """Whether a format ends with a literal `Z`, `UTC` or `GMT`: its texts are UTC, regardless of the mapping's zone."""
    parts = pieces(format)
    last = [part.text.strip() for part in parts if not part.text.isspace()][-1:]
    has_offset = any(part.letter in ("z", "Z") for part in parts)
    return not has_offset and bool(last) and last[0].upper() in UTC_WORDS


def _unknown(letter: str) -> str:
    if letter in "-#_^0":
        return f"%{letter} is not a directive: %d, %m and %H read 3 as well as 03"
    if letter in _LOCALE:
        return f"%{letter} depends on the machine's language: write the directives out, such as %d.%m.%Y %H:%M:%S"
    if letter in _WEEKS:
        return f"%{letter} counts weeks or days of a week and does not give a date: write the date with %Y, %m and %d"
    if letter == "s":
        return "%s is not a directive: for seconds since 1970 write `unit: s` instead of `format`"
    if letter in "123456789":
        return f"%{letter} is not a directive: %f reads 1 to 18 digits of a second"
    instead = _INSTEAD.get(letter)
    return f"%{letter} is not a directive: " + (
        f"write {instead}" if instead else f"use those of %{', %'.join('YmdHIpMSfbyjzZa')}"
    )


def _contradictions(letters: frozenset[str]) -> Iterator[str]:
    months = letters & {"m", "b", "B"}
    if {"y", "Y"} <= letters:
        yield "%y and %Y both give the year: omit one"
    elif not letters & {"y", "Y"}:
        yield "it has no year: add %Y (four digits) or %y (two: 69 to 99 are 1969 to 1999)"
    if len(months) > 1:
        yield f"{_list(months)} both give the month: omit one"
    if "j" in letters:
        if months or "d" in letters:
            yield f"%j is the day of the year, so it excludes {_list(months | (letters & {'d'}))}: omit either"
    else:
        if not months:
            yield "it has no month: add %m (a number) or %b (a name)"
        if "d" not in letters:
            yield "it has no day: add %d"
    if {"a", "A"} <= letters:
        yield "%a and %A both give the day of the week: omit one"
    if {"H", "I"} <= letters:
        yield "%H and %I both give the hour: write %I with %p for a 12-hour clock, otherwise %H alone"
    elif "I" in letters and "p" not in letters:
        yield "%I counts to 12 and needs %p (AM or PM): add it, or write %H for a 24-hour clock"
    elif "H" in letters and "p" in letters:
        yield "%p has no effect with %H, a 24-hour clock: write %I for a 12-hour clock"
    elif not letters & {"H", "I"}:
        yield (
            "it has no time of day: add %H:%M:%S (otherwise all readings of a day would be at midnight). If the time is"
            " in a column of its own, name both: `path: [Date, Time]`"
        )
    if "S" in letters and "M" not in letters:
        yield "it has seconds but no minutes: add %M"
    if "f" in letters and "S" not in letters:
        yield "it has fractions of a second but no seconds: add %S"


def _run_together(parts: list[Directive]) -> Iterator[str]:
    for part, following in itertools.pairwise(parts):
        if part.letter == "f" and following.letter and following.letter in NUMBERS:
            yield f"%f directly before %{following.letter}: it is ambiguous where its digits end"


def _unread_zone(format: str, parts: list[Directive]) -> Iterator[str]:
    """A literal offset or zone would be ignored, and the time read as local time."""
    if says_utc(format) or any(part.letter in ("z", "Z") for part in parts):
        return
    timed = False
    for part in parts:
        timed = timed or part.letter in ("H", "I")
        if not part.letter and (_OFFSET.search(part.text) or (timed and _SHORT_OFFSET.search(part.text))):
            yield f"{part.text!r} is an offset from UTC, but literal text is not interpreted: write %z instead"
        elif not part.letter and _ZULU.fullmatch(part.text):
            yield f"{part.text!r} means UTC, but literal text is not interpreted: write .%f%z instead"
        elif not part.letter and _IN_SIGNS.fullmatch(part.text):
            yield f"{part.text!r} means UTC, but literal text is not interpreted: write %Z in place of its letters"
        elif not part.letter and _ABBREVIATION.fullmatch(part.text.strip(_SIGNS)):
            yield f"{part.text!r} is a time zone, but literal text is not interpreted: write %Z instead"


def _half_of_day(parts: list[Directive]) -> Iterator[str]:
    """A literal AM or PM would be ignored: 12:30 AM would be read as 12:30 PM."""
    timed = False  # before the date, "am" is German
    for part in parts:
        timed = timed or part.letter in ("H", "I")
        if timed and not part.letter and _HALF_OF_DAY.fullmatch(part.text.strip(_SIGNS)):
            yield f"{part.text!r} is AM or PM, but literal text is not interpreted: write %p instead, and %I for %H"


def _list(letters: frozenset[str]) -> str:
    return " and ".join(f"%{letter}" for letter in sorted(letters))


def translated(format: str) -> str | None:
    """A format of Java, .NET or Excel (`yyyy-MM-dd HH:mm:ss`) as directives; None if it is not one."""
    written, seen, hours = "", "", False
    for token in _FOREIGN.findall(format):
        first, count = token[0], len(token)
        directive = ""
        if first == "'":
            written += token[1:-1]
            continue
        if first in "yuY":
            directive = "%y" if count == 2 else "%Y"
        elif first in "dD":
            directive = "%a" if count > 2 else "%d"
        elif first == "E":
            directive = "%a"
        elif first == "M" or (first == "m" and not hours):
            # Excel: mm is the month before the hour, the minutes after it
            directive = "%b" if count > 2 else "%m" if not hours or first == "m" else "%M"
        elif first in "mn":
            directive = "%M"
        elif first in "Hk":
            directive, hours = "%H", True
        elif first in "hK":
            directive, hours = "%I", True
        elif first == "s":
            directive = "%S"
        elif first in "SfF" and hours:
            directive = "%f"
        elif token.upper().startswith("AM/") or (first in "at" and hours):
            directive = "%p"
        elif first in "zZXx" and hours:
            directive = "%z"
        if directive and directive in seen.split():
            return None
        seen += f" {directive}"
        written += directive or token
    if "%I" in written and "%p" not in written:
        written = written.replace("%I", "%H")
    letters = [part.letter for part in pieces(written) if part.letter]
    return written if letters and not list(_contradictions(frozenset(letters))) else None
