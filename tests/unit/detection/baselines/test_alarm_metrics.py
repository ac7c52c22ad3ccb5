"""Alarms as an operator sees them, and the time around faults; every figure is counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.detection.metrics import (
    Interval,
    Raised,
    alarm_load,
    first_alarm,
    is_false,
    mean_contribution,
    phase_counts,
    phase_of,
    phase_rates,
)
from eugenie_cli.detection.metrics.alarm_load import union

MINUTE = 60_000
HOUR = 60 * MINUTE


def raised(minute: float, lasts: float = 0.5, asset: str = "p-1") -> Raised:
    at = round(minute * MINUTE)
    return Raised(asset, at - 5_000, at, at + round(lasts * MINUTE))


def test_the_average_is_by_hours_watched_and_not_by_assets():
    alarms = [raised(5), raised(25, asset="p-2"), raised(70)]
    load = alarm_load(alarms, [(0, HOUR), (0, HOUR), (HOUR // 2, 2 * HOUR)])
    assert (load.alarms, load.hours, load.per_hour) == (3, 2.0, 1.5)
    assert (load.worst_asset, load.worst_asset_share) == ("p-1", pytest.approx(2 / 3))


def test_the_peak_is_of_ten_minutes_by_the_clock():
    alarms = [raised(minute) for minute in (8, 9, 9.5, 10, 10.5, 31)]
    assert alarm_load(alarms, [(0, HOUR)]).peak_10_min == 3


def test_a_flood_begins_above_ten_and_lasts_until_fewer_than_five():
    by_interval = [10, 11, 5, 4, 6, 0]
    alarms = [raised(10 * place + 0.1 * number) for place, count in enumerate(by_interval) for number in range(count)]
    load = alarm_load(alarms, [(0, HOUR)])
    assert (load.floods, load.flood_fraction) == (1, pytest.approx(2 / 6))


def test_unobserved_time_ends_a_flood():
    alarms = [raised(0.1 * number) for number in range(11)] + [raised(30 + 0.1 * number) for number in range(6)]
    load = alarm_load(alarms, [(0, 10 * MINUTE), (30 * MINUTE, 40 * MINUTE)])
    assert (load.floods, load.flood_fraction) == (1, pytest.approx(1 / 2))


def test_chattering_is_the_same_assets_alarm_back_within_a_minute_of_going():
    alarms = [raised(1, 1), raised(3, 1), raised(5.5, 1, "p-1"), raised(4.2, 1, "p-2")]
    load = alarm_load(alarms, [(0, HOUR)])
    assert load.chattering == 1
    assert load.fleeting == 0
    assert alarm_load([raised(1, 0.9), raised(9, 1)], [(0, HOUR)]).fleeting == 1


def test_stale_and_standing_alarms():
    day = 24 * 60
    load = alarm_load([raised(0, day), raised(60, day + 1, "p-2"), raised(90, 30, "p-3")], [(0, 50 * HOUR)])
    assert load.stale == 1
    assert load.standing_peak == 3
    assert load.standing_mean == pytest.approx((24 + 24 + 1 / 60 + 0.5) / 50)


def test_without_time_watched_no_rate_is_known():
    load = alarm_load([], [])
    assert (load.per_hour, load.flood_fraction, load.standing_mean, load.worst_asset) == (None, None, None, None)
    assert (load.alarms, load.peak_10_min, load.standing_peak) == (0, 0, 0)


def test_union_joins_what_overlaps_or_touches_and_drops_what_is_empty():
    assert union([(5, 9), (0, 3), (3, 5), (12, 12), (20, 25), (21, 22)]) == [(0, 9), (20, 25)]


def test_before_and_after_last_as_long_as_the_fault_and_during_wins():
    phase = phase_of(np.arange(14), [(4, 6), (7, 10)])
    #                        0  1  2  3  4  5  6  7  8  9 10 11 12 13
    assert phase.tolist() == [0, 0, 1, 1, 2, 2, 3, 2, 2, 2, 3, 3, 3, 0]


def test_rates_of_phases_add_up_over_assets():
    score = np.array([0.5, 2.0, np.nan, 3.0], np.float32)
    alarm = np.array([False, True, True, False])
    counts = phase_counts(np.array([0, 1, 2, 2], np.int8), score, alarm)
    rates = phase_rates(counts + counts)
    assert (rates["before"].rows, rates["before"].flagged, rates["before"].alarm) == (2, 1.0, 1.0)
    assert (rates["during"].rows, rates["during"].flagged, rates["during"].alarm) == (4, 0.5, 0.5)
    assert (rates["after"].rows, rates["after"].flagged) == (0, None)


def test_an_event_is_found_by_the_first_alarm_that_is_raised_during_it():
    event = Interval("p-1", 10 * MINUTE, 20 * MINUTE)
    early, late, foreign = raised(9.8), raised(12), raised(11, asset="p-2")  # early: on until 10.3
    assert first_alarm(event, [late, early, foreign]) == late
    assert first_alarm(event, [foreign, raised(20)]) is None
    assert is_false(early, [event]) and is_false(foreign, [event]) and not is_false(late, [event])
    tolerant = event._replace(early=MINUTE)
    assert first_alarm(tolerant, [late, early, foreign]) == early
    assert not is_false(early, [tolerant])


def test_blame_is_averaged_over_anomalous_rows_or_over_all_that_are_scored():
    """A row is weighted by its squared score."""
    contribution = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert mean_contribution(np.array([4.0, 2.0, np.nan]), contribution).tolist() == [0.8, 0.2]
    assert mean_contribution(np.array([2.0, 0.5, np.nan]), contribution).tolist() == [1.0, 0.0]
    assert mean_contribution(np.array([0.5, 0.5, np.nan]), contribution).tolist() == [0.5, 0.5]
    assert mean_contribution(np.zeros(3), contribution).tolist() == [0.5, 0.5]
    assert mean_contribution(np.full(3, np.nan), contribution) is None
    for dtype in (np.float32, np.float64):
        infinite = np.array([np.inf, 2.0, np.nan], dtype)
        assert mean_contribution(infinite, contribution) == pytest.approx([1.0, 0.0])
        assert mean_contribution(np.full(3, np.inf, dtype), contribution[[0, 1, 1]]) == pytest.approx([1 / 3, 2 / 3])
