"""The demo's durations in plant time. The live part ends before now, never ahead of the clock."""

from __future__ import annotations

import time

from eugenie_cli.demo.plant.faults import Fault, schedule
from eugenie_cli.demo.plant.plant import Plant
from eugenie_cli.errors import EugenieError, ExitCode

MINUTE_MS = 60_000
DAY_MS = 86_400_000
HISTORY_DAYS = 3.0
WARM_UP_MS = 30 * MINUTE_MS  # the model's window of 20 minutes fills, and ten healthy minutes follow
SPACING_MS = 25 * MINUTE_MS
DURATION_MS = 45 * MINUTE_MS
RECOVERY_MS = 25 * MINUTE_MS  # after the last repair, so that its anomaly closes in sight
LIVE_MS = WARM_UP_MS + 5 * SPACING_MS + DURATION_MS + RECOVERY_MS
SPEED = 180.0  # the live part in 75 seconds
LIVE_HOUR = 6  # UTC


def last_morning(now_ms: int | None = None) -> int:
    """When the last live part that began at LIVE_HOUR and has passed ended, ms since 1970 UTC.

    Production and weather follow the hour. A demo that begins at the same hour finds the same faults whenever it runs.
    """
    now = int(time.time() * 1_000) if now_ms is None else now_ms
    offset = LIVE_HOUR * 60 * MINUTE_MS + LIVE_MS
    return (now - offset) // DAY_MS * DAY_MS + offset


def new_plant(seed: int, days: float, now_ms: int | None = None) -> Plant:
    """A plant with `days` of history, whose live part of LIVE_MS fits between the history's end and now.

    Raises EugenieError for an empty history.
    """
    if days <= 0:
        raise EugenieError(f"a history of {days:g} days is empty", "use --days 3", ExitCode.USAGE)
    now = int(time.time() * 1_000) if now_ms is None else now_ms
    end = (now - LIVE_MS) // MINUTE_MS * MINUTE_MS
    return Plant(seed, end - int(days * DAY_MS) // MINUTE_MS * MINUTE_MS, end)


def live_faults(plant: Plant, kinds: tuple[str, ...]) -> tuple[Fault, ...]:
    """The faults of the live part: one of each kind in turn."""
    return schedule(
        plant.seed,
        plant.end,
        warm_up_ms=WARM_UP_MS,
        spacing_ms=SPACING_MS,
        duration_ms=DURATION_MS,
        kinds=kinds,
    )
