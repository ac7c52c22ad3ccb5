"""The fit compared with the plain recipe: windows copied from the history as arrays, `Model.fit` with batches of 32.

Both train with the same loss on the same plant, and by default the same network, in turns of one epoch with the same
number of windows, so that other load on the machine affects both. Each is judged after every epoch on the same held-out
windows, and ours continues until it is as good as the plain one. With `--assets`, a whole `eugenie train` of such a
plant is also measured, in a separate process.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import child_process, report
from benchmarks.common.plant import CLASS, SENSORS, START_MS, STEP_MS, UNITS, WINDOW, Plant
from eugenie_cli.console import Console
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import EquipmentClass

ROWS = 4_000
"""Rows of history for each of the plant's twenty assets."""

PLAIN_BATCH, PLAIN_RATE = 32, 0.001
"""Keras' defaults."""

MOST = 4
"""Limit of our epochs, as a multiple of the plain fit's."""

BATCH_ROWS = 5_000
"""Rows of an asset that are generated at once when a history is written."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.training", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--type", default="lstm", choices=("lstm", "minlstm"), help="the forecaster that ours fits")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of the plain fit")
    parser.add_argument("--assets", type=int, default=0, help="also measure `eugenie train` with this many assets")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of history for each of them")
    parser.add_argument("--sensors", type=int, default=len(SENSORS), help="sensors of each, at most 8")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    progress = Console()
    figures = fits(options.type, options.epochs, progress)
    if options.assets:
        with tempfile.TemporaryDirectory(prefix="eugenie-bench-") as folder, report.failures_in_words(progress):
            figures |= whole(Path(folder), options.assets, options.rows, options.sensors, progress)
    report.finish("training", figures)


def fits(kind: str, epochs: int, progress: Console) -> dict[str, Any]:
    """Our fit of a forecaster of this type and the plain fit of an LSTM, epoch by epoch in turns."""
    from eugenie_cli.training import devices, fit, trainer

    devices.use_one_thread_per_operation()
    plant = Plant(20)
    train, validation = windows(plant)
    settings = plant.site(Path()).classes[CLASS].model
    ours = trainer.Trainer(
        len(SENSORS), window=WINDOW, horizons=settings.horizons, units=UNITS,
        learning_rate=settings.learning_rate, seed=0, memory=kind,
    )  # fmt: skip
    judge = trainer.Trainer(
        len(SENSORS), window=WINDOW, horizons=settings.horizons, units=UNITS, learning_rate=PLAIN_RATE, seed=0
    )
    plain = Plain(train, settings.horizons)
    # a few steps of each first, so that building the graph does not count
    ours.epoch(train, settings.batch, 2 * settings.batch)
    plain.epoch(2 * PLAIN_BATCH)
    taken = {"ours": 0.0, "plain": 0.0}
    losses: dict[str, list[float]] = {"ours": [], "plain": []}

    def learn(name: str, epoch: Callable[[], object]) -> None:
        began = time.perf_counter()
        epoch()
        taken[name] += time.perf_counter() - began
        judge.model.set_weights(plain.model.get_weights())  # so both are judged by the same code on the same windows
        judged = judge if name == "plain" else ours
        losses[name].append(judged.validate(validation, settings.batch, fit.EPOCH_WINDOWS))
        progress.say(f"{name}: {windows_per_s(name):,.0f} windows/s, validation loss {losses[name][-1]:.4f}")

    def windows_per_s(name: str) -> float:
        return len(losses[name]) * fit.EPOCH_WINDOWS / taken[name]

    for _ in range(epochs):
        learn("plain", lambda: plain.epoch(fit.EPOCH_WINDOWS))
        learn("ours", lambda: ours.epoch(train, settings.batch, fit.EPOCH_WINDOWS))
    while min(losses["ours"]) > min(losses["plain"]) and len(losses["ours"]) < MOST * epochs:
        learn("ours", lambda: ours.epoch(train, settings.batch, fit.EPOCH_WINDOWS))
    ratio = windows_per_s("ours") / windows_per_s("plain")
    return {
        "windows_per_s": windows_per_s("ours"),
        "plain_windows_per_s": windows_per_s("plain"),
        "ratio_to_plain": ratio,
        "val_loss_ratio": min(losses["ours"]) / min(losses["plain"]),
        "plain_val_loss": min(losses["plain"]),
        "epochs": len(losses["ours"]),
        "plain_epochs": epochs,
        "seconds_ratio_to_loss": taken["plain"] / taken["ours"],
    }


class Plain:
    """The tutorial's way: copy every window into one array and call `fit`."""

    def __init__(self, train: Any, horizons: tuple[int, ...]) -> None:
        import keras
        import tensorflow as tf

        from eugenie_cli.detection import network
        from eugenie_cli.detection.detectors.options import BURN_IN
        from eugenie_cli.training import fit, trainer

        self._random = np.random.default_rng(0)
        self._chosen = self._random.permutation(train.starts)[: 8 * fit.EPOCH_WINDOWS]
        index = self._chosen[:, None] + np.arange(WINDOW)
        self._inputs = network.encode(train.rows[index])
        self._targets = np.stack([train.rows[index + ahead] for ahead in horizons], axis=2)
        self.model = network.build(len(SENSORS), len(horizons), UNITS, seed=0)

        huber = keras.losses.Huber()

        def loss(target: tf.Tensor, forecast: tf.Tensor) -> tf.Tensor:
            return huber(target[:, BURN_IN:], forecast[:, BURN_IN:])

        self.model.compile(optimizer=keras.optimizers.Adam(PLAIN_RATE, clipnorm=trainer.CLIP_NORM), loss=loss)

    def epoch(self, count: int) -> None:
        drawn = self._random.choice(len(self._chosen), count, replace=False)
        self.model.fit(self._inputs[drawn], self._targets[drawn], batch_size=PLAIN_BATCH, epochs=1, verbose=0)


def windows(plant: Plant) -> tuple[Any, Any]:
    """Training and validation windows of the plant's history, as training cuts them."""
    from eugenie_cli.detection import calibration
    from eugenie_cli.history.grid import Grid
    from eugenie_cli.training import build, datasets, mmap_arrays

    values = plant.values(-ROWS, ROWS).astype(np.float32)
    grids = [
        datasets.split(Grid(name, np.arange(ROWS), values[:, number]), np.ones(ROWS, bool), 0.25)
        for number, name in enumerate(plant.names)
    ]
    scale = calibration.scaling([grid.learnt_blocks for grid in grids])
    memory = mmap_arrays.Memory()
    joined = build.join(grids, scale, max(plant.site(Path()).classes[CLASS].model.horizons), memory)
    return build.windows(CLASS, grids, joined, WINDOW, memory)


def whole(folder: Path, assets: int, rows: int, sensors: int, progress: Console) -> dict[str, Any]:
    """Seconds and peak memory of `eugenie train` on a plant's history."""
    names = [f"pump-{number:04d}" for number in range(1, assets + 1)]
    described = ", ".join(f"{{name: {name}, unit: {unit}}}" for name, unit in SENSORS[:sensors])
    machines = "\n".join(f"  {name}: {{class: {CLASS}}}" for name in names)
    file = folder / "bench.yaml"
    file.write_text(
        f"site: bench\nworkspace: work\nclasses:\n  {CLASS}:\n    sensors: [{described}]\nassets:\n{machines}\n",
        encoding="utf-8",
    )
    site = load_site(file)
    with progress.task("history", total=assets * rows * sensors, unit="readings") as advance:
        for number, name in enumerate(names):
            open_history(site).commit("bench", readings(number, name, rows, site.classes[CLASS]), key=name)
            advance(rows * sensors)
    began = time.perf_counter()
    eugenie = Path(sys.executable).with_name("eugenie")
    argv = [eugenie, "train", "--site", str(file), "-o", "json"]
    child_process.run("eugenie train", argv, stdout=subprocess.DEVNULL)
    return {
        "train_s": time.perf_counter() - began,
        "train_peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "train_assets": assets,
        "train_rows": assets * rows,
        "train_sensors": sensors,
    }


def readings(asset: int, name: str, rows: int, equipment: EquipmentClass) -> Iterator[Batch]:
    """An asset's readings, a second apart; assets repeat the plant's twenty in turn."""
    plant, sensors = Plant(20), equipment.sensor_names
    series = [(name, sensor) for sensor in sensors]
    for first in range(0, rows, BATCH_ROWS):
        count = min(BATCH_ROWS, rows - first)
        values = plant.values(first, count)[:, asset % 20, : len(sensors)]
        ts = START_MS + STEP_MS * np.repeat(np.arange(first, first + count), len(sensors))
        yield Batch(series, np.tile(np.arange(len(sensors), dtype=np.int32), count), ts, values.ravel())


if __name__ == "__main__":
    main()
