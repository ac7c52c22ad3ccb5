"""Scaling and context sensors."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.detection.calibration import scaling
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
