"""The forecasters: sequence-to-sequence networks, scored by forecast errors and by levels (see `forecaster_graph`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.covariance import Baseline
from eugenie_cli.detection.detector import ForecasterDetector
from eugenie_cli.detection.detectors.interfaces import Measured
from eugenie_cli.detection.linear_path import LinearPath
from eugenie_cli.detection.network import LSTM, kind_of
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
        arrays: dict[str, np.ndarray] = {f"network.{name}": weight for name, weight in detector.network.items()}
        for part in _BASELINES:
            baseline = getattr(detector, part)
            arrays |= {f"{part}.{name}": getattr(baseline, name) for name in _STATISTICS}
        if detector.used is not None:
            arrays["used"] = detector.used
        if detector.linear is not None:
            arrays |= {"linear.kernel": detector.linear.kernel, "linear.bias": detector.linear.bias}
        if detector.units_of_parts is not None:
            arrays["units_of_parts"] = detector.units_of_parts
        return arrays | {f"scatter.{name}": getattr(detector.scatter, name) for name in _SCATTER}

    def plain(self, detector: ForecasterDetector) -> dict[str, Any]:
        carried = {} if detector.linear is None else {"carried": detector.linear.carried}
        return {"warmup": detector.warmup} | carried

    def restore(
        self, common: Mapping[str, Any], arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]
    ) -> ForecasterDetector:
        linear = None
        if "carried" in plain:
            linear = LinearPath(arrays["linear.kernel"], arrays["linear.bias"], plain["carried"])
        return ForecasterDetector(
            **common,
            warmup=plain["warmup"],
            network={
                name.removeprefix("network."): array for name, array in arrays.items() if name.startswith("network.")
            },
            used=arrays.get("used"),
            residual=Baseline(*(arrays[f"residual.{name}"] for name in _STATISTICS)),
            level=Baseline(*(arrays[f"level.{name}"] for name in _STATISTICS)),
            scatter=Scatter(*(arrays[f"scatter.{name}"] for name in _SCATTER)),
            linear=linear,
            units_of_parts=arrays.get("units_of_parts"),
        )

    def describe(self, detector: ForecasterDetector) -> Sequence[str]:
        horizons = ", ".join(map(str, detector.horizons))
        loops = kind_of(detector.network) == LSTM
        memory = "an LSTM" if loops else "a minimal LSTM, whose gates do not depend on its state"
        rows = f"the {detector.warmup}" + (" or more" if loops else "")
        corrects = []
        if detector.linear is not None:
            corrects = [f"It corrects a linear forecast from the last {len(detector.linear.kernel)} rows."]
        return [
            f"Sequence-to-sequence forecaster; its memory is {memory}, of {detector.memory_units} units. Each row is",
            f"forecast from {rows} rows before it, horizons {horizons} rows ahead. `expected` is the forecast of the",
            "shortest.",
            *corrects,
        ]
