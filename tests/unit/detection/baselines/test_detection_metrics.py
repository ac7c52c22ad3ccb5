"""Metrics on cases small enough to compute by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.detection.metrics import (
    Interval,
    Raised,
    average_precision,
    event_metrics,
    point_metrics,
    rank_sensors,
    root_cause_metrics,
)

NAN = math.nan


def bools(text: str) -> np.ndarray:
    return np.array([mark == "#" for mark in text])


# -- rows ------------------------------------------------------------------------------------------------


def test_rows_are_counted_one_by_one_without_point_adjustment():
    metrics = point_metrics(bools("#..#....#."), bools("####......"))
    assert metrics.precision == pytest.approx(2 / 3)
    assert metrics.recall == pytest.approx(0.5)
    assert metrics.f1 == pytest.approx(2 * 2 / (4 + 1 + 2))
    assert metrics.far == pytest.approx(1 / 6)
    assert metrics.mar == pytest.approx(0.5)


def test_what_cannot_be_known_is_none():
    metrics = point_metrics(bools("...."), bools("...."))
    assert (metrics.f1, metrics.mar, metrics.precision, metrics.recall) == (None,) * 4
    assert metrics.far == 0.0


# -- events ----------------------------------------------------------------------------------------------

EVENTS = [Interval("a", 10_000, 20_000), Interval("a", 50_000, 60_000), Interval("b", 10_000, 20_000)]


def test_an_anomaly_of_its_asset_detects_an_event_with_the_delay_until_it_was_raised():
    raised = [Raised("a", 11_000, 14_000, 25_000), Raised("a", 12_000, 58_000, 70_000)]
    metrics = event_metrics(EVENTS, raised)
    assert (metrics.total, metrics.detected, metrics.false_alarms) == (3, 2, 0)
    assert metrics.delay_median == pytest.approx((4 + 8) / 2)
    assert metrics.delay_p90 == pytest.approx(4 + 0.9 * 4)


def test_an_anomaly_that_touches_no_event_is_a_false_alarm():
    raised = [Raised("a", 30_000, 33_000, 40_000), Raised("b", 50_000, 53_000, 55_000)]
    metrics = event_metrics(EVENTS, raised)
    assert (metrics.detected, metrics.false_alarms, metrics.delay_median) == (0, 2, None)


def test_one_that_has_stood_since_before_detects_nothing_and_is_a_false_alarm():
    metrics = event_metrics(EVENTS[:1], [Raised("a", 0, 1_000, 90_000)])
    assert (metrics.detected, metrics.false_alarms, metrics.delay_median) == (0, 1, None)


@pytest.mark.parametrize(
    ("detected", "end", "found"), [(6_000, 12_000, 1), (5_000, 12_000, 1), (4_999, 12_000, 0), (6_000, 10_000, 0)]
)
def test_one_raised_at_most_the_tolerance_before_detects_if_it_is_still_on(detected, end, found):
    event = EVENTS[0]._replace(early=5_000)
    metrics = event_metrics([event], [Raised("a", detected - 1_000, detected, end)])
    assert (metrics.detected, metrics.false_alarms) == (found, 1 - found)
    assert metrics.delay_median == (0.0 if found else None)


def test_a_standing_alarm_does_not_hide_one_that_is_raised_inside():
    raised = [Raised("a", 0, 1_000, 9_000), Raised("a", 11_000, 14_000, 90_000)]
    metrics = event_metrics(EVENTS[:2], raised)
    assert (metrics.detected, metrics.delay_median) == (1, 4.0)  # the second event begins under the same alarm


def test_one_that_began_in_the_event_but_was_raised_after_it_is_late_not_false():
    metrics = event_metrics(EVENTS[:1], [Raised("a", 19_000, 23_000, 30_000)])
    assert (metrics.detected, metrics.false_alarms) == (0, 0)


# -- sensors ---------------------------------------------------------------------------------------------


def test_sensors_are_ranked_over_the_anomalous_rows():
    contribution = np.array([[0.9, 0.1, 0.0], [0.1, 0.7, 0.2], [0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
    assert rank_sensors(np.array([0.5, 2.0, 1.5, NAN]), contribution) == [1, 2, 0]
    assert rank_sensors(np.array([0.5, 0.4, NAN, NAN]), contribution) == [0, 1, 2]
    assert rank_sensors(np.full(4, NAN), contribution) == []


def test_a_strong_row_blames_more_than_two_weak_ones():
    contribution = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])
    assert rank_sensors(np.array([1.1, 1.1, 4.0]), contribution) == [1, 0]
    assert rank_sensors(np.array([1.1, 1.1, 1.1]), contribution) == [0, 1]


def test_hits_and_hit_rates():
    metrics = root_cause_metrics([
        ([3, 1, 2, 0], frozenset({3})),
        ([0, 1, 2, 3], frozenset({1, 2})),
        ([0, 1, 2, 3], frozenset()),
    ])  # fmt: skip
    assert metrics.events == 2
    assert (metrics.hit_at_1, metrics.hit_at_3) == (0.5, 1.0)
    assert metrics.hitrate_at_100 == pytest.approx((1 + 1 / 2) / 2)
    assert metrics.hitrate_at_150 == pytest.approx((1 + 2 / 2) / 2)


def test_events_without_known_sensors_say_nothing_and_an_unscored_event_misses():
    assert root_cause_metrics([([0], frozenset())]).hit_at_1 is None
    assert root_cause_metrics([([], frozenset({0}))]).hit_at_1 == 0.0


# -- rankings --------------------------------------------------------------------------------------------

LABEL = bools("......####..........")


def series(score, label=LABEL):
    return [(np.asarray(score, dtype=float), label)]


def test_a_score_that_separates_has_average_precision_one():
    assert average_precision(series(LABEL * 2.0)) == pytest.approx(1.0)


def test_a_constant_score_has_the_share_of_labelled_rows():
    assert average_precision(series(np.ones(20))) == pytest.approx(0.2)


def test_average_precision_by_hand():
    # ranked labels: 1 0 1 1 -> precisions at the hits 1, 2/3, 3/4
    label = bools("#.##")
    assert average_precision(series([4, 3, 2, 1], label)) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_rows_without_a_score_are_never_found():
    score = np.where(LABEL, NAN, 0.0)
    score[6] = 1.0
    assert average_precision(series(score)) == pytest.approx(1 / 4)
    assert average_precision(series(np.full(20, NAN))) == 0.0


def test_an_infinite_score_ranks_first_and_ties_are_one_point():
    score = np.where(LABEL, np.inf, 0.0)
    assert average_precision(series(score)) == 1.0
    assert average_precision(series([2, 2, 1, 1], bools("#.#."))) == pytest.approx(0.5)


def test_without_labels_there_is_nothing_to_rank():
    assert average_precision(series(np.ones(20), np.zeros(20, bool))) is None
    assert average_precision([]) is None


@pytest.mark.slow
@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=1, max_size=40))
def test_areas_are_fractions_and_only_ranks_count(rows):
    score, label = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if not label.any():
        return
    area = average_precision(series(score, label))
    assert 0.0 <= area <= 1.0 + 1e-9
    assert average_precision(series(score * 8 + 1024, label)) == pytest.approx(area)
