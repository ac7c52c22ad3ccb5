"""Whether to run a few waiting windows at once, or to wait for more.

A run of one window costs about as much as a run of ten, and no request is accepted while a core runs it. With many
callers of one window each, runs that start at once stay small: two or three windows, while sixty are on their way.
So if requests kept arriving during earlier runs, the next run waits until as many windows are waiting as were seen
last, but at most for a few times the duration of the last run. A single caller never waits, nor does a burst that fits
into one run.
"""

from __future__ import annotations

WORTH_A_RUN = 32
"""Windows that are run without delay, even while another run is in progress. In the exported graph a window costs half
as much in runs of 32 as in runs of 8, and a tenth more than in runs of 64."""

PATIENCE = 6.0
"""Longest delay of a run, in durations of the last run. With 64 callers of one window each, runs then have nearly 30
windows; without a delay they have 3 to 12, and a request costs a fifth more CPU."""

CROWDED = 2
"""Recent runs that ended with requests waiting, before a run is delayed: one such run is a burst, not a crowd."""


class BatchDelay:
    """Decides from completed runs how long to delay the next one. Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._crowd = 0
        self._expected = 0
        self._until = 0.0

    def ran(self, windows: int, waiting: int, took: float, now: float) -> None:
        """Record a run of `windows` windows that ended while `waiting` others waited, with no other run in progress."""
        self._crowd = min(self._crowd + 1, CROWDED + 1) if waiting else max(self._crowd - 1, 0)
        crowded = self._crowd >= CROWDED
        self._expected = min(windows + waiting, WORTH_A_RUN) if crowded else 0
        self._until = now + PATIENCE * took if crowded else now

    def wait_s(self, waiting: int, now: float) -> float:
        """Seconds to delay a run of the waiting windows; 0: run now."""
        return 0.0 if waiting >= self._expected else max(0.0, self._until - now)
