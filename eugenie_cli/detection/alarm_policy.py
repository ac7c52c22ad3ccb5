"""The alarm as the operator wants it: the budget of false alarms, the delays, and what they became in calibration."""

from __future__ import annotations

from dataclasses import dataclass

from eugenie_cli.episodes.delays import Delays

DAY_MS = 86_400_000
# Share of normal rows that may score above 1 where the budget is of episodes: the most that it may lead to, and what is
# compared with shares.
USUAL_SHARE = 0.01
# On-delays in rows to choose from, and the off-delay that goes with each: a longer on-delay lowers the threshold that
# keeps the budget, but every fault is found later, and short ones not at all.
DELAYS = (Delays(5, 5), Delays(10, 10))
LONGEST_OFF_DELAY = max(delays.off for delays in DELAYS)


@dataclass(frozen=True)
class AlarmBudget:
    """Alarms of one asset with nothing wrong that are acceptable in a time."""

    episodes: float
    period_ms: int

    @property
    def per_day(self) -> float:
        return self.episodes * DAY_MS / self.period_ms


Budget = float | AlarmBudget
"""A share of normal rows above 1, or episodes in a time."""


@dataclass(frozen=True)
class AlarmPolicy:
    """What thresholds are set by. Delays in rows; None: chosen with the threshold."""

    budget: Budget
    on_delay: int | None = None
    off_delay: int | None = None
    step_ms: int = 1_000
    silence_ms: int = 15_000
    """An episode ends after this long without a scored row."""

    @property
    def silence_rows(self) -> float:
        return self.silence_ms / self.step_ms

    def days(self, rows: int) -> float:
        """The time that rows of an asset take, in days."""
        return rows * self.step_ms / DAY_MS


@dataclass(frozen=True)
class AlarmDecision:
    """The alarm that a model version was calibrated for."""

    delays: Delays
    per_day: float | None
    """The budget: alarms of an asset and day with nothing wrong; None: the budget is a share of rows."""
    promised_per_day: float | None
    """The rate that the calibration rows suffice to promise: the budget's, or a higher one; None like `per_day`."""
    days: float
    """Calibration rows of all assets together, in days."""

    @property
    def days_needed(self) -> float:
        """Days of calibration rows, of all assets together, that the budget needs at most; 0 if these suffice."""
        if self.per_day is None or self.promised_per_day is None or self.promised_per_day <= self.per_day * 1.0001:
            return 0.0
        # more rows also have more episodes, which tell more about rare ones
        return min(self.days * self.promised_per_day, 1.0) / self.per_day
