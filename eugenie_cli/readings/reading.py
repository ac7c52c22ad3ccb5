"""A reading, and a record that could not become one."""

from __future__ import annotations

from typing import NamedTuple


class Reading(NamedTuple):
    """One measurement. `sensor`: the class's name for it; `tag`: the plant's address. At least one of them is set."""

    asset: str | None
    sensor: str | None
    tag: str | None
    ts: int
    """Milliseconds since 1970-01-01T00:00:00Z, rounded down."""
    value: float
    """In engineering units; NaN if the quality is bad."""
    good: bool


class Rejected(NamedTuple):
    """Why a record, or one of its values, is not a reading. `reason`: one of `reject_reasons.REASONS`."""

    reason: str
    detail: str
