"""A small detector with random weights: its scores are meaningless, but it exercises all of the arithmetic."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection import combination, linear_path, network
from eugenie_cli.detection.alarm_forecast import AlarmForecast, Rates
from eugenie_cli.detection.alarm_policy import AlarmDecision
from eugenie_cli.detection.covariance import Baseline, whitener
from eugenie_cli.detection.detector import AssetCalibration, Calibration, ForecasterDetector, TrainedDetector
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.rate_interval import Interval
from eugenie_cli.detection.residual_variance import Scatter
from eugenie_cli.episodes.delays import Delays

SENSORS = ("flow", "pressure", "current", "temperature", "vibration")
ASSETS = ("pump-1", "pump-2", "pump-3")

EXPECTED = Rates(Interval(0.001, 0.004), Interval(0.01, 0.2))
"""Of every asset, and of all."""


def detector(
    window: int = 40,
    warmup: int = 20,
    horizons: tuple[int, ...] = (1, 5, 10),
    seed: int = 0,
    kind: str = network.LSTM,
) -> ForecasterDetector:
    """A forecaster of type `kind`, of three assets and five sensors, one of them context."""
    random = np.random.default_rng(seed)
    sensors, assets = len(SENSORS), len(ASSETS)
    scored = np.array([True, True, True, False, True])
    memory = network.LSTM if kind == registry.AUTO else kind
    weights = network.weights_of(network.build(sensors, len(horizons), 12, kind=memory, seed=seed))
    weights = {
        name: value + 0.2 * random.normal(size=value.shape).astype(np.float32) for name, value in weights.items()
    }
    linear, units_of_parts = None, None
    if kind == registry.AUTO:
        lags, carried = linear_path.memory(warmup, horizons)
        kernel = random.normal(0, 0.15, (lags, sensors, len(horizons), sensors)).astype(np.float32)
        bias = random.normal(0, 0.1, (len(horizons), sensors)).astype(np.float32)
        linear = linear_path.LinearPath(kernel, bias, carried)
        units_of_parts = random.uniform(1, 3, (assets, combination.COUNT)).astype(np.float32)
    return ForecasterDetector(
        type=kind, class_name="pump", assets=ASSETS, sensors=SENSORS, units=("m3/h", "bar", "A", "°C", "mm/s"),
        window=window, warmup=warmup, horizons=horizons, step_ms=1000, max_gap_ms=5000, scored=scored, network=weights,
        mean=random.normal(50, 10, (assets, sensors)).astype(np.float32),
        deviation=random.uniform(0.5, 5, (assets, sensors)).astype(np.float32),
        residual=baseline(random, assets, int(scored.sum())), level=baseline(random, assets, int(scored.sum())),
        scatter=Scatter(
            random.normal(0, 0.1, (assets, int(scored.sum()))).astype(np.float32),
            random.uniform(0.2, 1, (assets, int(scored.sum()))).astype(np.float32),
        ),
        linear=linear, units_of_parts=units_of_parts,
        threshold=random.uniform(2, 4, assets).astype(np.float32),
        calibration=Calibration(
            0.01, 1.2, 0.008,
            tuple(AssetCalibration(name, 500, False, 2.0, 0.005, 2000, 0.2, "flow") for name in ASSETS),
            AlarmDecision(Delays(3, 10), 1 / 90, 1 / 30, 20.0),
            AlarmForecast(EXPECTED, dict.fromkeys(ASSETS, EXPECTED)),
        ),
    )  # fmt: skip


def baseline(random: np.random.Generator, assets: int, sensors: int) -> Baseline:
    """A correlated baseline for each asset."""
    parts = [
        whitener(random.normal(size=(400, sensors)) @ random.normal(size=(sensors, sensors)) * 0.3)
        for _ in range(assets)
    ]
    return Baseline(*(np.stack(part).astype(np.float32) for part in zip(*parts, strict=True)))


def rows_of(made: TrainedDetector, assets: list[str], length: int, seed: int = 1) -> np.ndarray:
    """Random-walk rows float32 [B, L, S], in engineering units."""
    random = np.random.default_rng(seed)
    wander = np.cumsum(random.normal(0, 0.15, (len(assets), length, len(SENSORS))), axis=1)
    index = [made.assets.index(asset) if asset in made.assets else 0 for asset in assets]
    return (made.mean[index][:, None] + wander * made.deviation[index][:, None]).astype(np.float32)
