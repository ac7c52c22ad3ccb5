"""The scoring graph of a forecaster agrees with the slow reference, however rows are cut and batched."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support import sample_detector

from eugenie_cli.detection import lstm_statistics, network, reference
from eugenie_cli.detection.detector import ForecasterDetector
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.scoring import ScoringModule

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kind", registry.FORECASTERS)]

WINDOW = 40


@cache
def module(kind: str) -> ScoringModule:
    return ScoringModule(detector(kind))


@cache
def detector(kind: str) -> ForecasterDetector:
    return sample_detector.detector(WINDOW, kind=kind)


def graph(kind: str, assets: list[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    answer = module(kind).serving_default(tf.constant(assets), tf.constant(rows, tf.float32))
    return {name: value.numpy() for name, value in answer.items()}


def rows_of(assets: list[str], length: int, seed: int = 1) -> np.ndarray:
    return sample_detector.rows_of(detector(network.LSTM), assets, length, seed)


def gappy(assets: list[str], length: int, seed: int = 3) -> np.ndarray:
    rows = rows_of(assets, length, seed)
    random = np.random.default_rng(seed)
    rows[random.random(rows.shape) < 0.05] = np.nan
    rows[0, 50:54] = np.nan
    rows[-1, 60:, 1] = np.nan
    return rows


@pytest.mark.slow
def test_graph_agrees_with_the_reference_with_and_without_missing_values(kind: str) -> None:
    assets = ["pump-2", "pump-1", "pump-3"]
    for rows in (rows_of(assets, WINDOW + 30), gappy(assets, WINDOW + 60)):
        fast, slow = graph(kind, assets, rows), reference.score(detector(kind), assets, rows)
        assert np.isfinite(fast["score"]).any()
        np.testing.assert_allclose(fast["score"], slow.score, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(fast["contribution"], slow.contribution, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(fast["expected"], slow.expected, rtol=1e-5, atol=1e-4)


def test_one_window_at_a_time_equals_one_long_segment(kind: str) -> None:
    rows = gappy(["pump-1"], WINDOW + 80)
    whole = graph(kind, ["pump-1"], rows)
    for k in range(whole["score"].shape[1]):
        single = graph(kind, ["pump-1"], rows[:, k : k + WINDOW])
        for name, value in single.items():
            np.testing.assert_allclose(value[:, 0], whole[name][:, k], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_batch_mates_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = ["pump-3", "pump-1", "pump-2", "pump-1"]
    rows = gappy(assets, WINDOW + 20)
    together = graph(kind, assets, rows)
    monkeypatch.setattr(lstm_statistics, "FRAME_WINDOWS", 7)
    chunked = ScoringModule(detector(kind)).serving_default(tf.constant(assets), tf.constant(rows))
    for number, asset in enumerate(assets):
        alone = graph(kind, [asset], rows[number : number + 1])
        np.testing.assert_allclose(alone["score"][0], together["score"][number], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(chunked["score"][number], together["score"][number], rtol=1e-5, atol=1e-5)


def test_contributions_are_shares_of_the_scored_sensors(kind: str) -> None:
    answer = graph(kind, ["pump-1"], rows_of(["pump-1"], WINDOW + 10))
    assert (answer["contribution"] >= 0).all()
    np.testing.assert_allclose(answer["contribution"].sum(axis=-1), 1.0, rtol=1e-5)
    assert (answer["contribution"][..., ~detector(kind).scored] == 0).all()


def test_an_unknown_asset_scores_nan_and_affects_no_other(kind: str) -> None:
    rows = rows_of(["pump-1", "stranger"], WINDOW + 5)
    answer = graph(kind, ["pump-1", "stranger"], rows)
    assert np.isfinite(answer["score"][0]).all()
    assert all(np.isnan(value[1]).all() for value in answer.values())


def test_a_window_needs_its_last_row_and_four_fifths_of_its_rows(kind: str) -> None:
    rows = np.repeat(rows_of(["pump-1"], WINDOW), 4, axis=0)
    rows[1, -1] = np.nan
    rows[2, 1 : 1 + WINDOW // 5] = np.nan
    rows[3, 1 : 2 + WINDOW // 5] = np.nan
    finite = np.isfinite(graph(kind, ["pump-1"] * 4, rows)["score"][:, 0])
    assert finite.tolist() == [True, False, True, False]


def test_a_missing_sensor_neither_contributes_nor_hides_the_others(kind: str) -> None:
    rows = rows_of(["pump-1"], WINDOW + 10)
    rows[..., 1] = np.nan
    answer = graph(kind, ["pump-1"], rows)
    assert np.isfinite(answer["score"]).all()
    assert (answer["contribution"][..., 1] == 0).all()


def test_a_segment_shorter_than_the_window_is_refused(kind: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="window"):
        graph(kind, ["pump-1"], rows_of(["pump-1"], WINDOW - 1))


def test_forecast_gives_one_row_for_each_horizon(kind: str) -> None:
    rows = rows_of(["pump-1", "stranger"], WINDOW)
    forecast = module(kind).forecast(tf.constant(["pump-1", "stranger"]), tf.constant(rows))["forecast"].numpy()
    assert forecast.shape == (2, len(detector(kind).horizons), len(detector(kind).sensors))
    assert np.isfinite(forecast[0]).all()
    assert np.isnan(forecast[1]).all()


@pytest.mark.slow
def test_a_saved_graph_answers_as_before(kind: str, tmp_path: Path) -> None:
    tf.saved_model.save(module(kind), str(tmp_path / "1"), signatures=module(kind).signatures())
    loaded = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    rows = gappy(["pump-1", "nobody"], WINDOW + 9)
    again = loaded(asset=tf.constant(["pump-1", "nobody"]), rows=tf.constant(rows))
    np.testing.assert_array_equal(again["score"].numpy(), graph(kind, ["pump-1", "nobody"], rows)["score"])


def test_the_graph_says_the_delays_that_its_thresholds_were_set_for(kind: str) -> None:
    answer = module(kind).alarm(tf.constant(["unknown", "pump-1"]))
    assert {name: delays.numpy().tolist() for name, delays in answer.items()} == {
        "on_delay": [3, 3], "off_delay": [10, 10],
    }  # fmt: skip
