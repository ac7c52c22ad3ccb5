"""Settings common to sources that keep a history of their own, which is imported in windows of time."""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Instant, PositiveMs, parse_duration, parse_instant, show_duration
from eugenie_cli.site.source_types import SourceSettings

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)")


def _beginning(given: Any) -> Any:
    """A duration ("90d", before now) as milliseconds, anything else as an instant."""
    if isinstance(given, str):
        try:
            return parse_duration(given)
        except ValueError:
            pass
    return given if isinstance(given, int) else parse_instant(given)


def _shown(start: datetime | int) -> str:
    return show_duration(start) if isinstance(start, int) else start.isoformat()


Beginning = Annotated[
    int | Instant,
    BeforeValidator(_beginning),
    PlainSerializer(_shown, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["2025-01-01", "365d"]}),
]
"""Where an import begins: an instant, or milliseconds before now."""


class PaceSettings(Section):
    """How hard an import may work a server that others depend on."""

    calls_per_second: float | None = Field(None, gt=0, le=1_000, description="queries per second at most; default: any")
    in_flight: int = Field(2, ge=1, le=64, description="queries at the same time")
    timeout: PositiveMs = Field(
        60_000, description="how long a query may take; then its span of time is halved and it is repeated"
    )
    retries: int = Field(4, ge=0, le=100, description="how often a query that failed is repeated, each time later")


class WindowSettings(SourceSettings):
    """Settings of a source that is imported in windows of time, each with all of its tags.

    A window is read once it has ended, again at each import until `settle` has passed, and then never again.
    """

    start: Beginning = Field(description="where the import begins: an instant, such as 2025-01-01, or 365d before now")
    window: PositiveMs = Field(86_400_000, description="the unit of import, 1m to 31d: what a failure costs at most")
    settle: PositiveMs = Field(
        3_600_000, description="how long readings may still arrive at the source after their window has ended"
    )
    daily: str | None = Field(None, description="hours of local time, such as 01:00-05:00, to which reading is limited")
    pace: PaceSettings = PaceSettings.model_construct()

    @field_validator("window")
    @classmethod
    def _reasonable(cls, window: int) -> int:
        if not 60_000 <= window <= 31 * 86_400_000:
            raise ValueError("must be from 1m to 31d")
        return window

    @field_validator("daily")
    @classmethod
    def _is_hours(cls, given: str | None) -> str | None:
        if given is not None:
            hours(given)
        return given


def hours(text: str) -> tuple[time, time]:
    """`01:00-05:00` -> (start, end); the end may be on the next day. Raises ValueError."""
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ValueError("must be two times of day, such as 22:00-05:00")
    first, last = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    if first == last:
        raise ValueError("must be two different times of day; leave it out to read at any time")
    return first, last


def within(text: str, now: time) -> bool:
    """Whether a time of day is in such hours."""
    first, last = hours(text)
    return first <= now < last if first < last else now >= first or now < last
