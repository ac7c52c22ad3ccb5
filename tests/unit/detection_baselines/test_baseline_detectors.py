"""Classical detectors on rows whose faults are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.detection.baselines import BASELINES, Mewma, PcaQ, PcaT2, fit
from eugenie_cli.detection.baselines.detector import MARGINS

CLASSICAL = ["pca-q", "pca-t2", "mewma"]


def plant(rows: int, seed: int = 0) -> np.ndarray:
    """Four sensors driven by one load: they move together, each with its own noise, level and unit."""
    generator = np.random.default_rng(seed)
    load = generator.normal(size=rows)
    mixed = load[:, None] * [1.0, -1.0, 0.5, 2.0] + 0.2 * generator.normal(size=(rows, 4))
    return (mixed * [0.1, 5.0, 100.0, 1.0] + [2.0, 50.0, 1000.0, -3.0]).astype(np.float32)


def fitted(name: str, budget: float = 0.01):
    return fit(BASELINES[name], {"a": plant(2000, 1)}, {"a": plant(1000, 2)}, budget)


@pytest.mark.parametrize("name", CLASSICAL)
def test_normal_rows_stay_within_the_budget(name):
    score, _ = fitted(name).score("a", plant(5000, 3))
    assert (score > 1).mean() < 0.01


@pytest.mark.parametrize("name, fault", [("pca-q", 1.0), ("mewma", 0.5)])
def test_a_shifted_sensor_is_flagged_and_blamed(name, fault):
    rows = plant(400, 3)
    rows[200:, 1] += fault * 10
    score, contribution = fitted(name).score("a", rows)
    late = slice(260, None)
    assert (score[late] > 1).mean() > 0.3
    assert contribution[late].mean(axis=0).argmax() == 1
    assert contribution.sum(axis=1) == pytest.approx(np.ones(400))


def test_q_sees_broken_correlation_that_t2_hardly_does():
    rows = plant(300, 3)
    rows[:, 3] = plant(300, 9)[:, 3]  # a sensor that follows another load, within its usual range
    q, t2 = (fitted(name).score("a", rows)[0] for name in ("pca-q", "pca-t2"))
    assert (q > 1).mean() > 0.3
    assert (t2 > 1).mean() < 0.05


def test_t2_sees_an_unusual_load_that_q_does_not():
    rows = plant(300, 3)
    rows[200:] += np.float32(6.0) * np.float32([0.1, -5.0, 50.0, 2.0])  # all sensors, as six loads would
    q, t2 = (fitted(name).score("a", rows)[0] for name in ("pca-q", "pca-t2"))
    assert (t2[200:] > 1).mean() > 0.9
    assert (q > 1).mean() < 0.05


@pytest.mark.parametrize("name", list(BASELINES))
def test_missing_values_are_no_fault_and_rows_without_any_are_not_scored(name):
    rows = plant(200, 3)
    rows[50:60] = np.nan
    rows[100:120, 2] = np.nan
    score, contribution = fitted(name).score("a", rows)
    assert np.isnan(score[50:60]).all() and not np.isnan(np.delete(score, np.s_[50:60])).any()
    assert not np.isnan(contribution).any()
    if name in CLASSICAL:
        assert (score[100:120] < 1.5).all()


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_sensor_that_was_never_seen_is_left_out(name):
    train, calibration, rows = plant(2000, 1), plant(1000, 2), plant(200, 3)
    train[:, 0] = calibration[:, 0] = np.nan
    rows[:, 0] = 1e6
    score, contribution = fit(BASELINES[name], {"a": train}, {"a": calibration}, 0.01).score("a", rows)
    assert (score > 1).mean() < 0.05
    assert contribution[:, 0].max() < 1e-9


def test_a_sensor_that_stood_still_does_not_divide_by_zero():
    train, rows = plant(500, 1), plant(100, 3)
    train[:, 2] = rows[:, 2] = 7.0
    score, _ = fit(Mewma, {"a": train[:400]}, {"a": train[400:]}, 0.01).score("a", rows)
    assert np.isfinite(score).all()


def test_each_asset_has_its_own_scale():
    training = {"a": plant(900, 1), "b": plant(900, 1) * 10}
    calibration = {"a": plant(500, 2), "b": plant(500, 2) * 10}
    detector = fit(PcaQ, training, calibration, 0.01)
    rows = plant(100, 3)
    assert detector.score("a", rows)[0] == pytest.approx(detector.score("b", rows * 10)[0], rel=1e-3)


def test_an_asset_with_too_few_calibration_rows_takes_the_class_threshold():
    training = {"a": plant(900, 1), "b": plant(900, 4)}
    detector = fit(PcaQ, training, {"a": plant(500, 2), "b": plant(3, 5)}, 0.01)
    assert detector.thresholds["b"] == pytest.approx(detector.thresholds["a"], rel=0.05)


def test_a_tighter_budget_asks_for_a_larger_margin_up_to_the_largest():
    loose, tight = fitted("pca-q", 0.1), fitted("pca-q", 0.0005)
    assert loose.margin <= tight.margin
    assert loose.rehearsal <= 0.1 and tight.rehearsal <= 0.0005
    drifting = np.cumsum(np.ones((400, 4)), axis=0) ** 3
    assert fit(PcaT2, {"a": plant(900, 1)}, {"a": drifting}, 0.0001).margin <= MARGINS[-1]


def test_nothing_to_calibrate_on_is_an_error():
    with pytest.raises(ValueError, match="no asset has calibration rows"):
        fit(PcaQ, {"a": plant(100)}, {"a": np.full((10, 4), np.nan)}, 0.01)


def test_all_positive_flags_everything_and_random_about_half_the_same_ones_each_time():
    rows = plant(2000, 3)
    assert (fitted("all-positive").score("a", rows)[0] > 1).all()
    score = fitted("random").score("a", rows)[0]
    assert (score > 1).mean() == pytest.approx(0.5, abs=0.05)
    assert (score == fitted("random").score("a", rows)[0]).all()


def test_mewma_averages_as_the_recursion_does():
    rows = plant(300, 3)
    statistic = Mewma()
    statistic.learn(plant(2000, 1))
    smooth, _ = statistic._smooth(rows)
    z, average = statistic._scaler(rows)[0], np.zeros(4)
    for index, row in enumerate(z):
        average = 0.9 * average + 0.1 * row
        assert smooth[index] == pytest.approx(average, abs=0.02)  # what the cut-off tail weighs
