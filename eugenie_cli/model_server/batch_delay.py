"""Whether a few waiting windows should be run at once, or wait for company.

A run of one window costs about as much as one of ten, and while a core runs it no request is taken in. With many
callers of one window each, runs begun at once stay small for ever: two or three windows, while sixty are on their way.
So where requests have kept coming while others ran, the next run waits until as many are there as were seen last, and
no longer than a few times what the last run took. A caller alone never waits, nor does a burst that one run takes.
"""

from __future__ import annotations

WORTH_A_RUN = 32
"""Windows that are run at once, beside a run that is under way too. In the exported graph a window costs half as much
in runs of 32 as in runs of 8, and a tenth more than in runs of 64."""

PATIENCE = 6.0
"""How many times as long as the last run took a run is put off at most. With 64 callers of one window that gathers
nearly 30 of them; where nothing is put off runs have 3 to 12, and a request costs a fifth more CPU."""

CROWDED = 2
"""Runs of late that ended with somebody waiting, before any run is put off: one such run is a burst, no crowd."""


class BatchDelay:
    """Tells from the runs that ended how long the next is worth waiting for. Times in s, of any one clock."""

    def __init__(self) -> None:
        self._crowd = 0
        self._expected = 0
        self._until = 0.0

    def ran(self, windows: int, waiting: int, took: float, now: float) -> None:
        """A run of so many windows has ended, with so many waiting, and no other is under way."""
        self._crowd = min(self._crowd + 1, CROWDED + 1) if waiting else max(self._crowd - 1, 0)
        crowded = self._crowd >= CROWDED
        self._expected = min(windows + waiting, WORTH_A_RUN) if crowded else 0
        self._until = now + PATIENCE * took if crowded else now

    def wait_s(self, waiting: int, now: float) -> float:
        """How much longer a run of what waits is to be put off; 0: not at all."""
        return 0.0 if waiting >= self._expected else max(0.0, self._until - now)
