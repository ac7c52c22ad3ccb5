"""The network uses only Keras: with any other installed backend of Keras, it gives the same forecasts and learns.

Keras chooses its backend once, on import, so each backend runs in its own process. The NumPy backend has no gradients,
and uses some functions of JAX.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eugenie_cli.detection import network

pytestmark = pytest.mark.slow

SENSORS, HORIZONS, UNITS, WINDOW = 3, 2, 6, 24

SCRIPT = """
import sys
import keras
import numpy as np
from eugenie_cli.detection import network

backend, folder, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])
assert keras.backend.backend() == backend
given = dict(np.load(f"{folder}/given.npz"))
rows, target = given.pop("rows"), given.pop("target")
model = network.restore(given, target.shape[-1], target.shape[-2])
forecast = keras.ops.convert_to_numpy(model(rows, training=False))
losses = []
if epochs:
    model.compile(optimizer=keras.optimizers.Adam(0.01, clipnorm=1.0), loss=keras.losses.Huber())
    losses = model.fit(rows, target, batch_size=16, epochs=epochs, verbose=0).history["loss"]
np.savez(f"{folder}/{backend}.npz", forecast=forecast, losses=losses)
"""


def under(kind: str, backend: str, folder: Path, epochs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """TensorFlow's forecasts of some windows, float32 [B, T, horizons, S], the other backend's forecasts with the same
    weights, and the losses of its epochs."""
    random = np.random.default_rng(0)
    values = np.cumsum(random.normal(0, 0.3, (64, WINDOW + HORIZONS, SENSORS)), axis=1).astype(np.float32)
    values[random.random(values.shape) < 0.05] = np.nan
    rows = network.encode(values[:, :WINDOW])
    target = np.nan_to_num(np.stack([values[:, horizon : horizon + WINDOW] for horizon in (1, 2)], axis=2))
    ours = network.build(SENSORS, HORIZONS, UNITS, kind=kind, seed=4)
    np.savez(folder / "given.npz", rows=rows, target=target, **network.weights_of(ours))  # type: ignore[arg-type]
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, backend, str(folder), str(epochs)],
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    with np.load(folder / f"{backend}.npz") as made:
        return np.asarray(ours(rows, training=False)), made["forecast"], made["losses"]


@pytest.mark.parametrize("kind", network.WEIGHTS)
@pytest.mark.parametrize(
    ("backend", "needs", "epochs"), [("numpy", "jax", 0), ("jax", "jax", 4), ("torch", "torch", 4)]
)
def test_the_network_says_the_same_and_learns(
    tmp_path: Path, tell, kind: str, backend: str, needs: str, epochs: int
) -> None:
    if importlib.util.find_spec(needs) is None:
        pytest.skip(f"Keras' backend {backend} needs {needs}, which is not installed")
    ours, other, losses = under(kind, backend, tmp_path, epochs)
    tell(f"{kind} under {backend}: at most {np.abs(other - ours).max():.1e} from TensorFlow's forecasts")
    np.testing.assert_allclose(other, ours, atol=1e-5)
    if epochs:
        assert losses[-1] < 0.9 * losses[0]
