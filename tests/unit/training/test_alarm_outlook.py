"""What `train` and `evaluate` say about the alarms to expect."""

from __future__ import annotations

from dataclasses import replace

from eugenie_cli.detection.alarm_forecast import AlarmForecast, Rates
from eugenie_cli.detection.alarm_policy import AlarmDecision
from eugenie_cli.detection.detector import Calibration
from eugenie_cli.detection.rate_interval import Interval
from eugenie_cli.episodes.delays import Delays
from eugenie_cli.training.alarm_outlook import sentences

QUIET = Rates(Interval(0.0001, 0.002), Interval(0.0, 0.02))
BUSY = Rates(Interval(0.03, 0.09), Interval(0.1, 0.9))
DECISION = AlarmDecision(Delays(5, 10), per_day=1 / 90, promised_per_day=1 / 90, days=120.0)


def said(decision: AlarmDecision | None = DECISION, expected: Rates = QUIET) -> list[str]:
    forecast = AlarmForecast(expected, {"pump-1": QUIET, "pump-2": expected})
    return list(sentences(Calibration(0.001, 1.5, 0.001, (), decision, forecast)))


def test_the_rates_and_delays_are_said() -> None:
    assert said() == [
        "an alarm is raised after 5 rows above 1 and clears after 10 others; expect 0.01% to 0.20% of rows above 1 "
        "and 0.0 to 1.8 alarms in 90 days per asset with nothing wrong"
    ]


def test_a_history_that_is_too_short_is_said_with_the_days_that_are_needed() -> None:
    _, short = said(replace(DECISION, promised_per_day=1 / 12, days=6.0))
    assert "the history is too short to promise 1 alarm per 90 days: that takes 45 days of calibration rows" in short
    assert "with 6 days, thresholds are set for 1 alarm per 12 days and asset" in short


def test_a_forecast_beyond_the_budget_says_what_to_do_and_names_the_worst_asset() -> None:
    rates, advice = said(expected=BUSY)
    assert "expect 3.0% to 9.0% of rows above 1 and 0.1 to 0.9 alarms a day per asset" in rates
    assert "pump-2 most" in advice and "role: context" in advice


def test_a_version_without_a_forecast_says_nothing() -> None:
    assert said(decision=None) == []
