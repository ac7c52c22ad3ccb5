"""A small plant for evaluation tests: its site file and its rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eugenie_cli.serving import model_info
from eugenie_cli.site.schema import Site
from eugenie_cli.training import mlflow_store

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP = 1_000
WINDOW = 10
NORMAL_ROWS = 400
ROWS = 1_000
FAULT = range(700, 760)
"""Rows in which the flow of pump p-1 is four units too high."""
GAP = range(500, 530)
"""Rows of p-1 without a reading."""

SITE = """
site: plant
workspace: {workspace}
classes:
  pump:
    sensors: [{{name: pressure, unit: bar}}, {{name: flow, unit: l/s}}]
    step: 1s
    max_gap: 1s
    model: {{type: last-value, window: 10, horizons: [1]}}
    alarm: {{budget: 0.01, on_delay: 3, off_delay: 3}}
assets:
  p-1: {{class: pump, normal: [{{start: 2026-01-01T00:00:00Z, end: 2026-01-01T00:06:40Z}}]}}
  p-2: {{class: pump, normal: [{{start: 2026-01-01T00:00:00Z, end: 2026-01-01T00:06:40Z}}]}}
"""


def rows_of(asset: str) -> np.ndarray:
    """float64 [ROWS, 2]."""
    generator = np.random.default_rng(int(asset[-1]))
    rows = np.array([10.0, 20.0]) + 0.5 * generator.normal(size=(ROWS, 2))
    if asset == "p-1":
        rows[FAULT, 1] += 4.0
        rows[GAP] = np.nan
    return rows


def export(directory: Path, version: int = 3, factor: float = 1.0) -> None:
    """Export a model: score = `factor` x the largest distance of a window's mean from (10, 20), to which a sensor
    contributes its own distance."""
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None, None, 2])])
        def serve(self, asset, rows):
            frames = tf.signal.frame(rows, WINDOW, 1, axis=1)
            present = tf.math.is_finite(frames)
            distance = tf.where(present, frames - [10.0, 20.0], 0.0)
            count = tf.reduce_sum(tf.cast(present, tf.float32), axis=2)
            mean = tf.abs(tf.reduce_sum(distance, axis=2)) / tf.maximum(count, 1.0)
            valid = present[:, :, -1, 0] & (count[:, :, 0] >= 0.8 * WINDOW)
            return {
                "score": tf.where(valid, factor * tf.reduce_max(mean, axis=-1), float("nan")),
                "contribution": mean / tf.reduce_sum(mean + 1e-9, axis=-1, keepdims=True),
                "expected": tf.where(valid[..., None], tf.broadcast_to([10.0, 20.0], tf.shape(mean)), float("nan")),
            }

    model = Model()
    tf.saved_model.save(model, str(directory), signatures={"serving_default": model.serve})
    info = model_info.ModelInfo(
        "pump",
        version,
        ("pressure", "flow"),
        ("bar", "l/s"),
        WINDOW,
        (1,),
        STEP,
        STEP,
        ("p-1", "p-2"),
        "run",
        "data",
    )
    (directory / model_info.LOCATION).parent.mkdir(exist_ok=True)
    (directory / model_info.LOCATION).write_text(model_info.render(info))


def register(site: Site, *runs: str) -> None:
    """Register versions of the class from runs that no longer exist."""
    client = mlflow_store.client(site)
    name = mlflow_store.registered_name(site, "pump")
    client.create_registered_model(name)
    for run in runs:
        client.create_model_version(name, str(site.base), run, await_creation_for=0)
