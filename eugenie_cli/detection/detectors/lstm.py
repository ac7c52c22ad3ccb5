"""The forecaster: a sequence-to-sequence LSTM, scored by its forecast errors and by levels (see `lstm_graph`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.covariance import Baseline
from eugenie_cli.detection.detector import LstmDetector
from eugenie_cli.detection.detectors.interfaces import Measured
from eugenie_cli.detection.network import WEIGHTS
from eugenie_cli.detection.residual_variance import Scatter

if TYPE_CHECKING:
    from eugenie_cli.detection.detectors.interfaces import Graph

_BASELINES = ("residual", "level")
_STATISTICS = ("mean", "deviation", "whitening")
_SCATTER = ("offset", "normal")


class Lstm:
    """See `interfaces.DetectorType`."""

    def graph(self, detector: LstmDetector) -> Graph:
        from eugenie_cli.detection.detectors.lstm_graph import LstmGraph

        return LstmGraph(detector)

    def measure(self, detector: LstmDetector, index: int, rows: Floats) -> Measured:
        from eugenie_cli.detection.detectors.lstm_reference import measure_lstm

        return measure_lstm(detector, index, rows)

    def arrays(self, detector: LstmDetector) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {f"network.{name}": detector.network[name] for name in WEIGHTS}
        for part in _BASELINES:
            baseline = getattr(detector, part)
            arrays |= {f"{part}.{name}": getattr(baseline, name) for name in _STATISTICS}
        if detector.used is not None:
            arrays["used"] = detector.used
        return arrays | {f"scatter.{name}": getattr(detector.scatter, name) for name in _SCATTER}

    def plain(self, detector: LstmDetector) -> dict[str, Any]:
        return {"warmup": detector.warmup}

    def restore(
        self, common: Mapping[str, Any], arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]
    ) -> LstmDetector:
        return LstmDetector(
            **common,
            warmup=plain["warmup"],
            network={name: arrays[f"network.{name}"] for name in WEIGHTS},
            used=arrays.get("used"),
            residual=Baseline(*(arrays[f"residual.{name}"] for name in _STATISTICS)),
            level=Baseline(*(arrays[f"level.{name}"] for name in _STATISTICS)),
            scatter=Scatter(*(arrays[f"scatter.{name}"] for name in _SCATTER)),
        )

    def describe(self, detector: LstmDetector) -> Sequence[str]:
        horizons = ", ".join(map(str, detector.horizons))
        return [
            f"LSTM sequence-to-sequence forecaster: {detector.lstm_units} units, warm-up {detector.warmup} rows,",
            f"horizons {horizons} rows ahead. `expected` is the forecast of the shortest.",
        ]
