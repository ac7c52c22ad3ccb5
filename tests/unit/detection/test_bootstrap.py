"""The bootstrap on cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.detection.metrics import bootstrap
from eugenie_cli.detection.metrics.bootstrap import Difference, block_starts, block_sums, difference, row_weights

pytestmark = pytest.mark.slow


def flags(random: np.random.Generator, rows: int, stay: float) -> np.ndarray:
    """A Markov chain of 0 and 1 in equal shares that keeps its value with probability `stay`: int64 [T]."""
    return (np.cumsum(random.random(rows) > stay) + random.integers(2)) % 2


def covered(block: int, studies: int = 200, rows: int = 4_000) -> float:
    """How often the 95 % interval of the share of ones covers the truth, one half."""
    hits = 0
    for study in range(studies):
        random = np.random.default_rng(study)
        series = flags(random, rows, stay=0.9)[:, None]
        sums = block_sums(series, block, block_starts(rows, block, 400, random))[:, 0]
        interval = difference(series.mean(), sums / rows)
        hits += interval.low <= 0.5 <= interval.high
    return hits / studies


@pytest.mark.slow
def test_intervals_of_dependent_rows_hold_the_truth_as_often_as_they_say(tell):
    """Neighbours agree in nine of ten cases here. Intervals from rows drawn one by one would be far too narrow."""
    blocks, single = covered(block=50), covered(block=1)
    tell(f"the 95 % interval covers the truth: blocks {blocks:.1%}, single rows {single:.1%}")
    assert 0.90 <= blocks <= 0.99
    assert single < 0.60


@pytest.mark.parametrize(("rows", "block"), [(7, 3), (12, 4), (5, 5), (9, 1)])
def test_sums_of_blocks_are_those_of_the_weighted_rows(rows, block):
    random = np.random.default_rng(rows)
    counts = random.integers(0, 5, (rows, 3))
    starts = block_starts(rows, block, 50, random)
    weights = np.array([row_weights(rows, block, own) for own in starts])
    assert (weights.sum(axis=1) == starts.shape[1] * block).all()
    scale = rows / (starts.shape[1] * block)
    assert block_sums(counts, block, starts) == pytest.approx(weights @ counts * scale)


def test_every_row_is_drawn_as_often_as_any_other():
    random = np.random.default_rng(0)
    weights = np.array([row_weights(20, 6, own) for own in block_starts(20, 6, 4_000, random)])
    assert weights.mean(axis=0) == pytest.approx(1.2, abs=0.06)


def test_events_found_and_their_delay():
    delays = np.array([[10.0, 8.0]] * 20 + [[np.nan, 30.0]] * 6)
    detected, delay = bootstrap.event_differences(delays, np.random.default_rng(0))
    assert detected.value == 6 and detected.clear and 0 < detected.low < 6 < detected.high
    assert delay == Difference(-2.0, -2.0, -2.0)  # of events that both found: others have no pair
    few = bootstrap.event_differences(delays[-3:], np.random.default_rng(0))
    assert few == (Difference(3), Difference(None))


def test_what_most_draws_do_not_know_has_no_interval():
    assert difference(1.0, np.array([1.0, np.nan, np.nan])) == Difference(1.0)
    assert difference(None, np.ones(3)) == Difference(None)
