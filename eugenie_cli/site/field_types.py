"""Types of values in a site file that YAML itself does not have: durations, instants, names."""

from __future__ import annotations

import difflib
import re
from datetime import datetime, timezone
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)

from eugenie_cli.readings.timestamps import NO_ZONES

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)")


def parse_duration(value: Any) -> int:
    """`"200ms"`, `"5s"`, `"1.5m"`, `"2h"`, `"1d"` -> milliseconds.

    Raises ValueError for anything else, including a number without a unit.
    """
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration needs a number and a unit: 200ms, 5s, 10m, 2h or 1d")
    milliseconds = float(match[1]) * _UNITS_MS[match[2]]
    if milliseconds != int(milliseconds):
        raise ValueError("a duration is a whole number of milliseconds")
    return int(milliseconds)


def show_duration(milliseconds: int) -> str:
    """Milliseconds -> the shortest text from which `parse_duration` returns the same number."""
    for unit in ("d", "h", "m", "s"):
        if milliseconds and milliseconds % _UNITS_MS[unit] == 0:
            return f"{milliseconds // _UNITS_MS[unit]}{unit}"
    return f"{milliseconds}ms"


def parse_instant(value: Any) -> datetime:
    """ISO 8601 text -> datetime. Without an offset the result is naive; the site's time zone is applied later."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("an instant is ISO 8601 text, such as 2026-01-03T06:00:00Z")
    text = re.sub(r"[zZ]$", "+00:00", value.strip())
    try:
        return datetime.fromisoformat(re.sub(r"\.(\d+)", lambda digits: "." + digits[1][:6].ljust(6, "0"), text))
    except ValueError:
        raise ValueError(f"{value!r} is not an ISO 8601 instant, such as 2026-01-03T06:00:00Z") from None


def localize(instant: datetime, where: ZoneInfo) -> datetime:
    """A datetime without an offset, taken as local time of `where`; one with an offset is returned unchanged.

    Raises ValueError for a local time that is skipped or repeated when clocks change.
    """
    if instant.tzinfo is not None:
        return instant
    early, late = (instant.replace(tzinfo=where, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        skipped = early.astimezone(timezone.utc).astimezone(where).replace(tzinfo=None) != instant
        how = "does not exist" if skipped else "occurs twice"
        raise ValueError(f"{instant} {how} in {where.key}, where clocks change: add an offset, such as +02:00 or Z")
    return early


def zone(name: object) -> ZoneInfo | None:
    """The time zone with that IANA name, or None if it does not exist."""
    try:
        return ZoneInfo(name) if isinstance(name, str) and name and name not in NO_ZONES else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _zone_name(name: str) -> str:
    if zone(name) is None:
        close = difflib.get_close_matches(name, sorted(available_timezones()), n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        raise ValueError(f"unknown time zone {name!r}: use an IANA name such as Europe/Berlin{meant}")
    return name


def _in_site_zone(instant: datetime, info: ValidationInfo) -> datetime:
    where = (info.context or {}).get("timezone")
    return localize(instant, where) if where is not None else instant


def to_ms(instant: datetime) -> int:
    """An aware datetime -> milliseconds since 1970-01-01T00:00:00Z, rounded down."""
    delta = instant - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (delta.days * 86_400 + delta.seconds) * 1_000 + delta.microseconds // 1_000


def _positive(value: int) -> int:
    if value <= 0:
        raise ValueError("must be longer than 0")
    return value


DURATION_SCHEMA = {"type": "string", "pattern": rf"^{_DURATION.pattern}$|^\$\{{", "examples": ["5s"]}
Milliseconds = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(show_duration, when_used="json"),
    WithJsonSchema(DURATION_SCHEMA),
]
PositiveMs = Annotated[Milliseconds, AfterValidator(_positive)]
# Instants without an offset become aware by the "timezone" (a ZoneInfo) of the validation context.
Instant = Annotated[datetime, BeforeValidator(parse_instant), AfterValidator(_in_site_zone)]
# An IANA time zone, kept as its name.
ZoneName = Annotated[str, AfterValidator(_zone_name)]
# The name of a site, class, asset or source: safe in a path, a topic, a metric and a model name.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


def on_one_line(given: Any) -> Any:
    """Replaces line breaks in a name with blanks, as in headers of imported files (Excel writes such headers)."""
    if not isinstance(given, str) or not ("\n" in given or "\r" in given):
        return given
    return re.sub(r"\s*[\r\n]+\s*", " ", given)


def _tab(given: Any) -> Any:
    """Accepts a tab written as a backslash and a t, as YAML's single quotes pass it."""
    return "\t" if given in ("\\t", "tab") else given


BLANKS = "blanks"
"""As a delimiter: one or more blanks or tabs."""


def _one_character(given: str) -> str:
    if given == BLANKS:
        return given
    if len(given) != 1 or not (given == "\t" or " " <= given <= "~") or given == '"':
        raise ValueError(
            'must be one ASCII character other than a quote, such as ";" or "\\t" for a tab; "blanks" for columns'
            " separated by any number of blanks"
        )
    return given


# The separator between the fields of a CSV file: a single byte without another meaning there, or any number of blanks.
Delimiter = Annotated[str, BeforeValidator(_tab), AfterValidator(_one_character)]
# Names of sensors and tags as the plant spells them; control characters would break records.
Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$"),
    BeforeValidator(on_one_line),
]


def _http_url(given: str) -> str:
    if not given.startswith(("http://", "https://")):
        raise ValueError("must begin with https:// or http://")
    try:
        split = urlsplit(given)
        _ = split.port  # raises for one that is no number
    except ValueError:  # its words may quote a part of a password
        raise ValueError("is not an address such as https://host:443/path") from None
    if not split.hostname:
        raise ValueError("names no host")
    return given


# The address of a server of HTTP.
HttpUrl = Annotated[str, AfterValidator(_http_url)]
# A text in place of a value. A number, which YAML parses as such, becomes its shortest text.
StatusText = Annotated[
    str,
    BeforeValidator(lambda value: repr(value) if type(value) in (int, float) else value),
    WithJsonSchema({"type": ["string", "number"]}),
]
