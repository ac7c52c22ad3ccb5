"""The forecasters: sequence-to-sequence networks, scored by forecast errors and by levels (see `forecaster_graph`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.covariance import Baseline
from eugenie_cli.detection.detector import ForecasterDetector
from eugenie_cli.detection.detectors.interfaces import Measured
from eugenie_cli.detection.network import LSTM, WEIGHTS
from eugenie_cli.detection.residual_variance import Scatter

if TYPE_CHECKING:
    from eugenie_cli.detection.detectors.interfaces import Graph

_BASELINES = ("residual", "level")
_STATISTICS = ("mean", "deviation", "whitening")
_SCATTER = ("offset", "normal")


class Forecaster:
    """See `interfaces.DetectorType`."""

    def graph(self, detector: ForecasterDetector) -> Graph:
        from eugenie_cli.detection.detectors.forecaster_graph import ForecasterGraph

        return ForecasterGraph(detector)

    def measure(self, detector: ForecasterDetector, index: int, rows: Floats) -> Measured:
        from eugenie_cli.detection.detectors.forecaster_reference import measure_forecaster

        return measure_forecaster(detector, index, rows)

    def arrays(self, detector: ForecasterDetector) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {f"network.{name}": detector.network[name] for name in WEIGHTS[detector.type]}
        for part in _BASELINES:
            baseline = getattr(detector, part)
            arrays |= {f"{part}.{name}": getattr(baseline, name) for name in _STATISTICS}
        if detector.used is not None:
            arrays["used"] = detector.used
        return arrays | {f"scatter.{name}": getattr(detector.scatter, name) for name in _SCATTER}

    def plain(self, detector: ForecasterDetector) -> dict[str, Any]:
        return {"warmup": detector.warmup}

    def restore(
        self, common: Mapping[str, Any], arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]
    ) -> ForecasterDetector:
        return ForecasterDetector(
            **common,
            warmup=plain["warmup"],
            network={name: arrays[f"network.{name}"] for name in WEIGHTS[common["type"]]},
            used=arrays.get("used"),
            residual=Baseline(*(arrays[f"residual.{name}"] for name in _STATISTICS)),
            level=Baseline(*(arrays[f"level.{name}"] for name in _STATISTICS)),
            scatter=Scatter(*(arrays[f"scatter.{name}"] for name in _SCATTER)),
        )

    def describe(self, detector: ForecasterDetector) -> Sequence[str]:
        horizons = ", ".join(map(str, detector.horizons))
        memory = "an LSTM" if detector.type == LSTM else "a minimal LSTM, whose gates do not depend on its state"
        rows = f"the {detector.warmup}" + (" or more" if detector.type == LSTM else "")
        return [
            f"Sequence-to-sequence forecaster; its memory is {memory}, of {detector.memory_units} units. Each row is",
            f"forecast from {rows} rows before it, horizons {horizons} rows ahead. `expected` is the forecast of the",
            "shortest.",
        ]
