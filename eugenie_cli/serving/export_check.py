"""The gate of an export: the SavedModel, reloaded from disk, must give the same scores as the trained network.

The served graph and the trained Keras network run different kernels. This check finds a difference between them before
it can cause a false or a missed alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eugenie_cli.detection import reference
from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.serving.check_samples import SCORED_ROWS, UNKNOWN, Samples

TOLERANCE = 1e-3
"""Tolerance of a score (relative for scores above 1), of a contribution, and of a forecast in units of its deviation.
The graph computes in float32, the reference in float64: they differ by about 1e-5."""

_FLOAT32_STEPS = 1e-5
# relative to the value: float32 gives an expected 100,000 Pa no more digits


@dataclass(frozen=True)
class Agreement:
    """The difference between the graph and its reference on the samples."""

    largest: float
    """The largest difference as a multiple of the tolerance; above 1 is a disagreement."""
    score_difference: float
    """The largest difference in score, relative for scores above 1."""
    where: str
    """Output, asset, row and both values of `largest`."""
    scored: int
    """Number of scores compared as numbers; all others must be NaN on both sides."""

    @property
    def holds(self) -> bool:
        """Whether the graph agrees with its reference; False also when nothing could be compared."""
        return self.scored > 0 and self.largest <= 1.0


def compare(directory: Path, detector: TrainedDetector, samples: Samples) -> Agreement:
    """Run the SavedModel in `directory` and the reference on the samples, and compare their outputs."""
    import tensorflow as tf

    served = tf.saved_model.load(str(directory)).signatures["serving_default"]
    answer = served(asset=tf.constant(samples.assets), rows=tf.constant(samples.rows))
    graph = {name: value.numpy().astype(np.float64) for name, value in answer.items()}
    trained = reference.score(detector, samples.assets, samples.rows)

    index = [detector.assets.index(asset) if asset != UNKNOWN else 0 for asset in samples.assets]
    deviation = np.asarray(detector.deviation, np.float64)[index][:, None, :]
    allowed = {
        "score": TOLERANCE * np.maximum(1.0, np.abs(trained.score)),
        "contribution": np.full(trained.contribution.shape, TOLERANCE),
        "expected": TOLERANCE * deviation + _FLOAT32_STEPS * np.abs(trained.expected),
    }
    excess = {name: _excess(graph[name], getattr(trained, name), limit) for name, limit in allowed.items()}
    worst = max(excess, key=lambda name: float(excess[name].max()))
    position = np.unravel_index(int(excess[worst].argmax()), excess[worst].shape)
    sensor = f", sensor {detector.sensors[position[2]]}" if len(position) == 3 else ""
    where = (
        f"{worst} of {samples.assets[position[0]]}, row {position[1] + 1} of {SCORED_ROWS}{sensor}: "
        f"SavedModel {graph[worst][position]:.6g}, trained network {getattr(trained, worst)[position]:.6g}"
    )
    scored = int((np.isfinite(graph["score"]) & np.isfinite(trained.score)).sum())
    difference = float((excess["score"] * TOLERANCE).max())
    return Agreement(float(excess[worst].max()), difference, where, scored)


def _excess(graph: np.ndarray, trained: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The difference divided by the tolerance; infinite where only one of the two is NaN."""
    one_is_nan = np.isnan(graph) != np.isnan(trained)
    with np.errstate(invalid="ignore"):
        ratio = np.abs(graph - trained) / np.where(np.isnan(allowed), 1.0, allowed)
    return np.where(one_is_nan, np.inf, np.nan_to_num(ratio, nan=0.0, posinf=np.inf))
