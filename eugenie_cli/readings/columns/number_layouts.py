"""Layouts of instants that are one number: seconds since 1970 or fractions of them, and the days of a spreadsheet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.number_units import (
    COUNTS,
    DAY_MS,
    DAYS,
    FEW_DECIMALS,
    LAST_DAY_MS,
    LEAPS_OF_GPS,
    MANY_DECIMALS,
    Count,
)
from eugenie_cli.readings.timestamps import MAX_INSTANT

_EPOCH = re.compile(r"([0-9]{1,18})(?:\.([0-9]*))?")
# with more digits, the scalar rule would round twice
_DAYS = re.compile(r"([0-9]{5,7})(?:[.,]([0-9]{0,15}))?")
_PARTS_OF_DAYS = re.compile(r"([0-9]{11,13})(?:[.,]([0-9]{0,9}))?")
_HIGH = 11  # digits of a fraction of a day: with more, their product with the milliseconds of a day exceeds 63 bits


class Layout(Protocol):
    """Texts of one length that differ only in their digits."""

    @property
    def is_local(self) -> bool:
        """Whether the clock is that of the mapping's zone."""

    def read(self, characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Texts uint8 [length, N] -> (ms since 1970 on their clock [N], mask [N] of those that match the layout)."""


def number_of(digits: NDArray[np.uint8]) -> NDArray:
    """The number given by D rows of digits, unsigned [N]; arbitrary if they are not digits."""
    if len(digits) <= 2:
        return digits[0] if len(digits) == 1 else digits[0] * np.uint8(10) + digits[1]
    kind = np.uint32 if len(digits) <= 9 else np.uint64
    number = digits[0].astype(kind)
    for row in digits[1:]:
        number = number * kind(10) + row
    return number


def epoch_layout(text: str, unit: str) -> Layout | None:
    """The layout of a plain number of a unit of `COUNTS`, such as `1767225600.25`."""
    match = _EPOCH.fullmatch(text)
    return None if match is None else EpochLayout(len(match[1]), len(text), COUNTS[unit], unit == "gps")


def day_layout(text: str, unit: str = "excel") -> Layout | None:
    """The layout of a number of a unit of `DAYS`: days, such as `46035,2083333333`, or millionths of them (wincc)."""
    per_day, zero, is_local, _ = DAYS[unit]
    match = (_DAYS if per_day == 1 else _PARTS_OF_DAYS).fullmatch(text)
    if match is None:
        return None
    whole, point = len(match[1]), text[len(match[1]) :][:1].encode()
    return DayLayout(whole, len(text), point, whole - len(str(per_day)) + 1, zero, is_local)


@dataclass(frozen=True)
class EpochLayout:
    """`whole` digits and, if the text is longer, a point and further digits. `leaps`: with leap seconds."""

    whole: int
    length: int
    count: Count
    leaps: bool = False

    @property
    def is_local(self) -> bool:
        """See `Layout`."""
        return self.count.is_local

    def read(self, characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """See `Layout`."""
        digits, fits = _digits(characters, self.whole, b".")
        times, over, zero, _ = self.count
        number = number_of(digits[: self.whole]).astype(np.int64)
        fits &= number // over <= (MAX_INSTANT - zero) // times
        instants = np.where(fits, number, 0) * times // over + zero
        kept = min(self.length - self.whole - 1, 3)  # further digits are dropped
        if times > 1 and kept > 0:
            instants += number_of(digits[self.whole + 1 :][:kept]).astype(np.int64) * 10 ** (3 - kept)
        if self.leaps:
            instants -= 1_000 * np.searchsorted(LEAPS_OF_GPS, instants, side="right")
        return instants, fits


@dataclass(frozen=True)
class DayLayout:
    """`whole` digits and, if the text is longer, `point` and further digits. The first `days` digits are whole days;
    `zero`: what 0 is, in ms since 1970.
    """

    whole: int
    length: int
    point: bytes
    days: int
    zero: int
    is_local: bool

    def read(self, characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """See `Layout`. Rounded as by `number_units.days_ms`."""
        digits, fits = _digits(characters, self.whole, self.point)
        days = number_of(digits[: self.days]).astype(np.int64)
        instants = days * DAY_MS + self.zero
        # of the first and the last day the scalar rule accepts only a part, which is left to it
        fits &= (instants >= 0) & (instants < LAST_DAY_MS - DAY_MS)
        fraction = (
            np.delete(digits, self.whole, axis=0)[self.days :] if len(digits) > self.whole else digits[self.days :]
        )
        if not len(fraction):
            return instants, fits
        if self.days < self.whole or len(fraction) >= MANY_DECIMALS:
            return instants + _milliseconds_of_day(fraction), fits
        milliseconds, exact = _seconds_of_day(fraction)
        return instants + milliseconds, fits & exact


def _seconds_of_day(fraction: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Fewer digits [D, N] of a fraction of a day than milliseconds need -> (milliseconds [N], whether they may be)."""
    size = 10 ** len(fraction)
    product = number_of(fraction).astype(np.int64) * DAY_MS
    second = (product + 500 * size) // (1_000 * size) * 1_000  # a half is no second in either case
    apart = np.abs(product - second * size)
    if len(fraction) <= FEW_DECIMALS:
        return second, apart == 0
    return np.where(2 * apart <= DAY_MS, second, _milliseconds_of_day(fraction)), np.ones(len(second), bool)


def _milliseconds_of_day(fraction: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The digits [D, N] of a fraction of a day -> milliseconds [N], half to even."""
    high, low = fraction[:_HIGH], fraction[_HIGH:]
    product, size = number_of(high).astype(np.int64) * DAY_MS, 10 ** len(high)
    part, rest = product // size, product % size
    more = np.zeros(len(part), bool)
    if len(low):
        product, low_size = number_of(low).astype(np.int64) * DAY_MS, 10 ** len(low)
        rest += product // low_size
        more = product % low_size > 0
        part, rest = part + rest // size, rest % size
    half = 2 * rest == size
    return part + ((2 * rest > size) | (half & (more | (part % 2 == 1))))


def _digits(characters: NDArray[np.uint8], point: int, sign: bytes) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Characters [length, N] as digits, and a mask [N]: all are digits, except `sign` at the index `point`."""
    digits = characters - np.uint8(ord("0"))
    fits = digits[:point].max(axis=0) <= 9
    if len(characters) > point:
        fits &= characters[point] == ord(sign)
    if len(characters) > point + 1:
        fits &= digits[point + 1 :].max(axis=0) <= 9
    return digits, fits
