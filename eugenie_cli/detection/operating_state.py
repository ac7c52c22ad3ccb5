"""When a machine is running: while a sensor is above a value. Rows of a stopped machine count as missing.

A stopped pump is not faulty, and its readings say nothing about normal operation. A row without a value of that sensor
counts as running, because a broken sensor must not silence the detector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats


@dataclass(frozen=True)
class OperatingState:
    """The machine runs while the sensor in `column` reads more than `above`, engineering units."""

    column: int
    above: float

    def stopped(self, rows: Floats) -> Bools:
        """bool [...]: whether the machine is stopped in rows [..., S]."""
        return np.asarray(rows[..., self.column] <= np.float32(self.above))

    def mask(self, rows: Floats) -> Floats:
        """Rows [..., S], all NaN while the machine is stopped."""
        return np.where(self.stopped(rows)[..., None], np.asarray(np.nan, rows.dtype), rows)
