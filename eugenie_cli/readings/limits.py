"""Engineering limits: a value outside a sensor's low..high is a reading of bad quality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Limits:
    """Lowest and highest values of a class's sensors, both inclusive; None: no limit."""

    def __init__(self, low: Sequence[float | None], high: Sequence[float | None]) -> None:
        self.low = np.array([-np.inf if value is None else value for value in low], np.float64)
        self.high = np.array([np.inf if value is None else value for value in high], np.float64)

    def outside(self, sensor: NDArray[np.int32], value: NDArray[np.float64]) -> NDArray[np.bool_]:
        """bool [N]: whether each value is outside the limits of its sensor (index into low and high); False for NaN."""
        return (value < self.low[sensor]) | (value > self.high[sensor])

    def apply(self, sensor: NDArray[np.int32], value: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64 [N]: the values, with NaN for those outside the limits."""
        return np.where(self.outside(sensor, value), np.nan, value)
