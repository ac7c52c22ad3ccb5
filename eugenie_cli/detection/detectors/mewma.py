"""Multivariate exponentially weighted moving average of the rows.

Lowry, Woodall, Champ and Rigdon, "A multivariate exponentially weighted moving average control chart",
Technometrics 34 (1992), truncated after the window.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detectors.control_chart import Chart, ChartGraph


class Mewma(Chart):
    """The signal is the row itself; a sensor contributes the standardised square of its average."""

    def signal(self, z: Floats) -> Floats:
        return z

    def expected(self, z: Floats) -> Floats:
        return np.zeros(z.shape)

    def graph(self) -> ChartGraph:
        return _MewmaGraph(self)

    def describe(self) -> Sequence[str]:
        return [
            f"MEWMA: distance of the moving average of the last {self.window} rows (weight {self.smoothing:g} for the",
            "newest) from its normal. `expected` is the chart's centre line, the asset's normal mean; it forecasts",
            "nothing.",
        ]


class _MewmaGraph(ChartGraph):
    def signal(self, z: tf.Tensor) -> tf.Tensor:
        return z

    def expected(self, z: tf.Tensor) -> tf.Tensor:
        return tf.zeros_like(z[:, self._window - 1 :])
