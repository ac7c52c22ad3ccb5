"""Rows of a stopped machine count as missing: in training, in the graph and in its reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from support import sample_detector

from eugenie_cli.detection import reference
from eugenie_cli.detection.operating_state import OperatingState
from eugenie_cli.detection.scoring import ScoringModule

PLAIN = sample_detector.detector()
CURRENT = PLAIN.sensors.index("current")
WINDOW = PLAIN.window


def score(detector, rows: np.ndarray) -> np.ndarray:
    answer = ScoringModule(detector).serving_default(tf.constant(["pump-1"]), tf.constant(rows, tf.float32))
    return answer["score"].numpy()[0]


@pytest.fixture
def rows() -> np.ndarray:
    """A pump that stops for 15 rows, 20 rows after the first full window."""
    made = sample_detector.rows_of(PLAIN, ["pump-1"], WINDOW + 120)
    made[0, :, CURRENT] = np.abs(made[0, :, CURRENT]) + 10
    made[0, WINDOW + 20 : WINDOW + 35, CURRENT] = 0.4
    return made


def test_a_row_without_the_sensor_counts_as_running() -> None:
    rule = OperatingState(1, 5.0)
    values = np.array([[1.0, 6.0], [1.0, 5.0], [1.0, np.nan]], np.float32)
    assert rule.stopped(values).tolist() == [False, True, False]
    assert np.isnan(rule.mask(values)).tolist() == [[False, False], [True, True], [False, True]]


@pytest.mark.slow
def test_stopped_rows_have_no_score_and_count_as_missing_to_those_after(rows: np.ndarray) -> None:
    running = replace(PLAIN, running=OperatingState(CURRENT, 5.0))
    scores = score(running, rows)
    stopped = slice(21, 36)  # score k belongs to row WINDOW - 1 + k
    assert np.isnan(scores[stopped]).all()
    assert np.isfinite(scores[:21]).all()
    assert np.isfinite(score(PLAIN, rows)).all()
    holes = rows.copy()
    holes[0, WINDOW + 20 : WINDOW + 35] = np.nan
    np.testing.assert_array_equal(scores, score(PLAIN, holes))
    assert np.isnan(scores[36:40]).all(), "the machine ran in less than eight tenths of the window"
    assert np.isfinite(scores[-WINDOW:]).all(), "long after the restart, all rows are scored again"


@pytest.mark.slow
def test_the_graph_agrees_with_its_reference_on_a_machine_that_stops(rows: np.ndarray) -> None:
    running = replace(PLAIN, running=OperatingState(CURRENT, 5.0))
    slow = reference.score(running, ["pump-1"], rows)
    np.testing.assert_allclose(score(running, rows), slow.score[0], rtol=1e-5, atol=1e-5)
