"""Engineering limits: a value outside a sensor's low..high is a reading of bad quality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Limits:
    """Lowest and highest values of a class's sensors, both inclusive; None is no limit."""

    def __init__(self, low: Sequence[float | None], high: Sequence[float | None]) -> None:
        self.low = np.array([-np.inf if value is None else value for value in low], np.float64)
        self.high = np.array([np.inf if value is None else value for value in high], np.float64)

    def outside(self, sensor: NDArray[np.int32], value: NDArray[np.float64]) -> NDArray[np.bool_]:
        """bool [N]: which values are beyond the limits of their sensor (an index into low and high). NaN
        never is.
        """
        return (value < self.low[sensor]) | (value > self.high[sensor])

    def apply(self, sensor: NDArray[np.int32], value: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64 [N]: the values, NaN where they are outside."""
        return np.where(self.outside(sensor, value), np.nan, value)
