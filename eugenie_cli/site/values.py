"""The values of a site file that YAML has no type for: durations, instants, names."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StringConstraints

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)")


def parse_duration(value: Any) -> int:
    """`"200ms"`, `"5s"`, `"1.5m"`, `"2h"`, `"1d"` -> milliseconds.

    Raises ValueError for anything else: a bare number has no unit.
    """
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration needs a number and a unit: 200ms, 5s, 10m, 2h or 1d")
    milliseconds = float(match[1]) * _UNITS_MS[match[2]]
    if milliseconds != int(milliseconds):
        raise ValueError("a duration is a whole number of milliseconds")
    return int(milliseconds)


def show_duration(milliseconds: int) -> str:
    """Milliseconds -> the shortest spelling that `parse_duration` reads back."""
    for unit in ("d", "h", "m", "s"):
        if milliseconds and milliseconds % _UNITS_MS[unit] == 0:
            return f"{milliseconds // _UNITS_MS[unit]}{unit}"
    return f"{milliseconds}ms"


def parse_instant(value: Any) -> datetime:
    """ISO 8601 text -> datetime. Without an offset it stays naive: the site's time zone is applied later."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("an instant is ISO 8601 text, such as 2026-01-03T06:00:00Z")
    try:
        return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", value.strip()))
    except ValueError:
        raise ValueError(f"{value!r} is not an ISO 8601 instant, such as 2026-01-03T06:00:00Z") from None


def to_ms(instant: datetime) -> int:
    """An aware datetime -> milliseconds since 1970-01-01T00:00:00Z, rounded down."""
    delta = instant - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (delta.days * 86_400 + delta.seconds) * 1_000 + delta.microseconds // 1_000


def _positive(value: int) -> int:
    if value <= 0:
        raise ValueError("must be longer than 0")
    return value


Milliseconds = Annotated[int, BeforeValidator(parse_duration), PlainSerializer(show_duration, when_used="json")]
PositiveMs = Annotated[Milliseconds, AfterValidator(_positive)]
Instant = Annotated[datetime, BeforeValidator(parse_instant)]
# What may name a site, class, asset or source: safe in a path, a topic, a metric and a model name.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
# Sensors and tags carry the plant's own spelling; control characters would break records.
Label = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
