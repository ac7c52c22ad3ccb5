"""Layouts of timestamps: the positions of the parts in texts that differ only in their digits.

The pattern of the scalar rule gives the positions in one text. It only requires digits to be digits (formats in which
numbers run together are refused), so it splits every text in the same way that has digits and names at the same
positions, and the same other characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.calendar_names import MONTHS, WEEKDAYS
from eugenie_cli.readings.columns.name_codes import NameCodes
from eugenie_cli.readings.columns.number_layouts import Layout, day_layout, epoch_layout, number_of
from eugenie_cli.readings.columns.runs import mapped
from eugenie_cli.readings.format_check import UTC_WORDS, Directive, pieces, says_utc
from eugenie_cli.readings.number_units import DAY_MS, DAYS
from eugenie_cli.readings.timestamp_formats import CENTURY_TURNS, MAX_OFFSET_MINUTES, format_pattern
from eugenie_cli.readings.timestamps import (
    FRACTIONS,
    ISO_PATTERN,
    SPARE_PATTERNS,
    formats_of,
    whole_second_formats,
)

LayoutOf = Callable[[str], "Layout | None"]
"""A trimmed ASCII text -> the layout of this text and similar ones; None if only the scalar rule reads it."""

_ISO = re.compile(ISO_PATTERN)
_ISO_PARTS = "YmdHMSfz"
_NUMBERS = "YyjmdHIMSf"
_MOST = {"H": 23, "I": 12, "M": 59, "S": 59, "zm": 59}
_NAMED = "aAbB"
_NO_MONTH, _ANY_DAY = 0, 7
_NO_DAY = int(np.iinfo(np.int64).min)
_DAY_OF_1970 = date(1970, 1, 1).toordinal()
Span = tuple[int, int]


def layouts(
    unit: str, format: str | Sequence[str] | None, joined: bool = False, fraction: str = "ms"
) -> LayoutOf | None:
    """The layouts of one timestamp field, or None. Arguments: as for `timestamps.compile_instant`."""
    if formats := formats_of(format):
        layout_of = _layouts_of_formats(formats)
        in_seconds = whole_second_formats(formats)
        of_seconds = _layouts_of_formats(in_seconds) if in_seconds else None
    elif unit == "iso":
        layout_of, of_seconds = _iso_layout, _iso_seconds_layout
    elif unit in DAYS:
        # the days of several fields are added, by the scalar rule
        return None if joined else partial(day_layout, unit=unit)
    else:
        layout_of, of_seconds = partial(epoch_layout, unit=unit), None
    if not joined or layout_of is None:
        return layout_of
    return _joined_layouts(layout_of, of_seconds if fraction in FRACTIONS else None, fraction)


def _iso_layout(text: str) -> Layout | None:
    return _calendar_layout(_ISO.match(text), dict(zip(_ISO_PARTS, range(1, 9), strict=True)), False)


def _iso_seconds_layout(text: str) -> Layout | None:
    match = _ISO.match(text)
    whole = match is not None and match[6] is not None and match[7] is None and match[8] is None
    return _iso_layout(text) if whole else None


def _joined_layouts(layout_of: LayoutOf, of_seconds: LayoutOf | None, fraction: str) -> LayoutOf:
    """Layouts of the texts of several fields, of which the last may be milliseconds, or what `fraction` says."""
    pattern = re.compile(SPARE_PATTERNS[fraction])

    def of_text(text: str) -> Layout | None:
        layout = layout_of(text)
        if layout is not None or of_seconds is None:
            return layout
        spare = pattern.match(text)
        if spare is None or spare.end(2) < len(text) or (seconds := of_seconds(spare[1])) is None:
            return None
        return FractionLayout(seconds, len(spare[1]), FRACTIONS[fraction])

    return of_text


@dataclass(frozen=True)
class FractionLayout:
    """A text of `length` characters, then a blank and a number, of which `over` are a millisecond."""

    seconds: Layout
    length: int
    over: int

    @property
    def is_local(self) -> bool:
        """Whether the clock is that of the mapping's zone."""
        return self.seconds.is_local

    def read(self, characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """See `Layout`."""
        instants, fits = self.seconds.read(characters[: self.length])
        digits = characters[self.length + 1 :] - np.uint8(ord("0"))
        fits &= (characters[self.length] == ord(" ")) & (digits.max(axis=0) <= 9)
        return instants + number_of(digits) // self.over, fits


def _layouts_of_formats(formats: Sequence[str]) -> LayoutOf | None:
    """The layouts of texts that only one of the formats matches; the scalar rule decides on the others."""
    if len(formats) == 1:
        return _format_layouts(formats[0])
    pairs = [(format_pattern(format), _format_layouts(format)) for format in formats]

    def of_text(text: str) -> Layout | None:
        matching = [layout_of for pattern, layout_of in pairs if pattern.fullmatch(text)]
        return matching[0](text) if len(matching) == 1 and matching[0] is not None else None

    return of_text


def _format_layouts(format: str) -> LayoutOf | None:
    parts = pieces(format)
    letters = [part.letter for part in parts]
    literal_digits = any(not part.letter and any(map(str.isdigit, part.text)) for part in parts)
    if literal_digits and "z" in letters[:-1]:  # the digits would decide whether +0100 is an offset, or +01 and more
        return None
    if any(
        part.letter and part.letter in _NAMED and _has_letters(parts[at - 1 : at + 2 : 2] if at else parts[1:2])
        for at, part in enumerate(parts)
    ):
        return None  # the name would end where the letters of another name or of the format decide
    pattern, in_utc = format_pattern(format), says_utc(format)
    groups = {letter: letter for letter in letters if letter}
    return lambda text: _calendar_layout(pattern.fullmatch(text), groups, in_utc)


def _has_letters(neighbours: Sequence[Directive]) -> bool:
    return any(part.text[:1].isalpha() or part.text[-1:].isalpha() for part in neighbours if not part.letter)


class Words(NamedTuple):
    """Where a layout has letters that may differ: names of months and days (without a period), and AM or PM."""

    month: Span | None
    weekday: Span | None
    half: Span | None


class CalendarLayout:
    """A date with or without a time of day."""

    def __init__(self, text: str, numbers: Mapping[str, Span], words: Words, sign: int | None) -> None:
        """`numbers`: directive -> the span of its digits in `text`; every character outside of these and of `words`
        must match exactly. `sign`: of the offset from UTC, whose digits are the numbers `zh` and `zm`; 0 for UTC; None
        for local time. Raises ValueError for a name that is too long.
        """
        self._words, self._sign, self._numbers = words, sign, numbers
        self._month = None if words.month is None else NameCodes(MONTHS, _length(words.month), _NO_MONTH)
        self._weekday = None if words.weekday is None else NameCodes(WEEKDAYS, _length(words.weekday), _ANY_DAY)
        half = [] if words.half is None else [place for place in range(*words.half) if text[place] != "."]
        self._half = np.array(half, np.int64)
        places = [place for span in numbers.values() for place in range(*span)]
        lettered = {place for span in words if span is not None for place in range(*span) if text[place] != "."}
        others = [place for place in range(len(text)) if place not in places and place not in lettered]
        self._places, self._others = np.array(places), np.array(others, np.int64)
        self._characters = np.frombuffer(text.encode("ascii"), np.uint8)[self._others][:, None]
        # all two-digit numbers are read at once, and a year counts as two of them
        pairs = {name: span[0] for name, span in numbers.items() if span[1] - span[0] == 2 and name != "f"}
        if "Y" in numbers:
            pairs |= {"century": numbers["Y"][0], "y": numbers["Y"][0] + 2}
        self._tens = np.array(list(pairs.values()), np.int64)
        self._pairs = list(pairs)
        self._most = np.array([_MOST.get(name, 99) for name in pairs], np.uint8)[:, None]
        self._singles = [name for name in numbers if name not in pairs and name not in "Yf"]

    @property
    def is_local(self) -> bool:
        """Whether the clock is that of the mapping's zone."""
        return self._sign is None

    def read(self, characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Texts uint8 [length, N] -> (ms since 1970 on their clock [N], mask [N] of those that match the layout)."""
        digits = characters - np.uint8(ord("0"))  # characters below "0" wrap around to above 9
        fits = digits[self._places].max(axis=0) <= 9
        fits &= (characters[self._others] == self._characters).all(axis=0)
        pairs = digits[self._tens] * np.uint8(10) + digits[self._tens + 1]
        fits &= (pairs <= self._most).all(axis=0)
        number = dict(zip(self._pairs, pairs, strict=True))
        number |= {name: number_of(digits[slice(*self._numbers[name])]) for name in self._singles}
        if self._month is not None and self._words.month is not None:
            number["m"], are_letters = self._month.read(characters[slice(*self._words.month)])
            fits &= are_letters
        days = mapped(self._date(number), _day_of_year if "j" in number else _day_of_date)
        fits &= days != _NO_DAY
        if self._weekday is not None and self._words.weekday is not None:
            weekday, are_letters = self._weekday.read(characters[slice(*self._words.weekday)])
            fits &= are_letters & ((weekday == _ANY_DAY) | ((days + 3) % 7 == weekday))  # 1970-01-01 was a Thursday
        instants = days * DAY_MS
        instants += self._time_of_day(number, characters, fits)
        if self._sign:
            minutes = number["zh"].astype(np.int32) * 60 + number.get("zm", np.uint8(0))
            fits &= minutes <= MAX_OFFSET_MINUTES
            instants -= self._sign * 60_000 * minutes.astype(np.int64)
        return instants, fits

    def _date(self, number: Mapping[str, NDArray]) -> NDArray[np.int32]:
        """YYYYDDD or YYYYMMDD [N]."""
        short = number["y"].astype(np.int32)
        if "century" in number:
            year = number["century"].astype(np.int32) * 100 + short
        else:
            year = short + np.where(short >= CENTURY_TURNS, np.int32(1900), np.int32(2000))
        if "j" in number:
            return year * 1_000 + number["j"].astype(np.int32)
        return (year * 100 + number["m"]) * 100 + number["d"]

    def _time_of_day(
        self, number: Mapping[str, NDArray], characters: NDArray[np.uint8], fits: NDArray[np.bool_]
    ) -> NDArray[np.int32]:
        """Milliseconds since midnight [N]; clears `fits` for times that do not exist."""
        hour = number.get("H", np.zeros(len(fits), np.uint8))
        if "I" in number:
            hour = number["I"]
            fits &= hour >= 1
            hour = hour % 12
            if len(self._half):
                first, second = characters[self._half] | np.uint8(0x20)
                fits &= ((first == ord("a")) | (first == ord("p"))) & (second == ord("m"))
                hour = hour + np.uint8(12) * (first == ord("p"))
        time = hour.astype(np.int32) * 60
        for name in "MS":
            if name in number:
                time += number[name]
            time *= 60 if name == "M" else 1_000
        if "f" in self._numbers:
            start, end = self._numbers["f"]
            kept = min(end - start, 3)  # further digits are dropped
            time += number_of(characters[start : start + kept] - np.uint8(ord("0"))).astype(np.int32) * 10 ** (3 - kept)
        return time


def _calendar_layout(match: re.Match[str] | None, groups: Mapping[str, str | int], in_utc: bool) -> Layout | None:
    if match is None:
        return None
    spans = {name: match.span(group) for name, group in groups.items() if match[group] is not None}
    numbers = {name: span for name, span in spans.items() if name in _NUMBERS}
    text, sign = match.string, 0 if in_utc else None
    words = {name: text[slice(*span)] for name, span in spans.items()}
    if "Z" in spans:
        if words["Z"].upper() not in UTC_WORDS or "z" in spans:
            return None  # the meaning of an abbreviation depends on the date
        sign = 0
    if "p" in spans and words["p"].replace(".", "").lower() not in ("am", "pm"):
        return None
    if "f" in spans and _length(spans["f"]) < 3 and text[spans["f"][0] - 1] == ":":
        return None  # the scalar rule refuses it
    if "z" in spans:
        start, end = spans["z"]
        sign = {"+": 1, "-": -1}.get(text[start], 0)
        if sign:
            numbers["zh"] = (start + 1, start + 3)
            if end > start + 3:
                numbers["zm"] = (end - 2, end)
    names = {letter.lower(): _without_period(text, spans[letter]) for letter in "bBaA" if letter in spans}
    try:
        return CalendarLayout(text, numbers, Words(names.get("b"), names.get("a"), spans.get("p")), sign)
    except ValueError:
        return None


def _without_period(text: str, span: Span) -> Span:
    return span[0], span[1] - (text[span[1] - 1] == ".")


def _length(span: Span) -> int:
    return span[1] - span[0]


def _day_of_year(key: int) -> int:
    """YYYYDDD -> days since 1970-01-01; _NO_DAY if there is no such day."""
    year, day = divmod(key, 1_000)
    first, next_first = _day_of_date(year * 10_000 + 101), _day_of_date((year + 1) * 10_000 + 101)
    valid = first != _NO_DAY and 1 <= day <= (next_first - first if next_first != _NO_DAY else 365)
    return first + day - 1 if valid else _NO_DAY


def _day_of_date(key: int) -> int:
    """YYYYMMDD -> days since 1970-01-01; _NO_DAY if there is no such date."""
    try:
        return date(key // 10_000, key // 100 % 100, key % 100).toordinal() - _DAY_OF_1970
    except ValueError:
        return _NO_DAY
