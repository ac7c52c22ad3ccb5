"""The exported graph compared with a plain export of the same Keras network, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common.plant import CLASS, Plant
from eugenie_cli.progress import Progress
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

if TYPE_CHECKING:
    from eugenie_cli.detection.detector import ForecasterDetector

BATCHES = (1, 32)

Run = Callable[[], Any]


def exported(
    site: Site, plant: Plant, detector: ForecasterDetector, seconds: float, progress: Progress
) -> dict[str, Any]:
    """Windows per second of the exported forecast and of a plain export of the Keras network, and their difference."""
    import tensorflow as tf

    from eugenie_cli.detection import network

    keras_folder = site.base / "keras"
    horizons, sensors = len(detector.horizons), len(detector.sensors)
    network.restore(detector.network, sensors, horizons).export(str(keras_folder), verbose=False)
    keras_graph = tf.saved_model.load(str(keras_folder)).signatures["serving_default"]
    ours = tf.saved_model.load(str(workspace_of(site).models / CLASS / "1")).signatures

    figures: dict[str, Any] = {}
    largest = 0.0
    for batch in BATCHES:
        values = windows(plant, detector, batch)
        mean, deviation = detector.mean[:batch, None], detector.deviation[:batch, None]
        encoded = tf.constant(network.encode(network.scale(values, mean, deviation)))
        asset, rows = tf.constant(list(plant.names[:batch])), tf.constant(values)
        runs: dict[str, Run] = {
            "keras": lambda encoded=encoded: keras_graph(encoded),
            "forecast": lambda asset=asset, rows=rows: ours["forecast"](asset=asset, rows=rows),
            "score": lambda asset=asset, rows=rows: ours["serving_default"](asset=asset, rows=rows),
        }
        theirs = next(iter(runs["keras"]().values())).numpy()[:, -1]
        forecast = (runs["forecast"]()["forecast"].numpy() - mean) / deviation
        largest = max(largest, float(np.abs(theirs - forecast).max()))
        rates = {name: rate * batch for name, rate in in_turns(runs, seconds).items()}
        figures |= {f"{name}_windows_per_s_b{batch}": rate for name, rate in rates.items()}
        figures[f"export_ratio_b{batch}"] = rates["forecast"] / rates["keras"]
        figures[f"export_ratio_with_scores_b{batch}"] = rates["score"] / rates["keras"]
        progress.say(f"batch {batch}: {rates['forecast']:,.0f} windows/s, plain Keras {rates['keras']:,.0f}")
    return {**figures, "max_abs_difference": largest}


def windows(plant: Plant, detector: ForecasterDetector, count: int) -> np.ndarray:
    """float32 [count, M, S], engineering units: one window of each of the first assets."""
    values = plant.values(0, detector.window).astype(np.float32)
    asset = np.arange(count) % values.shape[1]
    return np.ascontiguousarray(values[:, asset].transpose(1, 0, 2))


def in_turns(runs: dict[str, Run], seconds: float) -> dict[str, float]:
    """Runs per second of each, in short turns, so that other load on the machine affects all alike."""
    taken, done = dict.fromkeys(runs, 0.0), dict.fromkeys(runs, 0)
    for run in runs.values():
        for _ in range(5):
            run()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name, run in runs.items():
            began = time.perf_counter()
            for _ in range(10):
                run()
            taken[name] += time.perf_counter() - began
            done[name] += 10
    return {name: done[name] / taken[name] for name in runs}
