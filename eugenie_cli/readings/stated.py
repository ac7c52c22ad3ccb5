"""What is stated once for many instants: the date of times of day, or the instant from which elapsed time counts.

A file states it in its name or in a line above its table, and importers then put it into the mapping: as `ts.date`, an
ISO date, or `ts.start`, ms since 1970 UTC. Until then, these are sections that say where it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timezone as utc_offset
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from eugenie_cli.readings.number_units import EPOCH_NUMBER
from eugenie_cli.readings.timestamp_formats import compile_format, format_pattern
from eugenie_cli.readings.timestamps import (
    ISO_PATTERN,
    MAX_INSTANT,
    MIN_INSTANT,
    TimeRule,
    ToInstant,
    compile_instant,
    formats_of,
)

DATE_FORMAT = "%Y-%m-%d"
TIMES_OF_DAY = ("%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f", "%H:%M")
"""How times of day are read without a format."""
ELAPSED: dict[str, Decimal | int] = {
    **{"s": 1_000, "ms": 1, "us": Decimal("0.001"), "ns": Decimal("0.000001")},
    **{"min": 60_000, "h": 3_600_000, "d": 86_400_000},
}
"""Unit of elapsed time -> milliseconds of one."""
DURATION = "duration"
"""The unit of texts such as 26:30:00 or 1.02:30:00 (days, hours, minutes, seconds)."""
_WHOLE = ("s", "ms", "us", "ns")
_DURATION = re.compile(
    r"^(-)?(?:([0-9]{1,6})(?: days?,?)?[. ])?([0-9]{1,6}):([0-5]?[0-9]):([0-5]?[0-9])(?:[.,]([0-9]{1,18}))?$"
)
_LONG_FRACTION = re.compile(r"([.,][0-9]{18})[0-9]+")  # LabVIEW writes 19 digits of a second
_ISO = re.compile(rf"(?<![0-9]){ISO_PATTERN[1:-1]}(?![0-9:])")


def rule_of(part: Mapping[str, Any], timezone: str) -> TimeRule:
    """The rule of the texts of `ts`, with the date before them if it is stated once."""
    rule = TimeRule.of(part, timezone)
    if not part.get("date"):
        return rule
    formats = formats_of(rule.format) or TIMES_OF_DAY
    return rule._replace(unit="iso", format=tuple(f"{DATE_FORMAT} {format}" for format in formats))


def date_of(part: Mapping[str, Any], timezone: str) -> str | None:
    """The date of the times of day of `ts`; None if they have dates. Raises ValueError if it is only said where."""
    return _stated(part, "date", timezone)


def start_of(part: Mapping[str, Any], timezone: str) -> int | None:
    """The instant from which `ts` counts; None if it counts from its unit's own beginning. Raises ValueError."""
    return _stated(part, "start", timezone)


def _stated(part: Mapping[str, Any], kind: str, timezone: str) -> Any:
    stated = part.get(kind)
    if not isinstance(stated, Mapping):
        return stated
    if not stated.get("const"):
        raise ValueError(f"ts: {kind} comes from a file: it works in imports of files only")
    return value_of(kind, stated["const"], stated, part.get("timezone") or timezone)


def value_of(kind: str, text: str, stated: Mapping[str, Any], timezone: str) -> Any:
    """The date (text) or start (ms) that a text is. Raises ValueError for a text of another form."""
    format = stated.get("format")
    if kind == "start":
        if format is not None and not _has_time(format, text):
            raise ValueError(f"{text!r} does not match the format {format!r}")
        return compile_instant("iso", format, timezone)(text)
    read = compile_format(f"{format or DATE_FORMAT} %H:%M", utc_offset.utc)
    return read(f"{text} 00:00")[0].date().isoformat()


def found_in(kind: str, text: str, stated: Mapping[str, Any], timezone: str) -> list[Any]:
    """The different dates or starts somewhere in a text."""
    format = stated.get("format")
    if format is None and kind == "start":
        pattern = _ISO
    else:
        whole = format_pattern(format or DATE_FORMAT) if kind == "start" else _date_pattern(format or DATE_FORMAT)
        pattern = re.compile(rf"(?<![^\W_]){whole.pattern}(?![^\W_])", re.IGNORECASE)
    found: list[Any] = []
    for match in pattern.finditer(_LONG_FRACTION.sub(r"\1", text)):
        try:
            value = value_of(kind, match[0].strip(), stated, timezone)
        except ValueError:
            continue
        if value not in found:
            found.append(value)
    return found


def _date_pattern(format: str) -> re.Pattern[str]:
    """The pattern of a date alone: `format_pattern` needs a time of day, which it makes optional."""
    return re.compile(format_pattern(f"{format} %H:%M").pattern.rpartition("(?:")[0], re.IGNORECASE)


def _has_time(format: str, text: str) -> bool:
    """Whether a text has the time of day, which formats may leave out."""
    match = format_pattern(format).fullmatch(text)
    groups = {} if match is None else match.groupdict()
    return groups.get("H") is not None or groups.get("I") is not None


def compile_ts(part: Mapping[str, Any], timezone: str) -> ToInstant:
    """The reader of the texts of a mapping's `ts`. `timezone`: the site's. Raises ValueError as `compile_instant`."""
    start, date = start_of(part, timezone), date_of(part, timezone)
    if start is not None:
        return compile_elapsed(part.get("unit") or "s", start)
    read = compile_instant(*rule_of(part, timezone))
    return read if date is None else lambda text: read(f"{date} {text}")


def compile_elapsed(unit: str, start: int) -> ToInstant:
    """The reader of times that have passed since `start`, in ms since 1970."""
    read: Callable[[str], int] = _duration if unit == DURATION else lambda text: _number(text, unit)

    def since(text: str) -> int:
        instant = start + read(text)
        if not MIN_INSTANT <= instant <= MAX_INSTANT:
            raise ValueError(f"{text!r} after the start is before 1970 or after 9999")
        return instant

    return since


def _number(text: str, unit: str) -> int:
    number = text.replace(",", ".", 1)
    if EPOCH_NUMBER.match(number) is None:
        raise ValueError(f"{text!r} is not a number in {unit}")
    rounding = ROUND_FLOOR if unit in _WHOLE else ROUND_HALF_EVEN
    return int((Decimal(number) * ELAPSED[unit]).to_integral_value(rounding))


def _duration(text: str) -> int:
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration, such as 26:30:00 or 1.02:30:00")
    days, hours, minutes, seconds = (int(match[group] or 0) for group in range(2, 6))
    ms = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000 + int((match[6] or "")[:3].ljust(3, "0"))
    return -ms if match[1] else ms
