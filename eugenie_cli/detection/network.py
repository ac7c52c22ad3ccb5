"""The forecaster's network: sequence to sequence, it forecasts the next rows at every position of the window.

One pass over a window therefore gives the forecast errors of all its later rows. Each horizon has a direct head, so no
forecast is fed back. Its memory is an LSTM, or the minimal LSTM of `min_lstm`.
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

LSTM, MIN_LSTM = "lstm", "minlstm"
_LATER_WEIGHTS = ("dense_kernel", "dense_bias", "head_kernel", "head_bias")
WEIGHTS: Mapping[str, tuple[str, ...]] = {
    LSTM: ("lstm_kernel", "lstm_recurrent", "lstm_bias", *_LATER_WEIGHTS),
    MIN_LSTM: ("features_kernel", "features_bias", "gates_kernel", "gates_bias", *_LATER_WEIGHTS),
}
"""Names of the weights by the type of memory, in the order of the Keras network."""


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
    kind: str = LSTM,
    seed: int = 0,
    memory: type[keras.layers.RNN] | None = None,
    noise: type[keras.layers.GaussianNoise] | None = None,
) -> keras.Model:
    """The network: float32 [B, T, 2S] -> float32 [B, T, horizons, S], any T.

    Output [b, t, i] is the forecast of scaled row t + horizons[i] from rows 0..t. `kind`: the type of its memory, a key
    of `WEIGHTS`. `memory` and `noise` replace the classes of these layers; the weights are the same.
    """
    import keras

    def initial(offset: int, kind: str = "GlorotUniform") -> Any:
        return getattr(keras.initializers, kind)(seed=seed + offset)

    rows = keras.Input((None, 2 * sensors), name="rows")
    if kind == MIN_LSTM:
        from eugenie_cli.detection.min_lstm import MinLSTMCell

        cell = MinLSTMCell(units, kernels=(initial(1), initial(2)))
        layer = (memory or keras.layers.RNN)(cell, return_sequences=True, name="memory")
    else:
        layer = (memory or keras.layers.LSTM)(
            units,
            return_sequences=True,
            kernel_initializer=initial(1),
            recurrent_initializer=initial(2, "Orthogonal"),
            name="memory",
        )
    hidden = (noise or keras.layers.GaussianNoise)(HIDDEN_NOISE, seed=seed + 3, name="noise")(layer(rows))
    narrow = keras.layers.Dense(bottleneck(sensors), kernel_initializer=initial(4), name="narrow")(hidden)
    heads = keras.layers.Dense(horizons * sensors, kernel_initializer=initial(5), name="heads")(narrow)
    # -1, because the length may differ from call to call
    shaped = keras.layers.Reshape((-1, horizons, sensors), name="forecast")(heads)
    return keras.Model(rows, shaped, name=kind)


def weights_of(model: keras.Model) -> dict[str, Floats]:
    """The network's weights by name (`WEIGHTS`). An LSTM's gates are in Keras' order: input, forget, candidate, output;
    those of a minimal LSTM in the order a, c, o of `min_lstm`."""
    return dict(zip(WEIGHTS[model.name], (np.array(weight) for weight in model.get_weights()), strict=True))


def set_weights(model: keras.Model, weights: Mapping[str, Floats]) -> None:
    """Gives the network `weights`, by name. Raises ValueError if shapes disagree."""
    model.set_weights([weights[name] for name in WEIGHTS[model.name]])


def kind_of(weights: Mapping[str, Floats]) -> str:
    """The type of memory to which `weights` belong."""
    return next(kind for kind, names in WEIGHTS.items() if set(names) == set(weights))


def units_of(weights: Mapping[str, Floats]) -> int:
    """Units of the memory."""
    return int(weights["dense_kernel"].shape[0])


def restore(weights: Mapping[str, Floats], sensors: int, horizons: int) -> keras.Model:
    """The Keras network with `weights`. Raises ValueError if shapes disagree."""
    model = build(sensors, horizons, units_of(weights), kind=kind_of(weights))
    set_weights(model, weights)
    return model
