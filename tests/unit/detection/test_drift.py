"""Drift with known shifts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eugenie_cli.detection.metrics.drift import drift, effective_size, ks, psi


def series(rows: int, seed: int, memory: float = 0.0) -> np.ndarray:
    """An autoregressive series of variance 1, float64 [n]."""
    random = np.random.default_rng(seed)
    values = random.normal(size=rows) * math.sqrt(1 - memory**2)
    values[0] = random.normal()
    for row in range(1, rows):
        values[row] += memory * values[row - 1]
    return values


def normal_below(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5, 1.0])
def test_a_shift_of_a_normal_distribution_has_the_distance_and_the_index_that_it_must_have(shift):
    learnt, recent = series(100_000, 0), series(100_000, 1) + shift
    assert ks(learnt, recent) == pytest.approx(2 * normal_below(shift / 2) - 1, abs=0.01)
    edges = [-math.inf, *np.quantile(learnt, np.linspace(0.1, 0.9, 9)), math.inf]
    shares = [
        np.diff([0.0 if edge == -math.inf else normal_below(edge - moved) for edge in edges]) for moved in (0.0, shift)
    ]
    known = float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
    assert psi(learnt, recent) == pytest.approx(known, abs=0.02)


@pytest.mark.parametrize(("shift", "judged"), [(0.0, "no"), (0.4, "somewhat"), (1.0, "moved")])
def test_it_is_judged_by_the_conventional_limits(shift, judged):
    assert drift(series(20_000, 2), series(20_000, 3) + shift).judged == judged


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_rows_that_follow_each_other_count_for_fewer(memory):
    truth = 50_000 * (1 - memory) / (1 + memory)
    assert effective_size(series(50_000, 4, memory)) == pytest.approx(truth, rel=0.15)


@pytest.mark.slow
def test_chance_in_slow_rows_is_no_drift_though_the_index_is_high(tell):
    """Of 100 pairs without a shift, many would count as moved by the index alone."""
    pairs = [drift(series(2_000, seed, 0.97), series(2_000, 1_000 + seed, 0.97)) for seed in range(100)]
    alone = sum(pair.psi >= 0.1 for pair in pairs)
    judged = sum(pair.judged in ("moved", "somewhat") for pair in pairs)
    tell(f"of 100 pairs of slow series without a shift: PSI of .1 or more in {alone}, judged to have moved {judged}")
    assert alone >= 20
    assert judged <= 10


def test_too_few_independent_rows_tell_nothing():
    slow = np.linspace(0, 1, 2_000)
    assert drift(slow, slow + 5).judged == "cannot be told"
    assert drift(slow, np.zeros(0)).psi is None


def test_a_value_that_stands_still_is_told_from_one_that_left_it():
    shut = np.zeros(500)
    assert drift(shut, shut).psi == 0
    assert drift(shut, shut).judged == "no"
    assert drift(shut, shut + 1e-3).judged == "moved"
    assert drift(shut, shut - 1e-3).judged == "moved"
    often = np.where(np.random.default_rng(0).random(5_000) < 0.5, 0.0, series(5_000, 5))
    assert drift(often, series(5_000, 6)).judged in ("somewhat", "moved")
