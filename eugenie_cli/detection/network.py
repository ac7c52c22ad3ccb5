"""The modified LSTM: sequence to sequence, it forecasts the next rows at every position of the window.

One pass over a window therefore gives the forecast errors of all its later rows. Each horizon has a direct head, so no
forecast is fed back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from eugenie_cli.detection.arrays import Floats

if TYPE_CHECKING:
    import keras

# Noise on the hidden state keeps the forecast from relying on fine detail of recent values, which faults also affect.
HIDDEN_NOISE = 0.1
# Values are clipped at this many deviations, so that a single outlier does not dominate the window.
CLIP = 8.0
# Least width of the narrow layer between memory and forecast, which makes the forecast follow what sensors share.
MIN_BOTTLENECK = 8

WEIGHTS = (
    "lstm_kernel",
    "lstm_recurrent",
    "lstm_bias",
    "dense_kernel",
    "dense_bias",
    "head_kernel",
    "head_bias",
)


def bottleneck(sensors: int) -> int:
    """Width of the layer between memory and forecast."""
    return max(MIN_BOTTLENECK, sensors // 2)


def encode(scaled: Floats) -> Floats:
    """Network input: values with 0 where missing, then 1 where present.

    float [..., S] with NaN -> float32 [..., 2S].
    """
    present = np.isfinite(scaled)
    return np.concatenate([np.where(present, scaled, 0.0), present], axis=-1).astype(np.float32)


def scale(rows: Floats, mean: Floats, deviation: Floats) -> Floats:
    """Engineering units -> clipped deviations from normal; NaN stays NaN."""
    scaled: Floats = np.clip((rows - mean) / deviation, -CLIP, CLIP)
    return scaled


def build(
    sensors: int,
    horizons: int,
    units: int,
    *,
    seed: int = 0,
    memory: type[keras.layers.LSTM] | None = None,
    noise: type[keras.layers.GaussianNoise] | None = None,
) -> keras.Model:
    """The network: float32 [B, T, 2S] -> float32 [B, T, horizons, S], any T.

    Output [b, t, i] is the forecast of scaled row t + horizons[i] from rows 0..t. `memory` and `noise` replace the
    classes of these layers; the weights are the same.
    """
    import keras

    def initial(offset: int, kind: str = "GlorotUniform") -> Any:
        return getattr(keras.initializers, kind)(seed=seed + offset)

    rows = keras.Input((None, 2 * sensors), name="rows")
    hidden = (memory or keras.layers.LSTM)(
        units,
        return_sequences=True,
        kernel_initializer=initial(1),
        recurrent_initializer=initial(2, "Orthogonal"),
        name="memory",
    )(rows)
    hidden = (noise or keras.layers.GaussianNoise)(HIDDEN_NOISE, seed=seed + 3, name="noise")(hidden)
    narrow = keras.layers.Dense(bottleneck(sensors), kernel_initializer=initial(4), name="narrow")(hidden)
    heads = keras.layers.Dense(horizons * sensors, kernel_initializer=initial(5), name="heads")(narrow)
    # -1, because the length may differ from call to call
    shaped = keras.layers.Reshape((-1, horizons, sensors), name="forecast")(heads)
    return keras.Model(rows, shaped, name="forecaster")


def weights_of(model: keras.Model) -> dict[str, Floats]:
    """The network's weights by name (`WEIGHTS`), with gates in Keras' order: input, forget, candidate, output."""
    return dict(zip(WEIGHTS, (np.array(weight) for weight in model.get_weights()), strict=True))


def restore(weights: Mapping[str, Floats], sensors: int, horizons: int) -> keras.Model:
    """The Keras network with `weights`. Raises ValueError if shapes disagree."""
    model = build(sensors, horizons, weights["lstm_recurrent"].shape[0])
    model.set_weights([weights[name] for name in WEIGHTS])
    return model
