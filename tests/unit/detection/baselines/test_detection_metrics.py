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
    vus_pr,
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


def test_one_that_was_already_on_detects_at_once_and_is_a_false_alarm_too():
    metrics = event_metrics(EVENTS[:1], [Raised("a", 0, 1_000, 90_000)])
    assert (metrics.detected, metrics.false_alarms, metrics.delay_median) == (1, 1, 0.0)


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
    assert vus_pr(series(LABEL * 2.0), 0) == pytest.approx(1.0)


def test_a_constant_score_has_the_share_of_labelled_rows():
    assert average_precision(series(np.ones(20))) == pytest.approx(0.2)
    assert vus_pr(series(np.ones(20)), 0) == pytest.approx(0.2)


def test_average_precision_by_hand():
    # ranked labels: 1 0 1 1 -> precisions at the hits 1, 2/3, 3/4
    label = bools("#.##")
    assert average_precision(series([4, 3, 2, 1], label)) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_a_slightly_late_detection_is_forgiven_by_the_buffer_and_a_far_one_is_not():
    late, far = np.roll(LABEL, 2) * 1.0, np.roll(LABEL, 10) * 1.0
    assert vus_pr(series(late), 8) > vus_pr(series(late), 0) + 0.1
    assert vus_pr(series(late), 8) > vus_pr(series(far), 8) + 0.2


def test_the_volume_by_hand_for_one_event_and_one_buffer():
    # buffer 2: one row on each side with sqrt(1 - 1/2); the score flags exactly the labelled row
    label = bools("...#...")
    side = math.sqrt(0.5)
    positives = (1 + 1 + 2 * side) / 2
    found_all = 1 + 2 * side
    flagged = 1 / positives  # recall where only the labelled row is flagged, at precision 1
    everything = (1.0 - flagged) * found_all / 7
    area = flagged + everything
    # lengths 0, 1, 2: a buffer of 1 has no whole row on either side
    assert vus_pr(series(label * 1.0, label), 2) == pytest.approx((1 + 1 + area) / 3)


def test_missing_one_of_two_events_costs_existence():
    label = bools("..##......##..")
    first = bools("..##..........") * 1.0 - bools("..........##..") * 1.0
    assert vus_pr(series(first, label), 0) < average_precision(series(first, label))


def test_rows_without_a_score_are_never_found():
    score = np.where(LABEL, NAN, 0.0)
    score[6] = 1.0
    assert average_precision(series(score)) == pytest.approx(1 / 4)
    assert average_precision(series(np.full(20, NAN))) == 0.0


def test_without_labels_there_is_nothing_to_rank():
    assert vus_pr(series(np.ones(20), np.zeros(20, bool)), 5) is None


def test_buffers_do_not_reach_into_another_asset():
    separate = [(np.zeros(10), bools(".........#")), (np.ones(10), np.zeros(10, bool))]
    score = np.concatenate([np.zeros(10), np.ones(10)])
    joined = [(score, np.concatenate([series_[1] for series_ in separate]))]
    assert vus_pr(separate, 8) < vus_pr(joined, 8)


@pytest.mark.slow
@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=1, max_size=40), st.integers(0, 10))
def test_areas_are_fractions_and_only_ranks_count(rows, buffer):
    score, label = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if not label.any():
        return
    area = vus_pr(series(score, label), buffer)
    assert 0.0 <= area <= 1.0 + 1e-9
    assert vus_pr(series(score * 8 + 1024, label), buffer) == pytest.approx(area)
