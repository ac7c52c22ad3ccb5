"""A small plant with history, and a real SavedModel whose scores can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scored_plant import SITE, START, STEP, WINDOW, rows_of

from eugenie_cli.history.batch import Batch
from eugenie_cli.history.open import open_history
from eugenie_cli.serving import manifest
from eugenie_cli.site.load import load_site
from eugenie_cli.site.model import Site


@pytest.fixture(scope="session")
def plant(tmp_path_factory) -> Site:
    """Imported history of both pumps, and model version 3 exported."""
    folder = tmp_path_factory.mktemp("plant")
    file = folder / "plant.yaml"
    file.write_text(SITE.format(workspace=folder / "workspace"))
    site = load_site(file)
    batches = []
    for asset in site.assets:
        rows = rows_of(asset)
        batches += [
            Batch.of(
                (asset, name, START + index * STEP, value)
                for index, value in enumerate(rows[:, column])
                if not np.isnan(value)
            )
            for column, name in enumerate(("pressure", "flow"))
        ]
    open_history(site).commit("test", batches)
    export(folder / "workspace" / "models" / "pump" / "3")
    return site


def export(directory: Path, version: int = 3, factor: float = 1.0) -> None:
    """Score = `factor` x the largest distance of a window's mean from (10, 20); a sensor contributes its distance."""
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None, None, 2])])
        def serve(self, asset, rows):
            frames = tf.signal.frame(rows, WINDOW, 1, axis=1)
            there = tf.math.is_finite(frames)
            distance = tf.where(there, frames - [10.0, 20.0], 0.0)
            count = tf.reduce_sum(tf.cast(there, tf.float32), axis=2)
            mean = tf.abs(tf.reduce_sum(distance, axis=2)) / tf.maximum(count, 1.0)
            valid = there[:, :, -1, 0] & (count[:, :, 0] >= 0.8 * WINDOW)
            return {
                "score": tf.where(valid, factor * tf.reduce_max(mean, axis=-1), float("nan")),
                "contribution": mean / tf.reduce_sum(mean + 1e-9, axis=-1, keepdims=True),
                "expected": tf.broadcast_to([10.0, 20.0], tf.shape(mean)),
            }

    model = Model()
    tf.saved_model.save(model, str(directory), signatures={"serving_default": model.serve})
    info = manifest.ModelInfo(
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
    (directory / manifest.LOCATION).parent.mkdir(exist_ok=True)
    (directory / manifest.LOCATION).write_text(manifest.render(info))
