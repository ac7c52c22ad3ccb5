"""Instants in two members: seconds since 1970, and the nanoseconds within the second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PARTS = {"timeInSeconds": "offsetInNanos", "seconds": "nanos"}
"""Names of the two members: AWS IoT SiteWise's, and those of Protobuf's Timestamp."""
MOST_NANOS = 999_999_999

_INTEGER = re.compile(r"^[0-9]{1,18}$")


def nanos_path(part: Mapping[str, Any]) -> str | None:
    """The path of the nanoseconds, if the part is the seconds of such an instant; None otherwise."""
    around, dot, last = (part.get("path") or "").rpartition(".")
    is_seconds = part.get("unit") == "s" and part.get("format") is None and last in PARTS
    return around + dot + PARTS[last] if is_seconds else None


def parts_in(raw: Mapping[str, Any]) -> tuple[str, str] | None:
    """The names of both members, if an object has the seconds of such an instant."""
    return next(((seconds, nanos) for seconds, nanos in PARTS.items() if seconds in raw), None)


def seconds_text(seconds: Any, nanos: Any) -> str:
    """Both members as one text of seconds. Raises ValueError for members that are not such integers.

    Nanoseconds may be absent. Seconds with a fraction of their own are left as they are if the nanoseconds are 0.
    """
    if isinstance(seconds, bool) or isinstance(nanos, bool):
        raise ValueError("the seconds and nanoseconds of an instant are integers, not true or false")
    text = str(seconds).strip(" \t") if isinstance(seconds, (int, float, str)) else ""
    if nanos is None or nanos == 0:
        return text
    fraction = str(nanos).strip(" \t") if isinstance(nanos, (int, str)) else ""
    if not _INTEGER.match(text) or not _INTEGER.match(fraction) or int(fraction) > MOST_NANOS:
        raise ValueError(
            f"{str(seconds)[:40]!r} and {str(nanos)[:40]!r} are not seconds since 1970 and nanoseconds below a second"
        )
    return f"{text}.{int(fraction):09d}"
