"""Batches hold the rows of their windows, and learning from several at once equals learning from them in turn."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.detection.detectors.options import BURN_IN
from eugenie_cli.training import batches as windows_
from eugenie_cli.training.batches import Batches, Cutter, Windows
from eugenie_cli.training.trainer import Trainer

ROWS, SENSORS, WINDOW, HORIZONS = 400, 3, 30, (1, 4)


@pytest.fixture
def windows() -> Windows:
    """Row t holds t, 1000 + t and 2000 + t; the last 50 rows belong to another part."""
    rows = (np.arange(ROWS)[:, None] + 1000 * np.arange(SENSORS)).astype(np.float32)
    part = np.where(np.arange(ROWS) < ROWS - 50, 1, 2).astype(np.int8)
    return Windows(rows, part, 1, np.arange(ROWS - WINDOW - max(HORIZONS)))


def cutter() -> Cutter:
    return Cutter(WINDOW, HORIZONS, np.random.default_rng(0))


def test_windows_come_whole_and_in_order_and_targets_are_of_their_part(windows: Windows) -> None:
    seen = []
    for batches in cutter().spread(windows, 40, ROWS):
        assert batches.inputs.shape[1::2] == (WINDOW, SENSORS)
        for inputs, target, targets in zip(*batches, strict=True):
            first = inputs[0, :, 0]
            seen.extend(first)
            np.testing.assert_array_equal(inputs[:, :, 0], first + np.arange(WINDOW)[:, None])
            rows = first + np.arange(WINDOW + max(HORIZONS))[:, None]
            np.testing.assert_array_equal(target[:, :, 1], np.where(rows < ROWS - 50, 1000 + rows, np.nan))
            counts = [np.isfinite(target[ahead + BURN_IN : ahead + WINDOW]).sum() for ahead in HORIZONS]
            assert targets == max(1, sum(counts))
    np.testing.assert_array_equal(seen, windows.starts)


def test_windows_are_drawn_once_each_in_batches_of_the_requested_size(windows: Windows) -> None:
    groups = list(cutter().drawn(windows, 32, 200, together=4))
    assert [(len(batches.targets), batches.size) for batches in groups] == [(4, 32), (2, 32), (1, 8)]
    starts = np.concatenate([np.nanmin(batches.inputs - [0, 1000, 2000], axis=(1, 3)).ravel() for batches in groups])
    assert len(set(starts)) == 200


def test_large_batches_are_not_gathered(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_, "MOST_VALUES", 1000)
    assert {len(batches.targets) for batches in cutter().drawn(windows, 32, 200)} == {1}


def test_single_values_and_whole_sensors_are_hidden_in_the_inputs_alone(windows: Windows) -> None:
    own = Windows(windows.rows, np.ones_like(windows.part), 1, windows.starts)
    (batches,) = cutter().drawn(own, 45, 360)
    assert np.isfinite(batches.target).all()
    hidden = ~np.isfinite(batches.inputs)
    flat = hidden.swapaxes(1, 2).reshape(-1, WINDOW, SENSORS)
    to_the_end = flat[:, -3:].all(axis=1).any(axis=1)
    assert 0.05 < to_the_end.mean() < 0.16  # a tenth of the windows lose a sensor
    assert 0.01 < flat[~to_the_end].mean() < 0.03


@pytest.mark.slow
def test_batches_together_teach_what_they_teach_one_by_one(windows: Windows) -> None:
    rows = np.random.default_rng(0).normal(size=(ROWS, SENSORS)).astype(np.float32)
    random_windows = Windows(rows, windows.part, 1, windows.starts)
    losses, weights = [], []
    for together in (1, 5):
        trainer = Trainer(SENSORS, window=WINDOW, horizons=HORIZONS, units=6, learning_rate=0.01, seed=0)
        batches = list(trainer.cutter.spread(random_windows, 50, 250))
        if together == 1:
            batches = [
                Batches(*(array[[number]] for array in group))
                for group in batches
                for number in range(len(group.targets))
            ]
        losses.append(np.concatenate([trainer.learn(group) for group in batches]))
        weights.append(trainer.model.get_weights())
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    assert losses[0][-1] < losses[0][0]
    for in_turn, together in zip(*weights, strict=True):
        np.testing.assert_allclose(together, in_turn, atol=1e-5)
