"""Timestamps in a given format, as Python's strptime reads them, but independent of the machine.

strptime takes the names of months and abbreviations of zones from the machine, fills omitted parts from 1900-01-01 and
00:00, and accepts %H with %p. Here, names come from a table and abbreviations from the mapping's zone, and a format
that does not determine an instant is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, tzinfo

from eugenie_cli.readings.abbreviations import offset_reader
from eugenie_cli.readings.calendar_names import MONTHS, WEEKDAYS, key
from eugenie_cli.readings.format_check import NUMBERS, Directive, pieces, problems, says_utc

_WIDTHS = {"Y": 4, "y": 2, "j": 3, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2}
_NAME = r"[^\W\d_]{2,}\.?"
_BEFORE_NOON, _AFTER_NOON = "午前|上午|오전|ÖÖ", "午後|下午|오후|ÖS"
HALF_OF_DAY = rf"[AaPp]\.?\s?[Mm]\.?|{_BEFORE_NOON}|{_AFTER_NOON}"
"""AM and PM, as `p. m.` too, and their words in Japanese, Chinese, Korean and Turkish. Without a group."""
_OTHERS = {
    "b": _NAME,
    "B": _NAME,
    "a": _NAME,
    "A": _NAME,
    "p": HALF_OF_DAY,
    "f": r"[0-9]{1,18}",
    "z": r"[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?",
    "Z": r"[A-Za-z]{1,6}|[+-][0-9]{2,4}",
}
_DATE, _TIME = frozenset("YymdbBjaA"), frozenset("HIMSfp")
END_OF_DAY = 24
"""An hour that ISO 8601 and many reports write for the midnight at the end of a day: 24:00:00."""
CENTURY_TURNS = 69  # POSIX: 69 to 99 are in the twentieth century, 00 to 68 in the twenty-first

Local = tuple[datetime, int, "int | None"]
"""A naive local time, to the second; milliseconds; its offset from UTC in ms, None if the text has none."""


def compile_format(format: str, zone: tzinfo) -> Callable[[str], Local]:
    """The reader of one format. `zone`: %Z reads its abbreviations.

    If the whole date precedes the time, a text that ends after the date is midnight: spreadsheets and .NET omit
    00:00:00. A literal Z, UTC or GMT at the end means UTC. Raises ValueError for a format that does not determine an
    instant, with what to write instead; the reader raises it for a text that does not match the format.
    """
    for problem in problems(format):
        raise ValueError(f"format {format!r}: {problem}")
    pattern = format_pattern(format)
    offset_of, in_utc, colon = offset_reader(zone), says_utc(format), ":%f" in format

    def read(text: str) -> Local:
        match = pattern.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} does not match the format {format!r}")
        fields = match.groupdict()
        try:
            day, hour = _date(fields), _hour(fields)
            minute, second = (int(fields.get(letter) or 0) for letter in "MS")
            is_end = hour == END_OF_DAY and not (minute or second or int(fields.get("f") or 0))
            local = datetime(day.year, day.month, day.day, 0 if is_end else hour, minute, second) + timedelta(is_end)
        except (ValueError, OverflowError) as error:  # the latter beyond the range of `date`
            raise ValueError(f"{text!r}: {error}") from None
        weekday = fields.get("a") or fields.get("A")
        if weekday is not None and WEEKDAYS.get(key(weekday), day.weekday()) != day.weekday():
            raise ValueError(f"{text!r}: {day.isoformat()} is not a {weekday}")
        if colon and 0 < len(fields.get("f") or "") < 3:
            raise ValueError(
                f"{text!r}: {fields['f']} behind a colon may be milliseconds or a fraction: export three digits"
            )
        milliseconds = int((fields.get("f") or "")[:3].ljust(3, "0"))
        return local, milliseconds, 0 if in_utc else _offset(text, fields, local, offset_of)

    return read


def compile_formats(formats: Sequence[str], zone: tzinfo) -> Callable[[str], Local]:
    """The reader of texts in one of several formats.

    A text that two of them read differently (03/04 with the day or the month first) is refused: neither is a guess.
    """
    readers = [compile_format(format, zone) for format in formats]
    if len(readers) == 1:
        return readers[0]

    def read(text: str) -> Local:
        found: dict[Local, str] = {}
        errors = []
        for format, read_one in zip(formats, readers, strict=True):
            try:
                found.setdefault(read_one(text), format)
            except ValueError as error:
                errors.append(str(error))
        if len(found) == 1:
            return next(iter(found))
        if found:
            first, second = list(found.values())[:2]
            raise ValueError(f"{text!r} is read differently by the formats {first!r} and {second!r}: keep one of them")
        others = [error for error in errors if "does not match the format" not in error]
        raise ValueError(
            others[0] if others else f"{text!r} matches none of the formats {', '.join(map(repr, formats))}"
        )

    return read


def format_pattern(format: str) -> re.Pattern[str]:
    """The pattern of a whole text, with a group for each directive, named by its letter."""
    return re.compile(_pattern(pieces(format)), re.IGNORECASE)


def _pattern(parts: list[Directive]) -> str:
    begin = _beginning_of_time(parts)
    patterns = [_piece(parts, index) for index in range(len(parts))]
    if begin is None:
        return "".join(patterns)
    return "".join(patterns[:begin]) + "(?:" + "".join(patterns[begin:]) + ")?"


def _piece(parts: list[Directive], index: int) -> str:
    letter, text = parts[index]
    if not letter:
        return r"\s+" if text.isspace() else re.escape(text)
    if letter in _OTHERS:
        return f"(?P<{letter}>{_OTHERS[letter]})"
    width = _WIDTHS[letter]
    neighbours = [parts[other] for other in (index - 1, index + 1) if 0 <= other < len(parts)]
    # next to other digits, it would be ambiguous where this number ends
    whole = letter in "Yy" or any(
        part.letter in NUMBERS if part.letter else part.text[:1].isdigit() for part in neighbours
    )
    return f"(?P<{letter}>[0-9]{{{width}}})" if whole else f"(?P<{letter}>[0-9]{{1,{width}}})"


def _beginning_of_time(parts: list[Directive]) -> int | None:
    """The index at which the time of day begins, including its separator, if the whole date precedes it."""
    first = next(index for index, part in enumerate(parts) if part.letter in _TIME)
    later = {part.letter for part in parts[first:] if part.letter}
    if first == 0 or not later <= _TIME or parts[first - 1].letter:
        return None
    return first - 1 if parts[first - 1].text.isspace() or parts[first - 1].text in ("T", "t") else None


def _date(fields: dict[str, str | None]) -> date:
    if fields.get("Y"):
        year = int(fields["Y"] or 0)
    else:
        short = int(fields["y"] or 0)
        year = short + (1900 if short >= CENTURY_TURNS else 2000)
    if fields.get("j"):
        day = date(year, 1, 1) + timedelta(days=int(fields["j"] or 0) - 1)
        if day.year != year:
            raise ValueError(f"{year} has no day {fields['j']}")
        return day
    name = fields.get("b") or fields.get("B")
    if name is None:
        month = int(fields["m"] or 0)
    elif key(name) in MONTHS:
        month = MONTHS[key(name)]
    else:
        raise ValueError(f"{name!r} is not a known month: write months as numbers, with %m")
    return date(year, month, int(fields["d"] or 0))


def _hour(fields: dict[str, str | None]) -> int:
    if fields.get("I") is None:
        return int(fields.get("H") or 0)
    hour, half = int(fields["I"] or 0), (fields["p"] or "").upper()
    if not (1 <= hour <= 12 or (hour == 0 and half in ("午前", "午後"))):  # Japan counts from 0 to 11
        raise ValueError(f"a 12-hour clock has no hour {hour}")
    return hour % 12 + (12 if half[0] == "P" or half in _AFTER_NOON.split("|") else 0)


def _offset(
    text: str, fields: dict[str, str | None], local: datetime, offset_of: Callable[[str, datetime], int]
) -> int | None:
    written, named = fields.get("z"), fields.get("Z")
    offset = None if written is None else offset_ms(written)
    if named is None:
        return offset
    named_offset = offset_of(named, local)
    if offset is not None and offset != named_offset:
        raise ValueError(f"{text!r}: {named} is not {written}")
    return named_offset


MAX_OFFSET_MINUTES = 18 * 60  # no zone is further from UTC; the limit of ISO 8601 libraries


def offset_ms(text: str) -> int:
    """`Z`, `+01:00`, `+0100` or `+01` -> milliseconds. Raises ValueError for an impossible offset."""
    if text in "Zz":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[3:].lstrip(":") or 0)
    if minutes > MAX_OFFSET_MINUTES or int(text[3:].lstrip(":") or 0) > 59:
        raise ValueError(f"{text!r} is not an offset from UTC")
    return (-minutes if text[0] == "-" else minutes) * 60_000
