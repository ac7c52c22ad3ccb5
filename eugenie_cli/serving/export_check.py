"""The gate of an export: the SavedModel, loaded again from disk, must say what the trained network says.

The graph that is served and the Keras network that was trained run different kernels; this is where a
difference between them is found, before anybody is alarmed or left in peace by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eugenie_cli.detection import reference
from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.serving.check_samples import SCORED_ROWS, UNKNOWN, Samples

TOLERANCE = 1e-3
"""Of a score (relative to it, where above 1), of a contribution, of a forecast in its deviations. The
graph computes in float32, its reference in float64: they differ by about 1e-5."""

_FLOAT32_STEPS = 1e-5
# of the value itself: an expected 100,000 Pa has no more digits in float32


@dataclass(frozen=True)
class Agreement:
    """How far the graph is from its reference on the samples."""

    largest: float
    """The largest difference, as a multiple of what is allowed: above 1 is a disagreement."""
    score_difference: float
    """The largest difference of scores, relative where they are above 1."""
    where: str
    """Output, asset, row and both values of `largest`."""
    scored: int
    """Scores that were compared as numbers; the others must be NaN on both sides."""

    @property
    def holds(self) -> bool:
        """False as well when nothing could be compared."""
        return self.scored > 0 and self.largest <= 1.0


def compare(directory: Path, detector: TrainedDetector, samples: Samples) -> Agreement:
    """Run the SavedModel in `directory` and the reference on the samples."""
    import tensorflow as tf

    served = tf.saved_model.load(str(directory)).signatures["serving_default"]
    answer = served(asset=tf.constant(samples.assets), rows=tf.constant(samples.rows))
    graph = {name: value.numpy().astype(np.float64) for name, value in answer.items()}
    slow = reference.score(detector, samples.assets, samples.rows)

    index = [detector.assets.index(asset) if asset != UNKNOWN else 0 for asset in samples.assets]
    deviation = np.asarray(detector.deviation, np.float64)[index][:, None, :]
    allowed = {
        "score": TOLERANCE * np.maximum(1.0, np.abs(slow.score)),
        "contribution": np.full(slow.contribution.shape, TOLERANCE),
        "expected": TOLERANCE * deviation + _FLOAT32_STEPS * np.abs(slow.expected),
    }
    excess = {name: _excess(graph[name], getattr(slow, name), limit) for name, limit in allowed.items()}
    worst = max(excess, key=lambda name: float(excess[name].max()))
    place = np.unravel_index(int(excess[worst].argmax()), excess[worst].shape)
    sensor = f", sensor {detector.sensors[place[2]]}" if len(place) == 3 else ""
    where = (
        f"{worst} of {samples.assets[place[0]]}, row {place[1] + 1} of {SCORED_ROWS}{sensor}: "
        f"SavedModel {graph[worst][place]:.6g}, trained network {getattr(slow, worst)[place]:.6g}"
    )
    scored = int((np.isfinite(graph["score"]) & np.isfinite(slow.score)).sum())
    difference = float((excess["score"] * TOLERANCE).max())
    return Agreement(float(excess[worst].max()), difference, where, scored)


def _excess(graph: np.ndarray, slow: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Difference over what is allowed; infinite where only one of the two is NaN."""
    one_is_nan = np.isnan(graph) != np.isnan(slow)
    with np.errstate(invalid="ignore"):
        ratio = np.abs(graph - slow) / np.where(np.isnan(allowed), 1.0, allowed)
    return np.where(one_is_nan, np.inf, np.nan_to_num(ratio, nan=0.0, posinf=np.inf))
