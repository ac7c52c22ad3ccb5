"""Scores history with an exported model version: the same graph that the server loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.serving import model_info

SEGMENT_ROWS = 4096
"""Rows scored in one call: hours at a step of seconds; the response is a few MB."""


class RowScores(NamedTuple):
    """T rows: score [T] (NaN: not scored), contribution [T, S], expected [T, S] in engineering units."""

    score: Floats
    contribution: Floats
    expected: Floats


class Graph:
    """The SavedModel in `directory` (`models/<class>/<version>`).

    Raises:
        EugenieError: `directory` holds no model version exported by eugenie.
    """

    def __init__(self, directory: Path) -> None:
        self.info = model_info.read(directory)
        import tensorflow as tf

        self._tf = tf
        self._model: Any = tf.saved_model.load(str(directory))  # kept, because signatures do not keep their model alive
        self._predict = self._model.signatures["serving_default"]

    def score(self, asset: str, rows: Floats, advance: Callable[[float], None] = lambda _: None) -> RowScores:
        """Score every row of `rows` float32 [T, S], contiguous grid rows of `asset` in time order.

        Rows before the first one count as missing, as they do in the stream. Segments overlap by M - 1 rows, so the
        result does not depend on where they are cut.
        """
        before = self.info.window - 1
        padded = np.concatenate([np.full((before, rows.shape[1]), np.nan, np.float32), rows.astype(np.float32)])
        score = np.full(len(rows), np.nan, np.float32)
        contribution = np.zeros(rows.shape, np.float32)
        expected = np.full(rows.shape, np.nan, np.float32)
        for first in range(0, len(rows), SEGMENT_ROWS):
            last = min(first + SEGMENT_ROWS, len(rows))
            if not np.isnan(rows[first:last]).all():  # no row of a long gap can have a score
                response = self._predict(
                    asset=self._tf.constant([asset]),
                    rows=self._tf.constant(padded[None, first : last + before]),
                )
                score[first:last] = response["score"].numpy()[0]
                contribution[first:last] = response["contribution"].numpy()[0]
                expected[first:last] = response["expected"].numpy()[0]
            advance(last - first)
        return RowScores(score, contribution, expected)
