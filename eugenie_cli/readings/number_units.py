"""Instants that are one number: since 1970 or another beginning, in seconds, parts of them, or days."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

EPOCH_PATTERN = r"^[+-]?[0-9]{1,20}(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?$"
EPOCH_NUMBER = re.compile(EPOCH_PATTERN)
DAY_MS = 86_400_000
EXCEL_1970, EXCEL_LAST = 25_569, 2_958_465
"""Days since 1899-12-30: of 1970-01-01 and of 9999-12-31."""
LAST_DAY_MS = (EXCEL_LAST - EXCEL_1970) * DAY_MS
# Plausible instants of measurements: one outside was read in the wrong unit, or comes from a clock that was never set.
FIRST_PLAUSIBLE = 631_152_000_000  # 1990-01-01
LAST_PLAUSIBLE = 4_102_444_800_000  # 2100-01-01
_EPOCH = datetime(1970, 1, 1)


class Count(NamedTuple):
    """Seconds or parts of one: `times` milliseconds, or `over` of them in a millisecond; one of the two is 1.

    `zero`: the instant that 0 is, in ms since 1970. `is_local`: on the clock of the mapping's zone.
    """

    times: int
    over: int
    zero: int = 0
    is_local: bool = False

    @property
    def ms(self) -> Decimal:
        """Milliseconds of one."""
        return Decimal(self.times) / self.over


class Days(NamedTuple):
    """Days, or a number of parts of one (`per_day`). `zero`, `is_local`: as of `Count`; `words`: since when."""

    per_day: int
    zero: int
    is_local: bool
    words: str


COUNTS = {
    "s": Count(1_000, 1),
    "ms": Count(1, 1),
    "us": Count(1, 1_000),
    "ns": Count(1, 1_000_000),
    "filetime": Count(1, 10_000, -11_644_473_600_000),  # since 1601, UTC
    "ticks": Count(1, 10_000, -62_135_596_800_000, is_local=True),  # since the year 1; .NET does not store the zone
    "labview": Count(1_000, 1, -2_082_844_800_000),  # since 1904, UTC
    "gps": Count(1_000, 1, 315_964_800_000),  # since 1980-01-06, with leap seconds
}
"""Unit -> how it counts. LabVIEW's is that of the first Macintosh."""
DAYS = {
    "excel": Days(1, -EXCEL_1970 * DAY_MS, True, "1899-12-30"),
    "excel1904": Days(1, -24_107 * DAY_MS, True, "1904-01-01"),  # workbooks of the first Excel for Macintosh
    "wincc": Days(1_000_000, -EXCEL_1970 * DAY_MS, True, "1899-12-30"),  # a column `Time_ms`
    "matlab": Days(1, -719_529 * DAY_MS, True, "the year 0"),  # datenum
    "julian": Days(1, -2_440_587 * DAY_MS - DAY_MS // 2, False, "noon in the year -4712"),
    "mjd": Days(1, -40_587 * DAY_MS, False, "1858-11-17"),
}
"""Unit -> how it counts days: those of spreadsheets in local time, those of astronomers in UTC."""
OF_1970 = ("s", "ms", "us", "ns")
LOCAL_UNITS = frozenset({"iso", "ticks", *(unit for unit, days in DAYS.items() if days.is_local)})
"""Units whose instants are local times, or may be."""

LEAP_SECONDS = tuple(
    (datetime(year, month, 1) - _EPOCH) // timedelta(milliseconds=1)
    for year, month in (
        *((1981, 7), (1982, 7), (1983, 7), (1985, 7), (1988, 1), (1990, 1), (1991, 1), (1992, 7), (1993, 7)),
        *((1994, 7), (1996, 1), (1997, 7), (1999, 1), (2006, 1), (2009, 1), (2012, 7), (2015, 7), (2017, 1)),
    )
)
"""The instants before which a leap second was, since 1980. A later one is to be added here: IERS's Bulletin C."""
LEAPS_OF_GPS = tuple(at + 1_000 * number for number, at in enumerate(LEAP_SECONDS, 1))
"""The same instants on the clock of GPS, which has no leap seconds, in ms since 1970."""

FEW_DECIMALS = 4
"""Decimals of a day that are not enough for seconds: the last one is 8.6 s."""
MANY_DECIMALS = 8
"""Decimals of a day with which it is exact to the millisecond."""
_SHORTENED = re.compile(r"[+-]?[0-9](?:\.[0-9]{0,5})?E\+?(?:09|[1-9][0-9]|9)")


def count_ms(text: str, unit: str) -> int:
    """A number of a unit of `COUNTS` -> ms since 1970 on its clock, rounded down. Raises ValueError."""
    number, count = text.replace(",", ".", 1), COUNTS[unit]
    if EPOCH_NUMBER.match(number) is None:
        raise ValueError(f"{text!r} is not a number, as unit {unit} needs it")
    if _SHORTENED.fullmatch(number):
        raise ValueError(
            f"{text!r} was shortened to its first digits, as spreadsheets show large numbers: its instant is lost."
            " Give the column the format of a number without decimals, and export it again"
        )
    instant = int((Decimal(number) * count.ms).to_integral_value(ROUND_FLOOR)) + count.zero
    return instant - 1_000 * bisect_right(LEAPS_OF_GPS, instant) if unit == "gps" else instant


def days_ms(text: str, unit: str) -> int:
    """A number of a unit of `DAYS` -> ms since 1970 on its clock. Raises ValueError.

    It is rounded to the millisecond, or to the second if the text has so few decimals that it may be one: spreadsheets
    write 05:00 as 0.2083333333 or as 0.20833.
    """
    number, count = text.replace(",", ".", 1), DAYS[unit]
    if EPOCH_NUMBER.match(number) is None:
        raise ValueError(f"{text!r} is not a number of days, as spreadsheets count them")
    days = Decimal(number) / count.per_day
    wall = days * DAY_MS + count.zero
    if not 0 <= wall <= LAST_DAY_MS:
        raise ValueError(f"{text!r} is before 1970 or after 9999, counted in days since {count.words}")
    decimals = -int(Decimal(number).as_tuple().exponent) if count.per_day == 1 else MANY_DECIMALS
    if 0 < decimals < MANY_DECIMALS:
        second = int((wall / 1_000).to_integral_value(ROUND_HALF_EVEN)) * 1_000
        if wall == second or (decimals > FEW_DECIMALS and 2 * abs(wall - second) <= DAY_MS * Decimal(10) ** -decimals):
            return second
        if decimals <= FEW_DECIMALS:
            raise ValueError(
                f"{text!r} has too few decimals: the last one is {_last_decimal(decimals)}. Export at least six"
            )
    return int(wall.to_integral_value(ROUND_HALF_EVEN))


def _last_decimal(decimals: int) -> str:
    seconds = 86_400 / 10**decimals
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def of_instant(ts: int, wall: int, unit: str) -> float:
    """The number that an instant is in a unit. `ts`: ms since 1970; `wall`: the same on the clock of the zone."""
    if unit in DAYS:
        days = DAYS[unit]
        return ((wall if days.is_local else ts) - days.zero) / DAY_MS * days.per_day
    count = COUNTS[unit]
    since = (wall if count.is_local else ts) - count.zero
    if unit == "gps":
        since += 1_000 * bisect_right(LEAP_SECONDS, ts)
    return since / count.times if count.times > 1 else since * count.over


def other_unit(number: str, before: str) -> str:
    """A hint that names the unit in which a number would be a plausible instant; empty if there is none."""
    number = number.replace(",", ".", 1)
    for unit in ("ticks", *OF_1970, "filetime"):
        count = COUNTS[unit]
        milliseconds = Decimal(number) * count.ms + count.zero
        if FIRST_PLAUSIBLE <= milliseconds < LAST_PLAUSIBLE:
            instant = _EPOCH + timedelta(milliseconds=int(milliseconds))
            return f"{before}with `unit: {unit}` it would be {instant.isoformat(timespec='seconds')}Z"
    for unit in ("excel", "matlab", "julian"):
        wall = Decimal(number) * DAY_MS + DAYS[unit].zero
        if FIRST_PLAUSIBLE <= wall < LAST_PLAUSIBLE:
            day = _EPOCH + timedelta(milliseconds=int(wall))
            return f"{before}with `unit: {unit}` it would be {day.date().isoformat()}"
    return ""
