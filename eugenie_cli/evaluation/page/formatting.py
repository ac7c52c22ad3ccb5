"""Formats figures: the same rounding everywhere, and a dash for unknown values."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

UNKNOWN = "–"
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def percent(share: float | None, decimals: int = 1) -> str:
    """A fraction as `12.3 %`; a small fraction above zero is not shown as 0."""
    if share is None:
        return UNKNOWN
    if 0 < share < 0.5 * 10 ** -(decimals + 2):
        return f"< {10**-decimals:.{decimals}f} %"
    return f"{100 * share:.{decimals}f} %"


def number(value: float | None, decimals: int = 1) -> str:
    """A number with thousands separators."""
    return UNKNOWN if value is None else f"{value:,.{decimals}f}"


def count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def duration(seconds: float | None) -> str:
    """`43 s`, `2.3 min`, `5.0 h`, `3.2 d`."""
    if seconds is None:
        return UNKNOWN
    for size, unit in _UNITS:
        if seconds >= 2 * size or (unit == "min" and seconds >= 90):
            return f"{seconds / size:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.1f}".removesuffix(".0") + " s"


def quantity(value: float) -> str:
    """A measurement to four digits, because engineering units come in all magnitudes."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def pair(low: float, high: float) -> tuple[str, str]:
    """The ends of an axis, with just enough digits to differ."""
    spread = abs(high - low)
    decimals = 0 if spread == 0 else max(0, min(6, 1 - math.floor(math.log10(spread))))
    return f"{low:.{decimals}f}", f"{high:.{decimals}f}"


def counted(amount: int, singular: str, plural: str = "") -> str:
    """`1 alarm`, `2 alarms`."""
    return f"{amount:,} {singular if amount == 1 else plural or singular + 's'}"


class Clock:
    """Formats instants (ms since 1970 UTC) in the plant's time zone."""

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)

    def _of(self, ms: int) -> datetime:
        return datetime.fromtimestamp(ms / 1000, self._zone)

    def minute(self, ms: int) -> str:
        return self._of(ms).strftime("%Y-%m-%d %H:%M")

    def second(self, ms: int) -> str:
        return self._of(ms).strftime("%Y-%m-%d %H:%M:%S")

    def time(self, ms: int) -> str:
        return self._of(ms).strftime("%H:%M:%S")

    def for_span(self, start: int, end: int) -> Callable[[int], str]:
        """Label format for an axis from `start` to `end`: the time within two days, otherwise the date."""
        if end - start > 2 * 86_400_000:
            return lambda ms: self._of(ms).strftime("%d %b")
        pattern = "%H:%M" if end - start > 3_600_000 else "%H:%M:%S"
        return lambda ms: self._of(ms).strftime(pattern)
