"""A small class for fitting every detector type except the forecaster: one load drives all sensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from eugenie_cli.detection.alarm_policy import AlarmPolicy
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.detectors.classical import AssetRows, ClassicalDetector, fit
from eugenie_cli.detection.detectors.options import ChartOptions, ForestOptions, LastValueOptions, PcaOptions

SENSORS = ("flow", "pressure", "current", "room", "vibration")
ASSETS = ("pump-1", "pump-2", "pump-3")
ROWS = 1500
HELD_OUT = slice(1100, None)
OPTIONS: dict[str, Any] = {
    "pca-q": PcaOptions(window=8),
    "pca-t2": PcaOptions(window=8, explained=0.8),
    "mewma": ChartOptions(window=30),
    "isolation-forest": ForestOptions(window=30, trees=40, samples=128),
    "last-value": LastValueOptions(window=30, horizons=(1, 4)),
}


def rows_of(asset: str, seed: int = 0, rows: int = ROWS) -> np.ndarray:
    """float32 [rows, 5] in engineering units; the room's temperature is context."""
    random = np.random.default_rng((seed, ASSETS.index(asset)))
    load = np.convolve(random.normal(size=rows + 39), np.hanning(40) / 4, mode="valid")[:, None]
    noise = random.normal(size=(rows, len(SENSORS)))
    mixed = load * [1.0, -0.8, 0.6, 0.0, 0.4] + noise * [0.3, 0.3, 0.2, 1.0, 0.5]
    return (mixed * [4.0, 0.2, 30.0, 2.0, 0.1] + [50.0, 6.0, 400.0, 20.0, 2.0]).astype(np.float32)


def training_rows(asset: str) -> AssetRows:
    rows = rows_of(asset)
    rows[np.random.default_rng(5).random(rows.shape) < 0.01] = np.nan
    if asset == "pump-3":
        rows[:, 4] = np.nan  # pump-3 has no vibration sensor
    held_out = np.zeros(ROWS, bool)
    held_out[HELD_OUT] = True
    return AssetRows(asset, rows, ~held_out, held_out)


def detector(name: str) -> ClassicalDetector:
    """A detector of the three pumps, as training creates it."""
    options = OPTIONS[name]
    fitted = fit(
        registry.statistic_of(name),
        options,
        [training_rows(asset) for asset in ASSETS],
        ["auto", "scored", "auto", "context", "auto"],
        AlarmPolicy(0.01),
    )
    return ClassicalDetector(
        type=name,
        class_name="pump",
        assets=fitted.assets,
        sensors=SENSORS,
        units=("m3/h", "bar", "A", "°C", "mm/s"),
        window=options.window,
        horizons=fitted.learnt.statistic.horizons,
        step_ms=1000,
        max_gap_ms=5000,
        scored=fitted.scored,
        mean=fitted.learnt.mean,
        deviation=fitted.learnt.deviation,
        threshold=fitted.threshold,
        calibration=fitted.calibration,
        used=fitted.learnt.used,
        statistic=fitted.learnt.statistic,
    )
