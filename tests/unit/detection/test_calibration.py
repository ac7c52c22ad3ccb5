"""Scaling, thresholds and context sensors."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.detection.calibration import MARGINS, scaling, thresholds
from eugenie_cli.detection.context_sensors import context_sensors, slowness


def test_scaling_is_per_asset_and_ignores_missing_values() -> None:
    rows = np.array([[1.0, 10.0], [3.0, np.nan], [5.0, 14.0]], np.float32)
    mean, deviation, moved = scaling([lambda: [rows[:7], rows[7:]], lambda: [rows + 100]])
    np.testing.assert_allclose(mean, [[3, 12], [103, 112]])
    np.testing.assert_allclose(deviation, [[np.sqrt(8 / 3), 2]] * 2, rtol=1e-6)
    assert moved.all()


def test_a_constant_or_absent_sensor_gets_a_deviation_that_divides() -> None:
    random = np.random.default_rng(0)
    alive, still = random.normal(50, 2, (500, 2)).astype(np.float32), np.full((500, 2), 50, np.float32)
    still[:, 1] = np.nan
    mean, deviation, moved = scaling([lambda: [alive], lambda: [still]])
    assert (deviation > 0).all()
    assert np.isfinite(mean).all()
    # several times the class's usual deviation, not the last digit of a frozen value
    assert deviation[1, 0] == pytest.approx(9.0, rel=0.1)
    assert mean[1, 1] == pytest.approx(mean[0, 1])
    assert moved.tolist() == [[True, True], [True, False]]


def test_the_margin_is_the_smallest_that_stays_within_the_budget() -> None:
    random = np.random.default_rng(1)
    statistic = [np.abs(random.normal(size=2000)) * scale for scale in (1.0, 5.0)]
    threshold, calibration = thresholds(["a", "b"], statistic, 0.01)
    assert calibration.margin == 1.0
    assert calibration.rehearsal <= 0.01
    assert threshold[1] / threshold[0] == pytest.approx(5, rel=0.3)
    assert not any(asset.pooled for asset in calibration.assets)


def test_a_block_that_keeps_rising_asks_for_a_margin() -> None:
    rising = np.concatenate(
        [np.random.default_rng(2).uniform(0.9, 1.0, 400) * level for level in (1, 1.2, 1.4, 1.6, 2.4)]
    )
    _, calibration = thresholds(["a"], [rising], 0.01)
    assert 1.0 < calibration.margin < MARGINS[-1]
    assert calibration.rehearsal <= 0.01
    _, strict = thresholds(["a"], [rising], 0.3)
    assert strict.margin < calibration.margin


@pytest.mark.parametrize("rows", [[0.0] * 4000, [0.0] * 3999 + [70.0], [70.0] + [0.0] * 3999, [0.0] * 20])
def test_a_statistic_that_is_0_on_normal_rows_leaves_a_score_that_is_a_number(rows: list[float]) -> None:
    with np.errstate(all="raise"):
        threshold, calibration = thresholds(["a"], [np.array(rows)], 0.01)
        assert np.isfinite(np.float32(1e3) / threshold).all()
    assert calibration.margin == 1.0
    assert calibration.assets[0].exceeding == pytest.approx(np.mean(np.array(rows) > 0))


def test_an_asset_with_few_rows_takes_the_threshold_of_its_class_and_says_so() -> None:
    random = np.random.default_rng(3)
    threshold, calibration = thresholds(["a", "new"], [random.random(3000), random.random(5)], 0.01)
    assert [asset.pooled for asset in calibration.assets] == [False, True]
    assert threshold[1] == pytest.approx(threshold[0], rel=0.01)
    assert calibration.assets[1].rows == 5


def test_a_creeping_temperature_is_context_but_a_load_that_comes_back_is_not() -> None:
    time = np.arange(4000)
    noise = np.random.default_rng(4).normal(0, 0.05, (4000, 3))
    rows = noise + np.stack([time / 1000, np.sin(time / 300), np.zeros(4000)], axis=1)
    learnt, later = rows[:3000], rows[3000:]
    assert (slowness(learnt) >= 0.5).tolist() == [True, True, False]
    assert context_sensors(["auto"] * 3, [learnt], [learnt], [later]).tolist() == [True, False, False]


def test_the_role_in_the_site_file_has_the_last_word() -> None:
    rows = np.arange(3000)[:, None] / 1000 * np.ones(2)
    context = context_sensors(["scored", "context"], [rows[:2000]], [rows[:2000]], [rows[2000:]])
    assert context.tolist() == [False, True]
