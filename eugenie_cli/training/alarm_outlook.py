"""What a detector's alarms will be like, in sentences: the rates to expect, whether the budget is kept, what to do."""

from __future__ import annotations

from collections.abc import Iterator

from eugenie_cli.detection.alarm_forecast import Rates
from eugenie_cli.detection.alarm_policy import DAY_MS, AlarmDecision
from eugenie_cli.detection.detector import Calibration
from eugenie_cli.detection.rate_interval import Interval

# A forecast whose upper end is this many times the promised rate is worth a warning.
FAR_ABOVE = 4.0
# Where the budget is a share of rows, a forecast above this many times it is.
FAR_ABOVE_SHARE = 2.0
_PERIODS = ((1.0, "day"), (7.0, "week"), (90.0, "90 days"))
"""Days, and what a rate per that many days is called; the first in which a rate comes to at least a half is used."""


def sentences(calibration: Calibration) -> Iterator[str]:
    """Nothing for versions that were trained before they had a forecast."""
    decision, expected = calibration.alarm, calibration.forecast
    if decision is None or expected is None:
        return
    yield (
        f"an alarm is raised after {decision.delays.on} rows above 1 and clears after {decision.delays.off} others; "
        f"expect {_rates(expected.all)} with nothing wrong"
    )
    if decision.days_needed:
        yield _too_short(decision)
    if _is_far_above(expected.all, calibration):
        worst = max(expected.assets, key=lambda asset: expected.assets[asset].rows.high)
        named = f"{worst} most: {_rates(expected.assets[worst])}; " if len(expected.assets) > 1 else ""
        yield (
            f"that may be more than the budget, because later normal rows differ from earlier ones ({named}"
            "rehearsed on the history). Import normal rows of all seasons and ways of operation, exclude what was not "
            "normal, give sensors that wander `role: context`, and train again when operation has changed"
        )


def _too_short(decision: AlarmDecision) -> str:
    assert decision.promised_per_day is not None and decision.per_day is not None  # noqa: S101 - there are days needed
    return (
        f"the history is too short to promise {_every(decision.per_day)}: that takes {_days(decision.days_needed)} of "
        f"calibration rows, of all assets together; with {_days(decision.days)}, thresholds are set for "
        f"{_every(decision.promised_per_day)} and asset. More normal history makes alarms rarer"
    )


def _is_far_above(rates: Rates, calibration: Calibration) -> bool:
    decision = calibration.alarm
    if decision is None or decision.promised_per_day is None:
        return rates.rows.high > FAR_ABOVE_SHARE * calibration.budget
    # few rows leave a wide interval in any case
    return rates.alarms.high > FAR_ABOVE * max(decision.promised_per_day, 1.0 / decision.days)


def _rates(rates: Rates) -> str:
    return f"{_share(rates.rows)} of rows above 1 and {_alarms(rates.alarms)} per asset"


def _share(share: Interval) -> str:
    return f"{share.low:.2%} to {share.high:.2%}" if share.high < 0.01 else f"{share.low:.1%} to {share.high:.1%}"


def _alarms(per_day: Interval) -> str:
    days, period = next((entry for entry in _PERIODS if per_day.high * entry[0] >= 0.5), _PERIODS[-1])
    return f"{per_day.low * days:.1f} to {per_day.high * days:.1f} alarms a {period}".replace("a 90", "in 90")


def _every(per_day: float) -> str:
    return f"1 alarm per {_days(1.0 / per_day)}"


def _days(days: float) -> str:
    if days >= 2:
        return f"{days:,.0f} days"
    hours = days * DAY_MS / 3_600_000
    return f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
