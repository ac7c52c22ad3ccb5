"""Whether a timestamp format says which instant is meant: what is wrong with it, and what to write instead."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

KNOWN = "aAbBdfHIjmMpSyYzZ%"
"""Directives that are read, with the meaning that they have in Python's strptime."""
NUMBERS = "dfHIjmMSyY"

_INSTEAD = {
    "T": "%H:%M:%S", "F": "%Y-%m-%d", "R": "%H:%M", "D": "%m/%d/%y", "e": "%d", "k": "%H", "l": "%I", "P": "%p",
    "h": "%b", "L": "%f", "N": "%f", "q": "%f", "Q": "%f (parts of a second)", "i": "%M", "o": "%m", "n": "a blank",
    "t": "a blank",
}  # fmt: skip
_WEEKS = "GVuUWw"
_LOCALE = "cxX"
_FOREIGN = re.compile(
    r"'[^']*'|y+|u+|M+|d+|D+|E+|H+|h+|k+|K+|m+|n+|s+|S+|f+|F+|a+|t+|A+/P+M*|AM/PM|z+|Z+|X+|x+|Y+|.", re.DOTALL
)
_OFFSET = re.compile(r"[+-][0-9]{2}:?[0-9]{2}$")
_SHORT_OFFSET = re.compile(r"(?:^|[A-Za-z(])[+-][0-9]{1,2}(?::?[0-9]{2})?(?![0-9])")  # behind a time of day
_ZULU = re.compile(r"[.,][0-9]+[Zz]")
_ABBREVIATION = re.compile(r"[A-Z]{2,3}T|MEZ|MESZ|MSK|UTC")
_IN_SIGNS = re.compile(r"[^\w+-]+(UTC|GMT|Z)\W*|(UTC|GMT|Z)[^\w+-]+", re.IGNORECASE)  # (UTC), 'Z', UTC]
_HALF_OF_DAY = re.compile(r"[AP]\.?M\.?", re.IGNORECASE)
_SIGNS = "()[]{}<>'\"_,;:/"

UTC_WORDS = frozenset({"UTC", "GMT", "Z"})


class Directive(NamedTuple):
    """A piece of a format: the letter of a directive, or `letter` empty and literal text."""

    letter: str
    text: str


def pieces(format: str) -> list[Directive]:
    """A format, taken apart. Directives that do not exist are in it as they stand."""
    found: list[Directive] = []
    for text in re.findall(r"%.|\s+|[^%\s]+|%$", format, re.DOTALL):
        letter = text[1:2] if text[0] == "%" else ""
        if text == "%%":
            found.append(Directive("", "%"))
        else:
            found.append(Directive(letter or ("%" if text == "%" else ""), text))
    return found


def problems(format: str) -> Iterator[str]:
    """Everything that is wrong with a format, in words; nothing when it names one instant."""
    parts = pieces(format)
    letters = [part.letter for part in parts if part.letter]
    if not letters:
        meant = translated(format)
        hint = f"write {meant}" if meant else "write one such as %d.%m.%Y %H:%M:%S"
        yield f"{format!r} has no directives such as %Y: {hint}"
        return
    unknown = [letter for letter in dict.fromkeys(letters) if letter not in KNOWN]
    for letter in unknown:
        yield _unknown(letter)
    if "%" in letters:
        yield "a single % at its end: %% stands for the sign itself"
    for letter in dict.fromkeys(letters):
        if letters.count(letter) > 1:
            yield f"%{letter} occurs {letters.count(letter)} times: each part of an instant is said once"
    if not unknown and "%" not in letters:
        yield from _contradictions(frozenset(letters))
        yield from _run_together(parts)
        yield from _unread_zone(format, parts)
        yield from _half_of_day(parts)


def says_utc(format: str) -> bool:
    """Whether a format ends with a literal `Z`, `UTC` or `GMT`: such texts are UTC, whatever the mapping's zone."""
    parts = pieces(format)
    literal = [part.text.strip() for part in parts if not part.text.isspace()][-1:]
    offset_said = any(part.letter in ("z", "Z") for part in parts)
    return not offset_said and bool(literal) and literal[0].upper() in UTC_WORDS


def _unknown(letter: str) -> str:
    if letter in "-#_^0":
        return f"%{letter} is no directive: %d, %m and %H read 3 as well as 03"
    if letter in _LOCALE:
        return f"%{letter} depends on the machine's language: write the directives out, such as %d.%m.%Y %H:%M:%S"
    if letter in _WEEKS:
        return f"%{letter} counts weeks or days of a week, and names no date: write the date with %Y, %m and %d"
    if letter == "s":
        return "%s is no directive: for seconds since 1970 write `unit: s` instead of `format`"
    if letter in "123456789":
        return f"%{letter} is no directive: %f reads one to nine digits of a second"
    instead = _INSTEAD.get(letter)
    return f"%{letter} is no directive: " + (
        f"write {instead}" if instead else f"use those of %{', %'.join('YmdHIpMSfbyjzZa')}"
    )


def _contradictions(letters: frozenset[str]) -> Iterator[str]:
    months = letters & {"m", "b", "B"}
    if {"y", "Y"} <= letters:
        yield "%y and %Y both say the year: leave one out"
    elif not letters & {"y", "Y"}:
        yield "it has no year: add %Y (four digits) or %y (two: 69 to 99 are 1969 to 1999)"
    if len(months) > 1:
        yield f"{_list(months)} both say the month: leave one out"
    if "j" in letters:
        if months or "d" in letters:
            yield f"%j, the day of the year, beside {_list(months | (letters & {'d'}))}: leave one of them out"
    else:
        if not months:
            yield "it has no month: add %m (a number) or %b (a name)"
        if "d" not in letters:
            yield "it has no day: add %d"
    if {"a", "A"} <= letters:
        yield "%a and %A both say the day of the week: leave one out"
    if {"H", "I"} <= letters:
        yield "%H and %I both say the hour: write %I with %p for a clock of 12 hours, else %H alone"
    elif "I" in letters and "p" not in letters:
        yield "%I counts to 12 and needs %p (AM or PM): add it, or write %H for a clock of 24 hours"
    elif "H" in letters and "p" in letters:
        yield "%p says nothing beside %H, whose clock has 24 hours: write %I for a clock of 12 hours"
    elif not letters & {"H", "I"}:
        yield "it has no time of day: add %H:%M:%S (all readings of a day would fall onto midnight)"
    if "S" in letters and "M" not in letters:
        yield "it has seconds and no minutes: add %M"
    if "f" in letters and "S" not in letters:
        yield "it has parts of a second and no seconds: add %S"


def _run_together(parts: list[Directive]) -> Iterator[str]:
    for part, following in itertools.pairwise(parts):
        if part.letter == "f" and following.letter and following.letter in NUMBERS:
            yield f"%f runs into %{following.letter}: nobody can say where its digits end"


def _unread_zone(format: str, parts: list[Directive]) -> Iterator[str]:
    """A literal that says an offset or a zone would be skipped, and the time taken for local time."""
    if says_utc(format) or any(part.letter in ("z", "Z") for part in parts):
        return
    timed = False
    for part in parts:
        timed = timed or part.letter in ("H", "I")
        if not part.letter and (_OFFSET.search(part.text) or (timed and _SHORT_OFFSET.search(part.text))):
            yield f"{part.text!r} says an offset from UTC, which nothing reads there: write %z in its place"
        elif not part.letter and _ZULU.fullmatch(part.text):
            yield f"{part.text!r} says UTC, which nothing reads there: write .%f%z in its place"
        elif not part.letter and _IN_SIGNS.fullmatch(part.text):
            yield f"{part.text!r} says UTC, which nothing reads there: write %Z in place of its letters"
        elif not part.letter and _ABBREVIATION.fullmatch(part.text.strip(_SIGNS)):
            yield f"{part.text!r} says a time zone, which nothing reads there: write %Z in its place"


def _half_of_day(parts: list[Directive]) -> Iterator[str]:
    """A literal AM or PM: a morning's 12:30 would be taken for noon."""
    timed = False  # "am" before the date is German
    for part in parts:
        timed = timed or part.letter in ("H", "I")
        if timed and not part.letter and _HALF_OF_DAY.fullmatch(part.text.strip(_SIGNS)):
            yield f"{part.text!r} says half of the day, which nothing reads there: write %p there, and %I for %H"


def _list(letters: frozenset[str]) -> str:
    return " and ".join(f"%{letter}" for letter in sorted(letters))


def translated(format: str) -> str | None:
    """A format as Java, .NET or Excel write it (`yyyy-MM-dd HH:mm:ss`), in directives; None where it is none."""
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
        elif first == "M" or (first == "m" and not hours):  # Excel: mm is the month before the hour, minutes after it
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
    found = [part.letter for part in pieces(written) if part.letter]
    return written if found and not list(_contradictions(frozenset(found))) else None
