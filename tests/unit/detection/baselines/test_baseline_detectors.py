"""Classical detectors on rows with constructed faults."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from eugenie_cli.detection.alarm_policy import AlarmPolicy
from eugenie_cli.detection.baselines import BASELINES, fit
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.network import scale

CLASSICAL = list(registry.CLASSICAL)


def plant(rows: int, seed: int = 0) -> np.ndarray:
    """Four sensors driven by one load: they move together, each with its own noise, level and unit."""
    generator = np.random.default_rng(seed)
    load = generator.normal(size=rows)
    mixed = load[:, None] * [1.0, -1.0, 0.5, 2.0] + 0.2 * generator.normal(size=(rows, 4))
    return (mixed * [0.1, 5.0, 100.0, 1.0] + [2.0, 50.0, 1000.0, -3.0]).astype(np.float32)


def fitted(name: str, budget: float = 0.01):
    return fit(BASELINES[name], {"a": plant(2000, 1)}, {"a": plant(3000, 2)}, AlarmPolicy(budget))


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("name", list(BASELINES))
def test_missing_values_are_no_fault_and_rows_without_any_are_not_scored(name):
    rows = plant(300, 3)
    rows[150:160] = np.nan
    rows[220:240, 2] = np.nan
    score, contribution = fitted(name).score("a", rows)
    assert np.isnan(score[150:160]).all()
    assert not np.isnan(score[60:150]).any() and not np.isnan(score[220:]).any()  # windows are full again
    assert not np.isnan(contribution).any()
    if name in CLASSICAL:
        assert (score[220:240] < 1.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSICAL)
def test_a_sensor_that_was_never_seen_is_left_out(name):
    train, calibration, rows = plant(2000, 1), plant(1000, 2), plant(200, 3)
    train[:, 0] = calibration[:, 0] = np.nan
    rows[:, 0] = 1e6
    score, contribution = fit(BASELINES[name], {"a": train}, {"a": calibration}, AlarmPolicy(0.01)).score("a", rows)
    assert (score > 1).mean() < 0.05
    assert contribution[:, 0].max() < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSICAL)
def test_a_sensor_that_stood_still_does_not_divide_by_zero(name):
    train, rows = plant(500, 1), plant(100, 3)
    train[:, 2] = rows[:, 2] = 7.0
    score, _ = fit(BASELINES[name], {"a": train[:400]}, {"a": train[400:]}, AlarmPolicy(0.01)).score("a", rows)
    assert np.isfinite(score[60:]).all()


@pytest.mark.parametrize("name", ["pca-q", "pca-t2", "mewma", "last-value"])
def test_each_asset_has_its_own_scale(name):
    training = {"a": plant(900, 1), "b": plant(900, 1) * 10}
    calibration = {"a": plant(500, 2), "b": plant(500, 2) * 10}
    detector = fit(BASELINES[name], training, calibration, AlarmPolicy(0.01))
    rows = plant(100, 3)
    assert detector.score("a", rows)[0] == pytest.approx(detector.score("b", rows * 10)[0], rel=1e-3, nan_ok=True)


def test_an_asset_with_too_few_calibration_rows_takes_the_class_threshold():
    training = {"a": plant(900, 1), "b": plant(900, 4)}
    detector = fit(BASELINES["pca-q"], training, {"a": plant(500, 2), "b": plant(3, 5)}, AlarmPolicy(0.01))
    assert detector.threshold[1] == pytest.approx(detector.threshold[0], rel=0.05)
    assert [asset.pooled for asset in detector.calibration.assets] == [False, True]


def test_a_tighter_budget_asks_for_a_larger_margin():
    loose, tight = fitted("pca-q", 0.1).calibration, fitted("pca-q", 0.0005).calibration
    assert loose.margin <= tight.margin
    assert loose.rehearsal <= 0.1 and tight.rehearsal <= 0.0005


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSICAL)
def test_nothing_to_calibrate_or_to_learn_from_is_an_error(name):
    nothing = np.full((10, 4), np.nan)
    with pytest.raises(ValueError, match="no asset has calibration rows"):
        fit(BASELINES[name], {"a": plant(100)}, {"a": nothing}, AlarmPolicy(0.01))
    with pytest.raises(ValueError, match="no normal row"):
        fit(BASELINES[name], {"a": nothing}, {"a": plant(100)}, AlarmPolicy(0.01))


def test_all_positive_flags_everything_and_random_about_half_the_same_ones_each_time():
    rows = plant(2000, 3)
    assert (fitted("all-positive").score("a", rows)[0] > 1).all()
    score = fitted("random").score("a", rows)[0]
    assert (score > 1).mean() == pytest.approx(0.5, abs=0.05)
    assert (score == fitted("random").score("a", rows)[0]).all()


def test_mewma_averages_as_the_recursion_does():
    detector = fitted("mewma")
    rows, learnt = plant(300, 3), detector.learnt
    z, average, distances = (rows - learnt.mean[0]) / learnt.deviation[0], np.zeros(4), []
    for row in z:
        average = 0.9 * average + 0.1 * row
        distances.append(np.linalg.norm(learnt.statistic.whitening[0] @ (average - learnt.statistic.mean[0])))
    score = detector.score("a", rows)[0] * detector.threshold[0]
    assert score[100:] == pytest.approx(distances[100:], abs=0.05)  # the weight of the truncated tail


@pytest.mark.slow
def test_the_forest_isolates_as_scikit_learns_does():
    detector = fitted("isolation-forest")
    learnt = detector.learnt

    def scaled(rows: np.ndarray) -> np.ndarray:
        return scale(rows, learnt.mean[0], learnt.deviation[0]).astype(np.float32)

    grown = IsolationForest(n_estimators=100, max_samples=256, random_state=0).fit(scaled(plant(2000, 1)))
    each_row = replace(learnt.statistic, smoothing=1.0, window=1)
    rows = scaled(plant(500, 3))
    measured = each_row.measure(0, rows, np.ones(4, bool))
    assert 2.0 ** (-1.0 / measured.statistic) == pytest.approx(-grown.score_samples(rows), rel=1e-5)


@pytest.mark.slow
def test_a_rows_depth_is_the_roots_less_what_the_sensors_took_off_it():
    forest = fitted("isolation-forest").learnt.statistic
    below = forest.worth[:, 0] + forest.worth[:, 1:].sum(axis=1)
    starts = np.append(forest.roots, len(forest.sensor))
    for first, last in itertools.pairwise(starts):
        assert below[first:last] == pytest.approx(np.full(last - first, forest.worth[first, 0]), rel=1e-4)


def test_last_value_sees_a_sensor_that_froze_and_names_it():
    rows = plant(400, 3)
    rows[200:, 1] = rows[199, 1]
    score, contribution = fitted("last-value").score("a", rows)
    assert (score[260:] > 1).mean() > 0.9
    assert contribution[260:].mean(axis=0).argmax() == 1
