"""Scores history with an exported model version: the same graph that the server loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.segments import RowScores, score_rows
from eugenie_cli.serving import model_info


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
        """Score every row of `rows` float32 [T, S], as `score_rows` does."""

        def predict(asset: str, segment: Floats) -> Mapping[str, Any]:
            outputs: Mapping[str, Any] = self._predict(
                asset=self._tf.constant([asset]), rows=self._tf.constant(segment)
            )
            return outputs

        return score_rows(predict, self.info.window, asset, rows, advance)
