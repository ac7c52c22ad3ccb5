"""The forecaster's linear path: what it learns, what it does with missing values, and its graph."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import tensorflow as tf

from eugenie_cli.detection import linear_path
from eugenie_cli.detection.linear_graph import LinearGraph
from eugenie_cli.detection.linear_path import LinearPath, Rows

HORIZONS = (1, 3)
# z[t] = A z[t - 1] + B z[t - 2] + noise
A = np.array([[0.6, 0.2, 0.0], [0.0, 0.5, -0.3], [0.1, 0.0, 0.7]])
B = np.array([[0.1, 0.0, 0.1], [0.0, 0.2, 0.0], [0.0, -0.2, 0.0]])


def plant(rows: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = np.zeros((rows, 3))
    for row in range(2, rows):
        values[row] = A @ values[row - 1] + B @ values[row - 2] + random.normal(0, 0.3, 3)
    return values.astype(np.float32)


def fitted(*assets: np.ndarray) -> LinearPath:
    rows = [Rows(values, np.ones(len(values), bool)) for values in assets]
    return linear_path.fit(rows, HORIZONS, lags=5, carried=4)


def path(lags: int = 3, carried: int = 2, seed: int = 0) -> LinearPath:
    random = np.random.default_rng(seed)
    shape = (lags, 3, len(HORIZONS), 3)
    return LinearPath(
        random.normal(size=shape).astype(np.float32), random.normal(size=(2, 3)).astype(np.float32), carried
    )


def with_gaps(values: np.ndarray, share: float, seed: int) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(values.shape) < share, np.float32(np.nan), values)


def test_it_learns_how_a_plant_moves() -> None:
    learnt = fitted(plant(4000, 0), plant(3000, 1))
    later = plant(2000, 2)
    for number, ahead in enumerate(HORIZONS):
        error = later[20:] - learnt.forecasts(later)[20 - ahead : -ahead, number]
        one_step = A @ later[19:-1].T + B @ later[18:-2].T
        best = float(np.mean((later[20:] - one_step.T) ** 2)) if ahead == 1 else float(np.mean(later[20:] ** 2))
        assert np.mean(error**2) < 1.02 * best


def test_missing_targets_do_not_shrink_a_coefficient() -> None:
    random = np.random.default_rng(0)
    cause = random.normal(size=4000)
    effect = np.concatenate([[0.0], 0.8 * cause[:-1]]) + random.normal(0, 0.3, 4000)
    sparse = np.where(random.random(4000) < 0.7, np.nan, effect)
    rows = np.stack([cause, sparse], axis=1).astype(np.float32)
    learnt = linear_path.fit([Rows(rows, np.ones(len(rows), bool))], (1,), lags=1, carried=0)
    assert learnt.kernel[0, 0, 0, 1] == pytest.approx(0.8, abs=0.05)


def test_without_a_training_row_it_forecasts_the_mean() -> None:
    nothing = linear_path.fit([Rows(plant(50, 0), np.zeros(50, bool))], HORIZONS, 5, 4)
    assert not nothing.kernel.any()
    assert not nothing.bias.any()


def test_a_forecast_follows_a_level_that_was_never_learnt() -> None:
    """Where a network would saturate. Sensors that persist are forecast in proportion to where they are."""
    random = np.random.default_rng(0)
    level = np.cumsum(random.normal(0, 0.1, (4000, 3)), axis=0)
    rows = ((level - level.mean(axis=0)) / level.std(axis=0)).astype(np.float32)
    forecasts = fitted(rows).forecasts(np.full((30, 3), 6.0, np.float32))
    assert forecasts[-1, 0] == pytest.approx(np.full(3, 6.0), abs=0.5)


def test_a_missing_value_counts_as_the_last_one_for_a_while() -> None:
    rows = np.array([[1.0], [np.nan], [np.nan], [np.nan], [4.0]], np.float32)
    assert linear_path.filled(rows, 2).ravel().tolist() == [1.0, 1.0, 1.0, 0.0, 4.0]
    assert linear_path.filled(rows, 0).ravel().tolist() == [1.0, 0.0, 0.0, 0.0, 4.0]


@pytest.mark.parametrize(("warmup", "horizons"), product((1, 2, 3, 8, 60), ((1,), (1, 5), (3,))))
def test_scored_rows_are_forecast_from_their_window_alone(warmup: int, horizons: tuple[int, ...]) -> None:
    if min(horizons) > warmup:
        pytest.skip("the site file refuses a horizon beyond the warm-up")
    lags, carried = linear_path.memory(warmup, horizons)
    learnt = path(lags, carried)
    rows = with_gaps(plant(200, 4), 0.4, 5)
    start, horizon = 100, min(horizons)
    whole, own = learnt.forecasts(rows), learnt.forecasts(rows[start:])
    # the first scored row is `warmup` rows after the window's first, and its forecast is made `horizon` rows before it
    first = warmup - horizon
    np.testing.assert_allclose(own[first:], whole[start + first :], rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("first", [0, 1, 3, 30])
@pytest.mark.parametrize(("lags", "carried"), [(1, 0), (3, 2), (5, 4)])
def test_the_graph_computes_the_same(axis: int, first: int, lags: int, carried: int) -> None:
    learnt = path(lags, carried)
    rows = np.stack([with_gaps(plant(60, seed), 0.3, seed) for seed in range(4)])
    expected = learnt.forecasts(rows)
    given = rows if axis == 1 else rows.swapaxes(0, 1)
    graph = LinearGraph(learnt)
    forecasts = graph.ahead(tf.constant(given), axis, first).numpy()
    np.testing.assert_allclose(forecasts if axis == 1 else forecasts.swapaxes(0, 1), expected[:, first:], atol=2e-5)
    for number in range(len(HORIZONS)):
        np.testing.assert_allclose(
            graph.at(number, tf.constant(given), axis, first), forecasts[..., number, :], atol=1e-5
        )
