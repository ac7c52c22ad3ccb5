"""VUS-PR, held to the figures of the packages that the leaderboards use.

The stored figures were computed with `RangeAUC_volume_opt` of the packages vus 0.0.6 (class `metricor`) and TSB-AD 1.5
(class `basic_metricor`), which agree, for `score(case)` and `labels(case)` below:
`basic_metricor().RangeAUC_volume_opt(labels.astype(int), score, buffer, 250)[5]`.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.detection.metrics import vus_pr
from eugenie_cli.detection.metrics.vus import Surface


class Case(NamedTuple):
    rows: int
    events: tuple[tuple[int, int], ...]
    """[first, last) of each."""
    buffer: int
    lift: float
    """What the score gains in an event, over noise of 0 to 1."""
    late: int = 0
    """Rows by which the score follows the labels."""
    levels: int = 0
    """Levels that the score is rounded to; 0: not rounded."""


def labels(case: Case) -> np.ndarray:
    label = np.zeros(case.rows, bool)
    for first, last in case.events:
        label[first:last] = True
    return label


def score(case: Case) -> np.ndarray:
    noise = (np.arange(case.rows) * 0.6180339887498949) % 1.0 * (np.arange(case.rows) * 0.0137 % 1.0)
    values = np.roll(labels(case), case.late) * case.lift + noise
    return np.round(values * case.levels) if case.levels else values


ONE, TWO = ((400, 460),), ((100, 130), (700, 790))
CASES = {
    "perfect": (Case(1000, ONE, 100, 2.0), 0.999180327869),
    "three levels": (Case(1000, TWO, 100, 1.0, levels=1), 0.615810672494),
    "good": (Case(1000, ONE, 100, 0.6), 0.670276522993),
    "late": (Case(1000, TWO, 100, 2.0, late=12), 0.895726563414),
    "too late": (Case(1000, TWO, 100, 2.0, late=160), 0.156691763803),
    "without buffers": (Case(1000, TWO, 0, 0.4), 0.562330032201),
    "a buffer of one row": (Case(1000, TWO, 1, 0.4), 0.562330032201),
    "chance": (Case(1000, TWO, 100, 0.0), 0.220124898343),
    "two levels of chance": (Case(1000, TWO, 100, 0.0, levels=1), 0.208537475341),
    "few levels": (Case(1000, TWO, 100, 0.5, levels=5), 0.683030652571),
    "buffers that touch": (Case(1000, ((300, 310), (330, 340), (350, 351), (600, 640)), 100, 0.5), 0.594074205331),
    "buffers that overlap thrice": (
        Case(500, ((100, 102), (106, 108), (111, 113), (300, 302)), 40, 0.5),
        0.167495272092,
    ),
    "an event at each end": (Case(1000, ((0, 30), (960, 1000)), 100, 0.5, late=5), 0.401030784060),
    "single rows": (Case(1000, ((200, 201), (500, 501), (999, 1000)), 60, 0.8), 0.382664304250),
    "fewer rows than thresholds": (Case(120, ((40, 52),), 20, 0.5), 0.881487093812),
    "many rows": (
        Case(30_000, ((2_000, 2_300), (20_000, 20_040), (25_000, 26_000)), 100, 0.7, late=20),
        0.736590683822,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_volume_is_that_of_the_packages(name):
    case, expected = CASES[name]
    assert vus_pr([(score(case), labels(case))], case.buffer) == pytest.approx(expected, abs=1e-9)


def test_a_perfect_detector_gets_one_and_a_constant_score_the_share_of_faulty_rows():
    label = labels(Case(5000, TWO, 100, 0.0))
    assert vus_pr([(label * 2.0, label)]) == 1.0
    assert vus_pr([(label + np.random.default_rng(0).random(5000) * 0.9, label)]) > 0.99
    assert vus_pr([(np.ones(5000), label)], 0) == pytest.approx(label.mean())


def test_a_slightly_late_detection_is_forgiven_by_the_buffer_and_a_far_one_is_not():
    label = np.zeros(200, bool)
    label[60:80] = True
    late, far = np.roll(label, 4) * 1.0, np.roll(label, 100) * 1.0
    assert vus_pr([(late, label)], 20) > vus_pr([(late, label)], 0) + 0.1
    assert vus_pr([(late, label)], 20) > vus_pr([(far, label)], 20) + 0.2


def test_each_asset_counts_once_and_one_without_faults_not_at_all():
    good, bad = ((score(case), labels(case)) for case in (Case(1000, ONE, 100, 2.0), Case(5000, TWO, 100, 0.0)))
    mean = (vus_pr([good]) + vus_pr([bad])) / 2
    assert vus_pr([good, bad]) == pytest.approx(mean)
    assert vus_pr([good, (np.ones(50), np.zeros(50, bool)), bad]) == pytest.approx(mean)
    assert vus_pr([(np.ones(50), np.zeros(50, bool))]) is None
    assert vus_pr([]) is None


def test_rows_without_a_score_are_never_found():
    label = np.zeros(100, bool)
    label[40:60] = True
    half = np.where(np.arange(100) < 50, label * 1.0, np.nan)
    assert vus_pr([(half, label)], 0) == pytest.approx(0.5 + 0.0)  # ten of twenty, at precision 1
    assert vus_pr([(np.full(100, np.nan), label)]) == 0.0


def test_an_infinite_score_ranks_first():
    label = np.zeros(100, bool)
    label[40:60] = True
    assert vus_pr([(np.where(label, np.inf, 0.0), label)]) == 1.0


def test_rows_that_are_all_labelled_are_found_by_any_score():
    assert vus_pr([(np.arange(50.0), np.ones(50, bool))]) == pytest.approx(1.0)


def test_weighted_rows_count_as_repeated_ones():
    label = np.zeros(300, bool)
    label[100:140] = label[220:260] = True
    values = (np.random.default_rng(3).normal(size=300) + label).astype(np.float32)
    values[5:9] = np.nan
    surface = Surface(values, label, range(21))
    once = surface.volume()
    around_the_first = ((np.arange(300) >= 80) & (np.arange(300) < 160)).astype(float)
    weights = np.stack([np.full(300, 3.0), around_the_first, np.arange(300) // 290])
    thrice, first, none = surface.volumes(weights)
    assert thrice == pytest.approx(once)
    # the thresholds are ranks of all rows, here each row's score, so they serve a part of the rows as well
    assert first == pytest.approx(vus_pr([(values[80:160], label[80:160])], 20), abs=1e-3)
    assert np.isnan(none)  # no labelled row is left


@pytest.mark.slow
@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=1, max_size=40), st.integers(0, 10))
def test_volumes_are_fractions_and_only_ranks_count(rows, buffer):
    values, label = np.array([float(row[0]) for row in rows]), np.array([row[1] for row in rows])
    if not label.any():
        return
    volume = vus_pr([(values, label)], buffer)
    assert 0.0 <= volume <= 1.0 + 1e-9
    assert vus_pr([(values * 8 + 1024, label)], buffer) == pytest.approx(volume)


def test_a_hundred_thousand_rows_take_well_under_a_second():
    label = np.zeros(100_000, bool)
    label[::1_000] = label[5_000:9_000] = True
    values = np.random.default_rng(0).random(100_000) + label * 0.5
    began = time.process_time()
    vus_pr([(values, label)])
    assert time.process_time() - began < 5.0  # 0.2 s on a quiet core; the packages need more than a minute
