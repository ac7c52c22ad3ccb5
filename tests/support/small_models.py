"""Small SavedModels with eugenie's signature, whose results show which version computed them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eugenie_cli.files import write_atomically
from eugenie_cli.serving import model_info
from eugenie_cli.serving.server_config import ReleasedModel, model_config_text

WINDOW = 8
SENSORS = 3
ASSETS = ("pump-101", "pump-102")
SITE = """\
site: small
workspace: work
classes:
  pump: {sensors: [{name: a}, {name: b}, {name: c}], model: {type: last-value, window: 8, horizons: [1]}}
assets:
  pump-101: {class: pump}
"""
"""A site file that fits such a model."""

Judge = Callable[[Any, int], tuple[Any, Any]]
"""(windows float32 [B, K, M, S], version) -> (score [B, K], contribution [B, K, S])."""


def thousands(windows: Any, version: int) -> tuple[Any, Any]:
    """1000 * version plus the sum of the window that ends at the row; every sensor contributes the same."""
    import tensorflow as tf

    return tf.reduce_sum(windows, axis=[2, 3]) + 1000.0 * version, tf.ones_like(windows[:, :, -1]) / SENSORS


def sixteenths(windows: Any, version: int) -> tuple[Any, Any]:
    """The sum of the window / 16, plus version / 65536; a sensor contributes by its value in the last row.

    Values that are multiples of 1/4 give scores that are exact in float32 in whatever order they are summed, so two
    runs can be compared to the last digit, and `version_of` recovers the version. As with real models, a row without a
    value or with less than eight tenths of its window has no score.
    """
    import tensorflow as tf

    present = tf.math.logical_not(tf.math.is_nan(windows))
    known = tf.where(present, windows, 0.0)
    rows = tf.reduce_any(present, axis=3)
    enough = tf.reduce_sum(tf.cast(rows, tf.float32), axis=2) >= 0.8 * WINDOW
    score = tf.reduce_sum(known, axis=[2, 3]) / 16.0 + version / 65536.0
    shares = known[:, :, -1] + 0.125
    contribution = shares / tf.reduce_sum(shares, axis=-1, keepdims=True)
    return tf.where(enough & rows[:, :, -1], score, float("nan")), contribution


def version_of(score: float) -> int:
    """The version encoded in a score of `sixteenths`; the rest of the score is a multiple of 1/64."""
    return round(score * 65536) % 1024


def write_version(
    root: Path, name: str, version: int, assets: Sequence[str] = ASSETS, judge: Judge = thousands, run_id: str = "run"
) -> Path:
    """Publish `root/name/version` by rename. It scores by `judge`; an unknown asset scores NaN. `run_id`: MLflow's."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.string, "asset"),
                tf.TensorSpec([None, None, SENSORS], tf.float32, "rows"),
            ]
        )
        def score(self, asset: tf.Tensor, rows: tf.Tensor) -> dict[str, tf.Tensor]:
            long_enough = tf.debugging.assert_greater_equal(tf.shape(rows)[1], WINDOW, "too few rows")
            with tf.control_dependencies([long_enough]):
                windows = tf.signal.frame(rows, WINDOW, 1, axis=1)
            score, contribution = judge(windows, version)
            known = tf.reduce_any(asset[:, None] == tf.constant(list(assets))[None, :], axis=1)
            score = tf.where(known[:, None], score, float("nan"))
            return {"score": score, "contribution": contribution, "expected": windows[:, :, -1, :]}

    model = Model()
    hidden = root / f".{name}-{version}"
    tf.saved_model.save(model, str(hidden), signatures={"serving_default": model.score})
    info = model_info.ModelInfo(
        name, version, ("a", "b", "c"), ("", "", ""), WINDOW, (1,), 1_000, 5_000, tuple(assets), run_id, "data"
    )
    (hidden / model_info.LOCATION).parent.mkdir()
    (hidden / model_info.LOCATION).write_text(model_info.render(info))
    return publish(hidden, root / name / str(version))


def publish(hidden: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return hidden.rename(target)


def renumbered(template: Path, target: Path) -> Path:
    """Publish a copy of a version as another version, perhaps of another class, by rename."""
    hidden = target.parent.parent / f".{target.parent.name}-{target.name}"
    shutil.copytree(template, hidden)
    info = replace(model_info.read(hidden), class_name=target.parent.name, version=int(target.name))
    (hidden / model_info.LOCATION).write_text(model_info.render(info))
    return publish(hidden, target)


def release(models: Path, name: str, version: int) -> None:
    """Release a version of the only class in `models` as its champion, for model servers to serve."""
    model = ReleasedModel(name, str((models / name).absolute()), (version,), {"champion": version})
    write_atomically(models / "models.config", model_config_text([model]), mode=0o644)
