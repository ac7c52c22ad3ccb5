"""Many instants at once: what `timestamps.compile_instant` reads one by one, as arrays.

Gateways write the same few shapes over and over. Those are read by digit arithmetic on a matrix of characters, with the
same checks as the calendar makes; whatever else comes goes through `compile_instant`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timezone as utc_zone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.timestamp_formats import MAX_OFFSET_MINUTES
from eugenie_cli.readings.timestamps import MAX_INSTANT, MIN_INSTANT, compile_instant, zone

ReadInstants = Callable[[Sequence[Any]], "tuple[NDArray[np.int64], NDArray[np.bool_]]"]
"""Members of N records -> instants int64 [N] in ms since 1970 UTC, and a mask bool [N] of those that are any good."""

LONGEST_TEXT = 40
"""Characters: the longest ISO instant has 36; longer text is not worth a column of the matrix."""

_DAYS_IN_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_INTEGER_UNITS = {"s": (1_000, 1), "ms": (1, 1), "us": (1, 1_000), "ns": (1, 1_000_000)}
_LARGEST_NUMBER = 1 << 62


def compile_instants(unit: str = "iso", format: str | None = None, timezone: str = "UTC") -> ReadInstants:
    """The reader of a column of timestamps. Arguments as `compile_instant` has them; raises ValueError as it does.

    Agrees with it wherever the mask is true. Where it is false the text is refused, or nothing that is text.
    """
    to_instant = compile_instant(unit, format, timezone)
    if format is None and unit == "iso":
        in_utc = zone(timezone) is utc_zone.utc
        return lambda members: _read(members, lambda column: _iso_column(column, in_utc), to_instant)
    if format is None and unit in _INTEGER_UNITS:
        times, parts = _INTEGER_UNITS[unit]
        return lambda members: _read(members, lambda column: _integer_column(column, times, parts), to_instant)
    return lambda members: _read(members, _nothing, to_instant)


def _read(
    members: Sequence[Any],
    column: Callable[[Sequence[Any]], tuple[NDArray[np.int64], NDArray[np.bool_]]],
    to_instant: Callable[[str], int],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    instants, good = column(members)
    good &= (instants >= MIN_INSTANT) & (instants <= MAX_INSTANT)
    for index in np.flatnonzero(~good).tolist():
        member = members[index]
        kind = type(member)
        if kind is str or kind is int or kind is float:
            text = (member if kind is str else repr(member)).strip(" \t")
            try:
                instants[index], good[index] = to_instant(text), True
            except ValueError:
                continue
    return instants, good


def read_matrix(characters: NDArray[np.uint8], timezone: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """ISO instants of one length, uint8 [N, L] -> as `ReadInstants`. Texts that are not plain are left out."""
    if not 0 < characters.shape[1] <= LONGEST_TEXT:
        return np.zeros(len(characters), np.int64), np.zeros(len(characters), bool)
    instants, good = _iso_of_length(np.ascontiguousarray(characters.T), zone(timezone) is utc_zone.utc)
    return instants, good & (instants >= MIN_INSTANT) & (instants <= MAX_INSTANT)


def _nothing(members: Sequence[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    return np.zeros(len(members), np.int64), np.zeros(len(members), bool)


def _integer_column(members: Sequence[Any], times: int, parts: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    try:
        if set(map(type, members)) != {int}:
            raise OverflowError
        numbers = np.array(members, np.int64)
    except OverflowError:
        fitting = [member if type(member) is int and abs(member) < _LARGEST_NUMBER else -1 for member in members]
        numbers = np.array(fitting, np.int64)
    in_range = np.abs(numbers) < _LARGEST_NUMBER // times
    return np.where(in_range, numbers, -1) * times // parts, in_range & (numbers >= 0)


def _iso_column(members: Sequence[Any], in_utc: bool) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    instants, good = _nothing(members)
    texts = _characters(members)
    if not texts.itemsize:
        return instants, good
    lengths = np.char.str_len(texts)
    characters = texts.view(np.uint8).reshape(len(members), texts.itemsize)
    for length in np.unique(lengths).tolist():
        places = np.flatnonzero(lengths == length)
        # position by position, each a contiguous row: three times as fast as text by text
        rows = np.ascontiguousarray(characters[places, :length].T)
        instants[places], good[places] = _iso_of_length(rows, in_utc)
    return instants, good


def _characters(members: Sequence[Any]) -> NDArray[np.bytes_]:
    """Texts as bytes [N]; empty for what is no text, or none that an instant could be."""
    try:
        if set(map(type, members)) == {str}:
            texts = np.array(members, "S")
            # numpy does not see NULs at the end of a text
            if texts.itemsize <= LONGEST_TEXT and int(np.char.str_len(texts).sum()) == sum(map(len, members)):
                return texts
    except UnicodeEncodeError:
        pass  # a strange character in one of many texts
    return np.array([member if _could_be_instant(member) else "" for member in members], "S")


def _could_be_instant(member: Any) -> bool:
    return type(member) is str and len(member) <= LONGEST_TEXT and member.isascii() and "\0" not in member


def _iso_of_length(rows: NDArray[np.uint8], in_utc: bool) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Texts of one length, uint8 [L, N]: `YYYY-MM-DDTHH:MM:SS[.fraction]` and `Z`, `+HH:MM` or, in UTC, nothing."""
    length, count = rows.shape
    nothing = np.zeros(count, np.int64), np.zeros(count, bool)
    if length < 19:
        return nothing
    if _one_of(rows[-1], "Zz").all():
        return _wall(rows[:-1])
    if length >= 25 and _one_of(rows[-6], "+-").all():
        wall, good = _wall(rows[:-6])
        hours, minutes = _number(rows[-5:-3]), _number(rows[-2:])
        total = hours * 60 + minutes
        good &= _are_digits(rows[[-5, -4, -2, -1]]) & (rows[-3] == ord(":"))
        good &= (minutes <= 59) & (total <= MAX_OFFSET_MINUTES)
        return wall - np.where(rows[-6] == ord("-"), -total, total) * 60_000, good
    return _wall(rows) if in_utc else nothing


_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18])
"""Where the digits of `YYYY-MM-DDTHH:MM:SS` are."""


def _wall(rows: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    length, count = rows.shape
    good = _are_digits(rows[_DIGITS]) & _one_of(rows[10], "Tt ")
    good &= (rows[4] == ord("-")) & (rows[7] == ord("-")) & (rows[13] == ord(":")) & (rows[16] == ord(":"))
    milli = np.zeros(count, np.int64)
    if length > 19:
        if not 21 <= length <= 29:  # a point and one to nine digits
            return milli, np.zeros(count, bool)
        kept = min(length - 20, 3)
        milli = _number(rows[20 : 20 + kept]) * 10 ** (3 - kept)
        good &= _one_of(rows[19], ".,") & _are_digits(rows[20:])
    year, month, day = _number(rows[0:4]), _number(rows[5:7]), _number(rows[8:10])
    hour, minute, second = _number(rows[11:13]), _number(rows[14:16]), _number(rows[17:19])
    good &= (month >= 1) & (month <= 12) & (hour <= 23) & (minute <= 59) & (second <= 59) & (year >= 1) & (day >= 1)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    good &= day <= _DAYS_IN_MONTH[np.minimum(month, 12)] + (leap & (month == 2))
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    return seconds.astype(np.int64) * 1_000 + milli, good


def _one_of(row: NDArray[np.uint8], characters: str) -> NDArray[np.bool_]:
    found = row == ord(characters[0])
    for each in characters[1:]:
        found |= row == ord(each)
    return found


def _are_digits(rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (rows - np.uint8(ord("0")) <= 9).all(axis=0)  # what is below "0" wraps around to above 9


def _number(rows: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The number that D rows of digits write, int32 [N]; of what are no digits something between 0 and 10 ** D * 26."""
    number = np.zeros(rows.shape[1], np.int32)
    for row in rows:
        number = number * np.int32(10) + (row - np.uint8(ord("0")))
    return number


def _days(year: NDArray[np.int32], month: NDArray[np.int32], day: NDArray[np.int32]) -> NDArray[np.int64]:
    """Days since 1970-01-01 in the proleptic Gregorian calendar, with years that begin in March."""
    shifted = year - (month <= 2)
    era = shifted // 400
    year_of_era = shifted - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
    return days.astype(np.int64)
