"""Small SavedModels with eugenie's signature, whose answers tell which version computed them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from eugenie_cli.serving import manifest

WINDOW = 8
SENSORS = 3
ASSETS = ("pump-101", "pump-102")


def write_version(root: Path, name: str, version: int) -> Path:
    """`root/name/version`, published by rename.

    `score` is 1000 * version plus the sum of the window that ends at the row; an unknown asset scores NaN.
    """
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
            total = tf.reduce_sum(windows, axis=[2, 3])
            known = tf.reduce_any(asset[:, None] == tf.constant(ASSETS)[None, :], axis=1)
            score = tf.where(known[:, None], total + 1000.0 * version, float("nan"))
            last = windows[:, :, -1, :]
            return {"score": score, "contribution": tf.ones_like(last) / SENSORS, "expected": last}

    model = Model()
    hidden = root / f".{name}-{version}"
    tf.saved_model.save(model, str(hidden), signatures={"serving_default": model.score})
    info = manifest.ModelInfo(
        name, version, ("a", "b", "c"), ("", "", ""), WINDOW, (1,), 1_000, 5_000, ASSETS, "run", "data"
    )
    (hidden / manifest.LOCATION).parent.mkdir()
    (hidden / manifest.LOCATION).write_text(manifest.render(info))
    return publish(hidden, root / name / str(version))


def publish(hidden: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return hidden.rename(target)


def renumbered(template: Path, target: Path) -> Path:
    """A copy of a version under another number; published by rename."""
    hidden = target.parent.parent / f".{target.parent.name}-{target.name}"
    shutil.copytree(template, hidden)
    return publish(hidden, target)
