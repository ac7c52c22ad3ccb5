"""Shrinkage, whitening, and the effect of a missing sensor on a Mahalanobis distance."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.detection.covariance import (
    MAX_CLASS_ROWS,
    MIN_BASELINE_ROWS,
    MIN_DEVIATION,
    Baseline,
    averages_whitener,
    baseline,
    distance,
    impute,
    ledoit_wolf,
    whitener,
)
from eugenie_cli.detection.ewma import ewma_kernel, redundancy, smooth


def correlated(rows: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(rows, 4)) @ random.normal(size=(4, 4))


def test_few_samples_are_shrunk_more_than_many() -> None:
    few, many = (correlated(rows) for rows in (12, 20_000))
    (small, much), (large, little) = ledoit_wolf(few - few.mean(0)), ledoit_wolf(many - many.mean(0))
    assert much > 0.05 > 0.005 > little
    np.testing.assert_allclose(large, np.cov(many.T), rtol=0.02, atol=0.02)
    assert np.linalg.cond(small) < np.linalg.cond(np.cov(few.T))


@pytest.mark.parametrize(("rows", "sensors"), [(2, 1), (5, 12), (40, 4), (3000, 8)])
def test_shrinkage_is_that_of_the_paper(rows: int, sensors: int) -> None:
    """Ledoit and Wolf (2004), section 3.2, whatever release of scikit-learn computes it."""
    random = np.random.default_rng(rows)
    samples = random.normal(size=(rows, sensors)) @ random.normal(size=(sensors, sensors))
    samples -= samples.mean(axis=0)
    sample = samples.T @ samples / rows
    target = np.trace(sample) / sensors * np.eye(sensors)
    difference = np.sum((sample - target) ** 2)
    error = sum(np.sum((np.outer(row, row) - sample) ** 2) for row in samples) / rows**2
    share = min(error / difference, 1.0) if sensors > 1 else 0.0  # of one sensor both are 0
    shrunk, shrinkage = ledoit_wolf(samples)
    np.testing.assert_allclose(shrunk, share * target + (1.0 - share) * sample, rtol=1e-10, atol=1e-10)
    assert shrinkage == pytest.approx(share, abs=1e-10)


def test_sensors_that_never_moved_have_no_covariance() -> None:
    assert not ledoit_wolf(np.zeros((5, 3)))[0].any()


def test_shrinkage_keeps_the_total_variance() -> None:
    samples = correlated(30)
    samples -= samples.mean(0)
    shrunk, _ = ledoit_wolf(samples)
    np.testing.assert_allclose(np.trace(shrunk), np.trace(samples.T @ samples / len(samples)))


def test_whitened_normal_rows_have_unit_spread() -> None:
    samples = correlated(20_000)
    mean, _, whitening = whitener(samples)
    np.testing.assert_allclose(np.cov(((samples - mean) @ whitening.T).T), np.eye(4), atol=0.05)


def test_sensors_that_repeat_each_other_do_not_blow_up() -> None:
    sensor = np.random.default_rng(0).normal(size=(5000, 1))
    mean, _, whitening = whitener(np.hstack([sensor, sensor]))
    assert distance(np.array([[1.0, 1.0 + 1e-4]]) - mean, whitening)[0] < 1.5


def test_a_missing_sensor_leaves_the_distance_of_the_others() -> None:
    samples = correlated(5000)
    mean, deviation, whitening = whitener(samples)
    baseline = Baseline(mean[None], deviation[None], whitening[None])
    row, present = np.array([[1.0, -2.0, 0.0, 0.5]]), np.array([[True, True, False, True]])
    covariance = np.linalg.inv(baseline.precision[0])
    kept = row[0, present[0]]
    alone = np.sqrt(kept @ np.linalg.inv(covariance[np.ix_(present[0], present[0])]) @ kept)
    distances = distance(impute(np.where(present, row, 0.0), present, baseline.precision[0]), whitening)
    np.testing.assert_allclose(distances, alone, rtol=1e-9)


def test_the_kernel_is_a_weighted_mean_of_what_is_there() -> None:
    kernel = ewma_kernel(60)
    assert np.isclose(kernel.sum(), 1.0)
    assert (np.diff(kernel) > 0).all()
    values, present = np.full((60, 2), 3.0), np.ones((60, 2), bool)
    present[5, 0] = present[30:, 1] = False
    mean, enough = smooth(values, present, kernel)
    assert enough.tolist() == [True, False]
    np.testing.assert_allclose(mean, [3.0, 0.0])


def test_an_asset_with_few_samples_takes_the_class_s_baseline_and_leaves_the_others_theirs() -> None:
    random = np.random.default_rng(5)
    many = [random.normal(size=(MAX_CLASS_ROWS, 2)) * spread for spread in (1.0, 3.0)]
    few = random.normal(size=(MIN_BASELINE_ROWS - 1, 2))
    samples = [(values,) for values in (*many, few)]
    alone, of_all = baseline(lambda: samples[:2]), baseline(lambda: samples)
    np.testing.assert_array_equal(of_all.whitening[:2], alone.whitening)
    assert of_all.deviation[2] == pytest.approx(np.sqrt([5.0, 5.0]), rel=0.02)  # of both together


@pytest.mark.parametrize("rows", [60, 40])
def test_averages_of_independent_rows_are_as_redundant_as_their_variance_says(rows: int) -> None:
    kernel = ewma_kernel(rows)
    averages = np.stack(
        [np.convolve(noise, kernel, "valid") for noise in np.random.default_rng(1).normal(size=(400, 2000))]
    )
    variances = averages.var(axis=1)
    independent = 2 * variances.mean() ** 2 / variances.var()  # independent samples whose variance would vary as much
    assert averages.shape[1] / independent == pytest.approx(redundancy(kernel), rel=0.2)


def averages_of(rows: np.ndarray) -> np.ndarray:
    return np.stack([np.convolve(column, ewma_kernel(60), "valid") for column in rows.T], axis=1)


@pytest.mark.slow
def test_few_averages_lean_on_their_rows_and_many_speak_for_themselves() -> None:
    """The distances of later averages of the same process, which should be those of four independent normal values."""
    random = np.random.default_rng(2)
    mixing = random.normal(size=(6, 6))
    error = {"averages": [], "averages and rows": []}
    for _ in range(20):
        rows = random.normal(size=(300 + 20_000, 6)) @ mixing
        early, later = averages_of(rows[:300]), averages_of(rows[300:])
        for name, (mean, _, whitening) in (
            ("averages", whitener(early)),
            ("averages and rows", averages_whitener(early, rows[:300], redundancy(ewma_kernel(60)))),
        ):
            spread = np.cov((later - mean) @ whitening.T, rowvar=False)
            error[name].append(np.square(np.log(np.linalg.eigvalsh(spread))).mean())
    assert np.median(error["averages and rows"]) < 0.5 * np.median(error["averages"])
    rows = np.cumsum(random.normal(size=(200_000, 6)), axis=0) * 0.01 + random.normal(size=(200_000, 6)) @ mixing
    many = averages_of(rows)
    mean, deviation, whitening = averages_whitener(many, rows, redundancy(ewma_kernel(60)))
    np.testing.assert_allclose(deviation, many.std(axis=0), rtol=0.02)
    np.testing.assert_allclose(np.cov((many - mean) @ whitening.T, rowvar=False), np.eye(6), atol=0.05)


def test_a_sensor_that_never_moves_has_a_floor() -> None:
    rows = np.random.default_rng(3).normal(size=(500, 3)) * [1.0, 1.0, 0.0]
    _, deviation, whitening = averages_whitener(averages_of(rows), rows, 9.0)
    assert np.isfinite(whitening).all() and (deviation >= MIN_DEVIATION).all()
    _, alone, _ = averages_whitener(averages_of(rows[:, :1]), rows[:, :1], 9.0)
    assert alone == pytest.approx(averages_of(rows[:, :1]).std(axis=0))


def test_sensors_that_go_as_one_are_not_loosened_by_their_noisy_rows() -> None:
    """A slow load moves four sensors: their averages are coupled more tightly than their rows, and a stuck sensor
    breaks that coupling."""
    random = np.random.default_rng(4)
    load = np.convolve(random.normal(size=3199), np.hanning(200) / 8, mode="valid")
    rows = load[:, None] * [1.0, -1.0, 0.8, 1.2] + random.normal(0, 0.2, (3000, 4))
    averages = averages_of(rows)
    ours, own = averages_whitener(averages, rows, redundancy(ewma_kernel(60))), whitener(averages)
    stuck = averages.mean(axis=0) + np.array(
        [0.0, -1.0, 0.8, 1.2]
    )  # the load rose, but the first sensor did not show it
    ratio = distance(stuck[None] - ours[0], ours[2]) / distance(stuck[None] - own[0], own[2])
    usual = np.quantile(distance(averages - ours[0], ours[2]), 0.99) / np.quantile(
        distance(averages - own[0], own[2]), 0.99
    )
    assert ratio[0] / usual > 0.8


def test_what_the_historian_rounds_off_is_no_direction_to_alarm_along() -> None:
    """Two sensors that differ only by rounding: rounding of another size is just as normal."""
    random = np.random.default_rng(6)
    sensor = random.normal(size=(20_000, 1))
    early = np.hstack([sensor, sensor + random.normal(0, 0.01, sensor.shape)])
    later = np.hstack([sensor, sensor + random.normal(0, 0.05, sensor.shape)])
    mean, _, whitening = whitener(early)
    early_distance, later_distance = (np.quantile(distance(rows - mean, whitening), 0.999) for rows in (early, later))
    assert later_distance < 1.1 * early_distance


@pytest.mark.slow
@pytest.mark.parametrize("sensors", [1, 2])
@pytest.mark.parametrize("still", [False, True])
def test_a_class_of_few_sensors_has_a_covariance_despite_rounding(sensors: int, still: bool) -> None:
    for seed in range(50):
        rows = np.random.default_rng(seed).normal(size=(1500, sensors))
        if still:
            rows[:, -1] = seed
        averages = np.stack([np.convolve(column, np.full(10, 0.1), "valid") for column in rows.T], axis=1)
        for whitening in (averages_whitener(averages, rows[9:], 9.5), whitener(averages)):
            assert all(np.isfinite(part).all() for part in whitening)
