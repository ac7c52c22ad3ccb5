"""The scatter of forecast errors: it shows oscillations but not an offset."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.detection import residual_variance


def smoothed(errors: np.ndarray, rows: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, mean squares and presence over the last `rows` of errors [T, P]."""
    frames = np.stack([errors[i : i + rows] for i in range(len(errors) - rows + 1)])
    return frames.mean(axis=1), (frames**2).mean(axis=1), np.ones((len(frames), errors.shape[1]), bool)


def test_a_swing_is_seen_though_it_averages_out() -> None:
    random = np.random.default_rng(0)
    normal = random.normal(0.3, 0.5, (2000, 3))
    offset, usual = residual_variance.learn(*smoothed(normal))
    assert offset == pytest.approx([0.3] * 3, abs=0.05)
    assert usual == pytest.approx([0.25] * 3, rel=0.1)
    swinging = random.normal(0.3, 0.5, (400, 3))
    swinging[:, 1] += 3 * np.sin(np.arange(400))
    recent, square, present = smoothed(swinging)
    relative = residual_variance.around(offset, recent, square) / usual
    assert relative.mean(axis=0).argmax() == 1
    assert np.median(residual_variance.statistic(relative, present)) > 2.5
    quiet = residual_variance.around(offset, *smoothed(normal)[:2]) / usual
    assert np.median(residual_variance.statistic(quiet, smoothed(normal)[2])) == pytest.approx(1, abs=0.1)


def test_the_square_around_an_offset_is_that_of_the_errors_less_the_offset() -> None:
    errors = np.random.default_rng(1).normal(1, 2, (50, 2))
    recent, square, _ = smoothed(errors, 50)
    direct = ((errors - [0.5, -1.0]) ** 2).mean(axis=0)
    assert residual_variance.around(np.array([0.5, -1.0]), recent, square)[0] == pytest.approx(direct)


def test_sensors_that_are_not_there_neither_add_nor_dilute() -> None:
    relative = np.array([[4.0, 100.0], [4.0, 0.0]])
    present = np.array([[True, False], [False, False]])
    assert residual_variance.statistic(relative, present).tolist() == [2.0, 0.0]
    offset, usual = residual_variance.learn(np.ones((3, 2)), np.ones((3, 2)), np.array([[True, False]] * 3))
    assert offset.tolist() == [1.0, 0.0]
    assert (usual > 0).all()
