"""The fit: the fast layers equal Keras' layers, the same seed gives the same weights, an interrupted fit resumes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from eugenie_cli.detection.min_lstm import MinLSTMCell
from eugenie_cli.site.detectors import LstmSettings
from eugenie_cli.training import fit, recurrence, xla
from eugenie_cli.training.batches import Windows
from eugenie_cli.training.checkpoint import Checkpoint, State
from eugenie_cli.training.layers import FusedLSTM, RowsFirstLSTM, ScannedMinLSTM
from eugenie_cli.training.trainer import huber

pytestmark = pytest.mark.slow

WINDOW, SENSORS = 24, 3
SETTINGS = {"window": WINDOW, "horizons": [1, 3], "units": 6, "epochs": 3, "batch": 336, "learning_rate": 0.01}


def windows(part: int, seed: int = 0, rows: int = 700) -> Windows:
    random = np.random.default_rng(seed)
    load = np.convolve(random.normal(size=rows + 29), np.hanning(30) / 4, mode="valid")[:, None]
    values = (load * [1.0, -0.7, 0.4] + random.normal(0, 0.1, (rows, SENSORS))).astype(np.float32)
    values[random.random(values.shape) < 0.02] = np.nan
    return Windows(values, np.full(rows, part, np.int8), part, np.arange(rows - WINDOW - 3))


def fitted(seed: int = 0, devices: Any = None, **changes: Any) -> fit.Fit:
    settings = LstmSettings(
        type="lstm", **{name: changes.pop(name, value) for name, value in SETTINGS.items()}, seed=seed
    )
    return fit.fit(windows(1), windows(2, seed=1), settings, fit.FitOptions(**changes), devices)


@pytest.fixture(scope="module")
def undisturbed() -> fit.Fit:
    return fitted()


LAYERS: dict[str, tuple[type, type, Any]] = {
    "fused": (keras.layers.LSTM, FusedLSTM, lambda: 7),
    "rows first": (keras.layers.LSTM, RowsFirstLSTM, lambda: 7),
    "scanned": (keras.layers.RNN, ScannedMinLSTM, lambda: MinLSTMCell(7)),
}
"""Keras' layer, ours, and what both are made of."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LAYERS, "scanned without XLA"])
def test_the_layer_is_keras_layer_forwards_and_backwards(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.endswith("without XLA"):
        monkeypatch.setattr(xla, "works", lambda: False)
    *layers, made_of = LAYERS[name.removesuffix(" without XLA")]
    plain, ours = (layer(made_of(), return_sequences=True) for layer in layers)
    windows = np.random.default_rng(0).normal(size=(5, 30, 4)).astype(np.float32)
    blame = np.random.default_rng(1).normal(size=(5, 30, 7)).astype(np.float32)
    answers, gradients = [], []
    for memory, order in ((plain, (0, 1, 2)), (ours, (1, 0, 2))):
        rows = tf.constant(windows.transpose(order))
        memory.build(rows.shape)
        memory.set_weights([np.random.default_rng(2).normal(0, 0.4, w.shape) for w in memory.get_weights()])
        with tf.GradientTape() as tape:
            tape.watch(rows)
            hidden = memory(rows)
            loss = tf.reduce_sum(hidden * blame.transpose(order))
        of_rows, *of_weights = tape.gradient(loss, [rows, *memory.trainable_variables])
        answers.append(tf.transpose(hidden, order))
        gradients.append([tf.transpose(of_rows, order), *of_weights])
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-5)
    for of_plain, of_ours in zip(*gradients, strict=True):
        np.testing.assert_allclose(of_ours, of_plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("run", [recurrence.looped, recurrence.doubled])
@pytest.mark.parametrize("rows", [1, 2, 13])
def test_the_recurrence_and_its_gradient_are_those_of_a_plain_loop(run: Any, rows: int) -> None:
    random = np.random.default_rng(rows)
    a, b, blame = (tf.constant(random.normal(size=(rows, 3)).astype(np.float32)) for _ in range(3))
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        states = [b[0]]
        for row in range(1, rows):
            states.append(a[row] * states[-1] + b[row])
        plain = tf.stack(states)
    # the state before the first row is 0, so its a has no effect
    _, of_b = expected = tape.gradient(plain, [a, b], output_gradients=blame)
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        ours = run(a, b)
    np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-6)
    for of_ours, of_plain in zip(tape.gradient(ours, [a, b], output_gradients=blame), expected, strict=True):
        np.testing.assert_allclose(of_ours, tf.zeros_like(of_b) if of_plain is None else of_plain, rtol=1e-4, atol=1e-5)


def test_the_loss_and_its_gradient_are_hubers() -> None:
    random = np.random.default_rng(0)
    target, forecast = (tf.constant(random.normal(0, 1.5, (40, 3)).astype(np.float32)) for _ in range(2))
    with tf.GradientTape() as tape:
        tape.watch(forecast)
        expected = keras.losses.Huber(reduction="sum")(target, forecast) * target.shape[-1]
    expected_gradient = tape.gradient(expected, forecast)
    missing = tf.concat([target, tf.fill([40, 1], np.nan)], axis=1)
    with tf.GradientTape() as tape:
        tape.watch(forecast)
        loss = 2.0 * huber(missing, tf.concat([forecast, tf.ones([40, 1])], axis=1))
    np.testing.assert_allclose(loss, 2.0 * expected, rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(loss, forecast), 2.0 * expected_gradient, rtol=1e-5)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(undisturbed: fit.Fit) -> None:
    again, other = fitted(), fitted(seed=1)
    for name, weights in undisturbed.network.items():
        np.testing.assert_array_equal(weights, again.network[name])
    assert (undisturbed.network["lstm_kernel"] != other.network["lstm_kernel"]).any()
    assert [epoch.loss for epoch in undisturbed.epochs] == [epoch.loss for epoch in again.epochs]


class Killed(BaseException):
    """An exception that nothing handles."""


@pytest.mark.slow
def test_a_fit_resumes_after_its_last_epoch_with_the_same_result(tmp_path: Path, undisturbed: fit.Fit) -> None:
    checkpoint = Checkpoint(tmp_path, "recipe")

    def kill(done: fit.Epoch) -> None:
        if done.number == 1:
            raise Killed

    with pytest.raises(Killed):
        fitted(checkpoint=checkpoint, on_epoch=kill)
    reported: list[int] = []
    resumed = fitted(checkpoint=checkpoint, on_epoch=lambda done: reported.append(done.number))
    assert reported == list(range(len(undisturbed.epochs)))
    assert [done.validation for done in resumed.epochs] == [done.validation for done in undisturbed.epochs]
    for name, weights in undisturbed.network.items():
        np.testing.assert_array_equal(weights, resumed.network[name])


def test_a_damaged_checkpoint_is_ignored_and_others_are_dropped(tmp_path: Path) -> None:
    old, new = Checkpoint(tmp_path / "pump", "old"), Checkpoint(tmp_path / "pump", "new")
    for checkpoint in (old, new):
        checkpoint.save(State({"a": np.arange(200)}, {"epochs": []}))
    assert old.load() is None and new.load() is not None
    new.file.write_bytes(new.file.read_bytes()[:-200])
    assert new.load() is None
    new.clear()
    assert list(tmp_path.iterdir()) == []


DEVICES = """
import sys
import tensorflow as tf
count = int(sys.argv[1])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
sys.path.insert(0, sys.argv[2])
import test_fit
from eugenie_cli.detection import network
from eugenie_cli.training import devices
network.HIDDEN_NOISE = 0.0  # every device draws its own noise
assert devices.present().replicas == count, devices.present()
print(*(epoch.validation for epoch in test_fit.fitted(batch=337).epochs))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("EUGENIE_CHAOS") != "full", reason="takes half a minute: with EUGENIE_CHAOS=full")
def test_two_devices_learn_what_one_learns(tell) -> None:
    losses = {}
    for count in (1, 2):
        run = subprocess.run(
            [sys.executable, "-c", DEVICES, str(count), str(Path(__file__).parent)],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr[-3000:]
        losses[count] = [float(word) for word in run.stdout.split()]
    tell(f"validation loss after 3 epochs on one device {losses[1][-1]:.6f}, on two {losses[2][-1]:.6f}")
    np.testing.assert_allclose(losses[2], losses[1], rtol=1e-3)
