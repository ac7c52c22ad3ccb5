"""Instants: text in many formats -> int milliseconds since 1970-01-01T00:00:00Z, rounded down.

Local times are read in the named zone. A local time that occurs twice (clocks set back) or never (clocks set forward)
is refused, not guessed, unless the mapping says which of the two it is: otherwise the readings of the repeated hour
would get the same instants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eugenie_cli.readings.number_units import COUNTS, DAY_MS, DAYS, EPOCH_NUMBER, count_ms, days_ms, other_unit
from eugenie_cli.readings.timestamp_formats import END_OF_DAY, Local, compile_formats, offset_ms

ISO_PATTERN = (
    r"^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,18}))?)?"
    r"(?: ?(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)(?:\[[A-Za-z0-9_+/-]+\])?)?$"
)
"""The name of a zone may follow an offset, as in `+01:00[Europe/Berlin]` (RFC 9557, Java): the offset counts."""

# A clock that was never set shows years before 1970; Python's calendar ends with 9999.
MIN_INSTANT = 0
MAX_INSTANT = 253_402_300_799_999
NO_ZONES = ("localtime", "posixrules", "Factory")  # files next to the zones: the machine's own setting

_ISO = re.compile(ISO_PATTERN)
_EPOCH = datetime(1970, 1, 1)

# What JavaScript writes for a Date, with toString() and toUTCString(). Both have an offset, so neither is ambiguous.
_OF_JAVASCRIPT = (
    (r"^([A-Za-z]{3} [A-Za-z]{3} [0-9: ]{16} GMT[+-][0-9]{4})(?: \([^()]*\))?$", "%a %b %d %Y %H:%M:%S GMT%z"),
    (r"^([A-Za-z]{3}, [0-9]{2} [A-Za-z]{3} [0-9: ]{13} GMT)$", "%a, %d %b %Y %H:%M:%S GMT"),
)

_OF_DOTNET = re.compile(r"^\\?/Date\((-?[0-9]{1,15})(?:[+-][0-9]{4})?\)\\?/$")
"""What .NET writes for a DateTime in JSON: milliseconds since 1970, UTC, whatever offset follows."""

ToInstant = Callable[[str], int]
"""Trimmed, non-empty text -> milliseconds. Raises ValueError with the reason."""


def zone(name: str) -> tzinfo:
    """The IANA time zone `name`. Raises ValueError if it does not exist."""
    if name in ("UTC", "Z", "Etc/UTC"):
        return timezone.utc
    try:
        if name in NO_ZONES:
            raise ValueError
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone, such as Europe/Berlin or UTC") from None


def wall_ms(local: datetime) -> int:
    """A naive datetime -> milliseconds since 1970 on the same clock, rounded down."""
    delta = local - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000 + delta.microseconds // 1_000


class TimeRule(NamedTuple):
    """How texts of one timestamp field are read.

    `unit`: "iso" (ISO 8601, up to 18 digits of a second), or one of `number_units`. `format`: one or several, for
    `compile_formats`; it overrides `unit`. `timezone`: of local times without an offset. `ambiguous`: which of the two
    instants a local time means that occurs twice: "first", "second", or "reject". `joined`: the texts are of several
    fields, with `JOINER` between them. `fraction`: what a last field counts that nothing else reads, in `FRACTIONS`.
    """

    unit: str = "iso"
    format: str | Sequence[str] | None = None
    timezone: str = "UTC"
    ambiguous: str = "reject"
    joined: bool = False
    fraction: str = "ms"

    @staticmethod
    def of(part: Mapping[str, Any], timezone: str) -> TimeRule:
        """The rule of a mapping's `ts`. `timezone`: the site's. The order of rows is not known here: it is rejected."""
        ambiguous = part.get("ambiguous") or "reject"
        return TimeRule(
            part.get("unit") or "iso",
            part.get("formats") or part.get("format"),
            part.get("timezone") or timezone,
            "reject" if ambiguous == "order" else ambiguous,
            bool(part.get("paths")),
            part.get("fraction") or "ms",
        )


class Clock(NamedTuple):
    """The clock that local times are read on: its zone, and which instant a time means that occurs twice."""

    zone: tzinfo
    ambiguous: str = "reject"


def utc_offset_ms(local: datetime, zone: tzinfo, ambiguous: str = "reject") -> int:
    """The offset from UTC of a naive local time. Raises ValueError if the time never occurs, or occurs twice and
    `ambiguous` is not "first" or "second".
    """
    first = local.replace(tzinfo=zone, fold=0).utcoffset()
    second = local.replace(tzinfo=zone, fold=1).utcoffset()
    if first is None or second is None:
        raise ValueError(f"{zone} has no offset at {local.isoformat()}")
    if first < second:
        raise ValueError(f"the local time {local.isoformat()} does not exist in {zone}: send an offset or UTC")
    if first != second and ambiguous not in ("first", "second"):
        raise ValueError(
            f"the local time {local.isoformat()} occurs twice in {zone}: send an offset or UTC, or set `ambiguous` of"
            " `ts`: first or second, in imports also order"
        )
    return (second if ambiguous == "second" else first) // timedelta(milliseconds=1)


def compile_instant(
    unit: str = "iso",
    format: str | Sequence[str] | None = None,
    timezone: str = "UTC",
    ambiguous: str = "reject",
    joined: bool = False,
    fraction: str = "ms",
) -> ToInstant:
    """The reader of one timestamp field. Arguments: as in `TimeRule`.

    Raises ValueError for an unknown zone, or a format that does not determine an instant.
    """
    formats, clock = formats_of(format), Clock(zone(timezone), ambiguous)
    if joined:
        return _bounded(_joined(unit, formats, clock, fraction))
    return _bounded(_single(unit, formats, clock), unit if unit in COUNTS and not formats else "")


def formats_of(format: str | Sequence[str] | None) -> tuple[str, ...]:
    """The formats of a field that has none, one or several."""
    return () if format is None else (format,) if isinstance(format, str) else tuple(format)


def _single(unit: str, formats: Sequence[str], clock: Clock) -> ToInstant:
    """The reader of one text by one rule."""
    if formats:
        read = compile_formats(formats, clock.zone)
        return lambda text: _from_local(read(text), clock)
    if unit == "iso":
        return lambda text: _iso(text, clock)
    if unit in DAYS:
        return lambda text: _on_clock(days_ms(text, unit), clock if DAYS[unit].is_local else None)
    return lambda text: _on_clock(count_ms(text, unit), clock if COUNTS[unit].is_local else None)


JOINER = " "
"""Between the texts of fields that together are an instant."""
FRACTIONS = {"ms": 1, "us": 1_000, "ns": 1_000_000}
"""What a field of its own may count -> how many are a millisecond. The fourth is "s": a fraction such as 0.25."""
SPARE_PATTERNS = {
    **{unit: rf"^(.*[^ ]) ([0-9]{{1,{len(str(over)) + 2}}})(?:\.0*)?$" for unit, over in FRACTIONS.items()},
    "s": r"^(.*[^ ]) 0?(?:[.,]|(?=0$))([0-9]{0,18})$",
}
_WHOLE_SECONDS = re.compile(r"^[0-9]{1,20}$")


def whole_second_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Those of the formats with seconds and without fractions: milliseconds may follow them in a field of their own."""
    return tuple(format for format in formats if "%S" in format and "%f" not in format)


def _joined(unit: str, formats: Sequence[str], clock: Clock, fraction: str) -> ToInstant:
    """Several fields as one text. A last field that nothing else reads is milliseconds, or what `fraction` says.

    Days of a spreadsheet are added: one field has the date, another the time.
    """
    if unit in DAYS and not formats:
        serial = _single(unit, (), clock)
        return lambda text: serial(_sum(text))
    whole = _single(unit, formats, clock)
    in_seconds = whole_second_formats(formats)
    seconds = _single(unit, in_seconds, clock) if in_seconds or not formats else None
    pattern = re.compile(SPARE_PATTERNS[fraction])

    def read(text: str) -> int:
        try:
            return whole(text)
        except ValueError:
            spare = pattern.match(text)
            if spare is None or seconds is None or not (formats or _is_whole_second(spare[1], unit)):
                raise
            return seconds(spare[1]) + _milliseconds(spare[2], fraction)

    return read


def _milliseconds(digits: str, fraction: str) -> int:
    return int(digits[:3].ljust(3, "0")) if fraction == "s" else int(digits) // FRACTIONS[fraction]


def _is_whole_second(text: str, unit: str) -> bool:
    """Whether a text without a format has seconds, and neither a fraction nor an offset behind them."""
    if unit == "s":
        return _WHOLE_SECONDS.match(text) is not None
    iso = _ISO.match(text) if unit == "iso" else None
    return iso is not None and iso[6] is not None and iso[7] is None and iso[8] is None


def _sum(text: str) -> str:
    numbers = [number.replace(",", ".", 1) for number in text.split(JOINER)]
    if not all(map(EPOCH_NUMBER.match, numbers)):
        raise ValueError(f"{text!r} is not a number of days for each field, as spreadsheets count them")
    return format(sum(map(Decimal, numbers)), "f")


def _bounded(read: ToInstant, unit: str = "") -> ToInstant:
    def bounded(text: str) -> int:
        instant = read(text)
        if not MIN_INSTANT <= instant <= MAX_INSTANT:
            raise ValueError(f"{text!r} is before 1970 or after 9999{other_unit(text, '; ') if unit else ''}")
        return instant

    return bounded


def _from_local(fields: Local, clock: Clock) -> int:
    local, milliseconds, offset = fields
    return wall_ms(local) + milliseconds - (utc_offset_ms(local, *clock) if offset is None else offset)


def _iso(text: str, clock: Clock) -> int:
    match = _ISO.match(text)
    if match is None:
        if text[:3].isalpha() and (of_javascript := _javascript(text)) is not None:
            return of_javascript
        if (of_dotnet := _OF_DOTNET.match(text)) is not None:
            return int(of_dotnet[1])
        hint = other_unit(text, ", but a number: ") if EPOCH_NUMBER.match(text) else ""
        raise ValueError(f"{text!r} is not ISO 8601, such as 2026-01-03T06:00:00.250Z{hint}")
    year, month, day, hour, minute = (int(match[group]) for group in range(1, 6))
    end = timedelta(hour == END_OF_DAY and not (minute or int(match[6] or 0) or int(match[7] or 0)))
    try:
        local = datetime(year, month, day, 0 if end else hour, minute, int(match[6] or 0)) + end
    except (ValueError, OverflowError) as error:  # the latter on the last day of the calendar
        raise ValueError(f"{text!r}: {error}") from None
    milliseconds = int((match[7] or "")[:3].ljust(3, "0"))
    return _from_local((local, milliseconds, offset_ms(match[8]) if match[8] else None), clock)


def _javascript(text: str) -> int | None:
    """The instant of a JavaScript Date as text; None for any other text."""
    for pattern, format in _OF_JAVASCRIPT:
        match = re.match(pattern, text)
        if match is not None:
            return _from_local(_in_utc(format)(match[1]), Clock(timezone.utc))
    return None


@cache
def _in_utc(format: str) -> Callable[[str], Local]:
    return compile_formats([format], timezone.utc)


def _on_clock(ms: int, clock: Clock | None) -> int:
    """Milliseconds since 1970 on a clock, or in UTC without one -> ms since 1970 UTC."""
    if clock is None:
        return ms
    if not -DAY_MS <= ms <= MAX_INSTANT - DAY_MS:
        raise ValueError("the instant is before 1970 or after 9999")
    seconds, milliseconds = divmod(ms, 1_000)
    return _from_local((_EPOCH + timedelta(seconds=seconds), milliseconds, None), clock)
