"""When a machine runs: a sensor above a value. Rows of a stopped machine are rows that do not exist.

A stopped pump is not faulty, and what it looks like says nothing about how it runs. A row whose sensor is
missing counts as running: a broken sensor must not silence the detector.
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
        """bool [...] of rows [..., S]."""
        return np.asarray(rows[..., self.column] <= np.float32(self.above))

    def mask(self, rows: Floats) -> Floats:
        """Rows [..., S] with those of the stopped machine all NaN."""
        return np.where(self.stopped(rows)[..., None], np.asarray(np.nan, rows.dtype), rows)
