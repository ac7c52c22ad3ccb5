"""Layouts of instants that are one number: seconds since 1970 or fractions of them, and the days of a spreadsheet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.timestamps import DAY_MS, EXCEL_1970, EXCEL_LAST, MAX_INSTANT, SERIAL_DAYS

UNITS = {"s": (1_000, 1), "ms": (1, 1), "us": (1, 1_000), "ns": (1, 1_000_000)}
"""Unit -> (milliseconds per unit, units per millisecond); one of the two is 1."""

_EPOCH = re.compile(r"([0-9]{1,18})(?:\.([0-9]*))?")
# with more digits, the scalar rule would round twice
_DAYS = {
    "excel": re.compile(r"([0-9]{5,7})(?:[.,]([0-9]{0,15}))?"),
    "wincc": re.compile(r"([0-9]{11,13})(?:[.,]([0-9]{0,9}))?"),
}
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
    """The layout of a plain number, such as `1767225600.25`."""
    match = _EPOCH.fullmatch(text)
    return None if match is None else EpochLayout(len(match[1]), len(text), unit)


def serial_day_layout(text: str, unit: str = "excel") -> Layout | None:
    """The layout of days since 1899-12-30, such as `46035,2083333333`, or of millionths of them (wincc)."""
    match = _DAYS[unit].fullmatch(text)
    if match is None:
        return None
    whole, point = len(match[1]), text[len(match[1]) :][:1].encode()
    return SerialDayLayout(whole, len(text), point, whole - len(str(SERIAL_DAYS[unit])) + 1)


@dataclass(frozen=True)
class EpochLayout:
    """`whole` digits and, if the text is longer, a point and further digits."""

    whole: int
    length: int
    unit: str
    is_local: bool = False

    def read(self, characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """See `Layout`."""
        digits, fits = _digits(characters, self.whole, b".")
        times, over = UNITS[self.unit]
        number = number_of(digits[: self.whole]).astype(np.int64)
        fits &= number // over <= MAX_INSTANT // times
        instants = np.where(fits, number, 0) * times // over
        kept = min(self.length - self.whole - 1, 3)  # further digits are dropped
        if self.unit == "s" and kept > 0:
            instants += number_of(digits[self.whole + 1 :][:kept]).astype(np.int64) * 10 ** (3 - kept)
        return instants, fits


@dataclass(frozen=True)
class SerialDayLayout:
    """`whole` digits and, if the text is longer, `point` and further digits."""

    whole: int
    length: int
    point: bytes
    days: int
    is_local: bool = True

    def read(self, characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """See `Layout`. Rounded to the millisecond, half to even. The first `days` of the digits are whole days."""
        digits, fits = _digits(characters, self.whole, self.point)
        days = number_of(digits[: self.days]).astype(np.int64)
        # of the last day the scalar rule accepts only the beginning, which is left to it
        fits &= (days >= EXCEL_1970) & (days < EXCEL_LAST)
        instants = (days - EXCEL_1970) * DAY_MS
        fraction = (
            np.delete(digits, self.whole, axis=0)[self.days :] if len(digits) > self.whole else digits[self.days :]
        )
        if len(fraction):
            instants += _milliseconds_of_day(fraction)
        return instants, fits


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
