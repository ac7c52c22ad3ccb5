"""Every type except the forecaster keeps the contract of the scoring graph and agrees with its slow reference."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support import classical_plant
from support.classical_plant import ASSETS, SENSORS

from eugenie_cli.detection import reference
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.scoring import ScoringModule
from eugenie_cli.training import artifact

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("name", list(registry.CLASSICAL))]


@cache
def detector(name: str):
    return classical_plant.detector(name)


@cache
def module(name: str) -> ScoringModule:
    return ScoringModule(detector(name))


def graph(name: str, assets: list[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    answer = module(name).serving_default(tf.constant(assets), tf.constant(rows, tf.float32))
    return {key: value.numpy() for key, value in answer.items()}


def gappy(assets: list[str], length: int) -> np.ndarray:
    rows = np.stack([classical_plant.rows_of(asset, 3, length) for asset in assets])
    rows[np.random.default_rng(3).random(rows.shape) < 0.06] = np.nan
    rows[0, 40:43] = np.nan
    rows[-1, 50:, 1] = np.nan
    return rows


def equal(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-4)


@pytest.mark.slow
def test_the_graph_says_what_the_reference_says_with_missing_values_and_strangers(name):
    assets = ["pump-2", "pump-3", "nobody", "pump-1"]
    rows = gappy(["pump-2", "pump-3", "pump-1", "pump-1"], 120)
    fast, slow = graph(name, assets, rows), reference.score(detector(name), assets, rows)
    scored = np.isfinite(fast["score"])
    assert scored[0].any() and not scored[0].all()
    assert scored[1].any() and scored[3].any() and not scored[2].any()
    assert all(np.isnan(value[2]).all() for value in fast.values())
    for key in ("score", "contribution"):
        equal(fast[key], getattr(slow, key))
    deviation = detector(name).deviation[[1, 2, 0, 0]][:, None]
    equal(fast["expected"] / deviation, slow.expected / deviation)


def test_normal_rows_stay_within_the_budget_and_a_broken_sensor_does_not(name):
    rows = classical_plant.rows_of("pump-1", 0)[classical_plant.HELD_OUT]
    assert (graph(name, ["pump-1"], rows[None])["score"] > 1).mean() <= 0.01
    own, flow = detector(name).deviation[0], rows.copy()
    unrest = np.where(np.arange(200) % 20 < 10, 8.0, -8.0)
    flow[200:] += (
        np.stack([unrest, *np.zeros((4, 200))], axis=1) * own
    )  # jumps back and forth, which every statistic sees
    answer = graph(name, ["pump-1"], flow[None])
    late = slice(-150, None)
    assert (answer["score"][0, late] > 1).mean() > 0.5
    assert answer["contribution"][0, late].mean(axis=0).argmax() == 0


def test_contributions_are_shares_of_sensors_that_count(name):
    answer = graph(
        name, ["pump-1", "pump-3"], np.stack([classical_plant.rows_of(asset, 7, 90) for asset in ASSETS[::2]])
    )
    assert (answer["contribution"] >= 0).all()
    np.testing.assert_allclose(answer["contribution"].sum(axis=-1), 1.0, rtol=1e-4)
    assert (answer["contribution"][..., 3] == 0).all()  # context
    assert (answer["contribution"][1, :, 4] == 0).all()  # this pump never had the sensor
    missing = classical_plant.rows_of("pump-1", 7, 90)
    missing[:, 1] = np.nan
    alone = graph(name, ["pump-1"], missing[None])
    assert np.isfinite(alone["score"]).all()
    assert (alone["contribution"][..., 1] == 0).all()


def test_a_score_depends_on_its_window_alone_in_any_batch_and_length(name):
    window = detector(name).window
    rows = gappy(["pump-1", "pump-3"], window + 40)
    whole = graph(name, ["pump-1", "pump-3"], rows)
    for k in (0, 3, 20, 40):
        single = graph(name, ["pump-3"], rows[1:, k : k + window])
        for key, value in single.items():
            np.testing.assert_allclose(value[:, 0], whole[key][1:, k], rtol=1e-4, atol=1e-4, err_msg=key)


def test_a_row_needs_itself_and_four_fifths_of_its_window(name):
    window = detector(name).window
    rows = np.repeat(classical_plant.rows_of("pump-1", 3, window)[None], 4, axis=0)
    rows[1, -1] = np.nan
    rows[2, 1 : 1 + window // 5] = np.nan
    rows[3, 1 : 2 + window // 5] = np.nan
    assert np.isfinite(graph(name, ["pump-1"] * 4, rows)["score"][:, 0]).tolist() == [True, False, True, False]


@pytest.mark.slow
def test_it_is_the_same_after_a_night_on_disk(name, tmp_path: Path):
    artifact.save(detector(name), tmp_path / "detector")
    again = artifact.load(tmp_path / "detector")
    assert (again.type, again.horizons, type(again)) == (name, detector(name).horizons, type(detector(name)))
    rows = gappy(["pump-1"], 80)
    now = ScoringModule(again).serving_default(tf.constant(["pump-1"]), tf.constant(rows))
    np.testing.assert_array_equal(now["score"].numpy(), graph(name, ["pump-1"], rows)["score"])


@pytest.mark.slow
def test_a_saved_model_holds_the_signatures_that_the_type_has_and_no_compiled_piece(name, tmp_path: Path):
    tf.saved_model.save(module(name), str(tmp_path / "1"), signatures=module(name).signatures())
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    assert set(loaded.signatures) == {"serving_default", "alarm"} | ({"forecast"} if name == "last-value" else set())
    assert b"_XlaMustCompile" not in (tmp_path / "1" / "saved_model.pb").read_bytes().replace(
        b"_XlaMustCompile\x12\x02(\x00", b""
    )
    rows = gappy(["pump-1"], 60)
    again = loaded.signatures["serving_default"](asset=tf.constant(["pump-1"]), rows=tf.constant(rows))
    np.testing.assert_array_equal(again["score"].numpy(), graph(name, ["pump-1"], rows)["score"])


@pytest.mark.slow
def test_what_is_expected_is_of_the_rows_unit_and_the_forecast_repeats_the_last_value(name):
    made, rows = detector(name), gappy(["pump-1"], detector(name).window)
    rows[0, -1] = classical_plant.rows_of("pump-1", 3, 1)[0]
    expected = graph(name, ["pump-1"], rows)["expected"][0, 0]
    assert (np.abs(expected - made.mean[0]) <= 8 * made.deviation[0]).all()
    if not made.horizons:
        assert not hasattr(module(name), "forecast")
        return
    ahead = module(name).forecast(tf.constant(["pump-1", "x"]), tf.constant(np.repeat(rows, 2, axis=0)))["forecast"]
    assert ahead.shape == (2, len(made.horizons), len(SENSORS))
    np.testing.assert_allclose(ahead[0], np.repeat(rows[:, -1], len(made.horizons), axis=0), rtol=1e-4)
    assert np.isnan(ahead[1]).all()


def test_the_card_says_how_it_judges_and_what_is_expected(name):
    words = " ".join(registry.of(name).describe(detector(name)))
    assert "`expected` is " in words
    assert ("forecasts nothing" in words) == (not detector(name).horizons)
