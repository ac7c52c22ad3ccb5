"""Thresholds that keep an alarm budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from eugenie_cli.detection.alarm_budget import MARGINS, CalibrationSeries, thresholds
from eugenie_cli.detection.alarm_policy import DAY_MS, DELAYS, AlarmBudget, AlarmPolicy
from eugenie_cli.detection.episode_counts import after_silence, count
from eugenie_cli.episodes.delays import Delays


def each(*statistics: Sequence[float] | np.ndarray) -> list[CalibrationSeries]:
    """A series for each asset, of consecutive rows."""
    return [
        CalibrationSeries(f"asset-{number}", np.asarray(statistic, float), np.arange(len(statistic)))
        for number, statistic in enumerate(statistics)
    ]


def test_the_margin_is_the_smallest_that_stays_within_the_budget() -> None:
    random = np.random.default_rng(1)
    statistic = [np.abs(random.normal(size=2000)) * scale for scale in (1.0, 5.0)]
    threshold, calibration = thresholds(each(*statistic), AlarmPolicy(0.01))
    assert calibration.margin == 1.0
    assert calibration.rehearsal <= 0.01
    assert threshold[1] / threshold[0] == pytest.approx(5, rel=0.3)
    assert not any(asset.pooled for asset in calibration.assets)


def test_a_block_that_keeps_rising_asks_for_a_margin() -> None:
    rising = np.concatenate(
        [np.random.default_rng(2).uniform(0.9, 1.0, 400) * level for level in (1, 1.2, 1.4, 1.6, 2.4)]
    )
    _, calibration = thresholds(each(rising), AlarmPolicy(0.01))
    assert 1.0 < calibration.margin < MARGINS[-1]
    assert calibration.rehearsal <= 0.01
    _, strict = thresholds(each(rising), AlarmPolicy(0.3))
    assert strict.margin < calibration.margin


@pytest.mark.parametrize("rows", [[0.0] * 4000, [0.0] * 3999 + [70.0], [70.0] + [0.0] * 3999, [0.0] * 20])
def test_a_statistic_that_is_0_on_normal_rows_leaves_a_score_that_is_a_number(rows: list[float]) -> None:
    with np.errstate(all="raise"):
        threshold, calibration = thresholds(each(rows), AlarmPolicy(0.01))
        assert np.isfinite(np.float32(1e3) / threshold).all()
    assert calibration.margin == 1.0
    assert calibration.assets[0].exceeding == pytest.approx(np.mean(np.array(rows) > 0))


def test_an_asset_with_few_rows_takes_the_threshold_of_its_class_and_says_so() -> None:
    random = np.random.default_rng(3)
    threshold, calibration = thresholds(each(random.random(3000), random.random(5)), AlarmPolicy(0.01))
    assert [asset.pooled for asset in calibration.assets] == [False, True]
    assert threshold[1] == pytest.approx(threshold[0], rel=0.01)
    assert calibration.assets[1].rows == 5


STEP_MS = 60_000
PER_30_DAYS = AlarmBudget(1, 30 * DAY_MS)


def normal_operation(seed: int, rows: int) -> np.ndarray:
    """The distance of smoothed noise from its mean, as detectors measure it: rows depend on each other."""
    noise = np.random.default_rng(seed).normal(size=(rows + 200, 4))
    smooth = np.apply_along_axis(lambda column: np.convolve(column, 0.9 ** np.arange(100), "valid"), 0, noise)[-rows:]
    return np.asarray(np.linalg.norm(smooth, axis=1))


def policy(budget: AlarmBudget | float = PER_30_DAYS, **given: int) -> AlarmPolicy:
    return AlarmPolicy(budget, step_ms=STEP_MS, silence_ms=15 * STEP_MS, **given)


def test_a_budget_of_alarms_is_kept_on_later_rows() -> None:
    raised, days = 0, 0.0
    for seed in range(6):
        calibration, later = np.split(normal_operation(seed, 150_000), [20_000])
        threshold, found = thresholds(each(calibration), policy(on_delay=3))
        assert found.alarm is not None
        silences = after_silence(np.arange(len(later)), 15)
        raised += count(later, silences, float(threshold[0]), found.alarm.delays)
        days += len(later) * STEP_MS / DAY_MS
        assert found.margin > 1
    assert days > 500
    # 1 per 30 days, but for what 14 days of rows can promise
    assert raised <= days / 15


def test_the_share_of_rows_follows_from_the_alarms_and_is_shown() -> None:
    _, found = thresholds(each(normal_operation(1, 20_000)), policy())
    assert found.budget == found.rehearsal < 0.001


def test_a_history_too_short_for_the_budget_promises_what_it_can() -> None:
    day = DAY_MS // STEP_MS
    _, short = thresholds(each(normal_operation(1, day)), policy())
    _, long = thresholds(each(*(normal_operation(seed, 10 * day) for seed in range(3))), policy())
    assert short.alarm is not None and long.alarm is not None
    assert short.alarm.promised_per_day is not None and short.alarm.promised_per_day > PER_30_DAYS.per_day
    assert short.alarm.days == pytest.approx(1)
    assert 7 <= short.alarm.days_needed <= 30
    # the rows of three assets count together
    assert long.alarm.days == pytest.approx(30)
    assert long.alarm.promised_per_day == pytest.approx(PER_30_DAYS.per_day)
    assert long.alarm.days_needed == 0


def test_a_rarer_budget_has_higher_thresholds() -> None:
    series = each(*(normal_operation(seed, 20_000) for seed in range(4)))
    often, rarely = (thresholds(series, policy(AlarmBudget(1, days * DAY_MS), on_delay=3)) for days in (2, 30))
    assert (rarely[0] > often[0]).all()


def test_delays_in_the_site_file_stay() -> None:
    _, found = thresholds(each(normal_operation(1, 20_000)), policy(on_delay=7, off_delay=9))
    assert found.delays == Delays(7, 9)


def test_chosen_delays_are_of_the_grid_and_short_where_longer_ones_gain_little() -> None:
    _, found = thresholds(each(normal_operation(1, 20_000)), policy())
    assert found.delays in DELAYS
    # excursions that last for ever: a longer delay gains nothing
    steps = np.repeat(np.abs(np.random.default_rng(1).normal(size=400)), 50)
    assert thresholds(each(steps), policy())[1].delays == DELAYS[0]


def test_a_longer_delay_is_chosen_where_single_rows_stand_out() -> None:
    values = normal_operation(1, 20_000)
    values[100::500] *= 4
    values[101::500] *= 4
    values[102::500] *= 4
    assert thresholds(each(values), policy())[1].delays.on > 3


@pytest.mark.parametrize("budget", [PER_30_DAYS, 0.01])
def test_the_forecast_covers_what_comes(budget: AlarmBudget | float) -> None:
    covered = 0
    for seed in range(10):
        calibration, later = np.split(normal_operation(seed, 200_000), [40_000])
        threshold, found = thresholds(each(calibration), policy(budget))
        assert found.forecast is not None
        share = np.mean(later > threshold[0])
        low, high = found.forecast.all.rows
        covered += low <= share <= high
        assert found.forecast.assets == {"asset-0": found.forecast.all}
    assert covered >= 7


def test_rows_that_are_not_consecutive_make_no_alarm_together() -> None:
    values = np.concatenate([normal_operation(1, 5_000), np.full(4, 1e3)])
    together = [CalibrationSeries("a", values, np.arange(len(values)))]
    apart = [CalibrationSeries("a", values, np.arange(len(values)) * 100)]
    given = policy(on_delay=3, off_delay=5)
    assert thresholds(together, given)[0][0] > thresholds(apart, given)[0][0]


@pytest.mark.parametrize("rows", [[0.0] * 4000, [0.0] * 3999 + [70.0], [0.0] * 20, [1.0] * 100])
def test_a_constant_statistic_has_a_threshold_under_a_budget_of_alarms(rows: list[float]) -> None:
    with np.errstate(all="raise"):
        threshold, found = thresholds(each(rows), policy())
    assert np.isfinite(threshold).all() and (threshold > 0).all()
    assert found.forecast is not None and found.forecast.all.rows.high <= 1
