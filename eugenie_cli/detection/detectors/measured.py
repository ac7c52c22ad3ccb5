"""What a type says of windows, in numpy."""

from __future__ import annotations

from typing import NamedTuple

from eugenie_cli.detection.arrays import Floats


class Measured(NamedTuple):
    """Of the K rows of a segment that end a window; S sensors."""

    statistic: Floats
    """float [K], NaN where there is nothing to judge by; over the threshold it is the score."""
    contribution: Floats
    """float [K, S], non-negative, summing to 1 over S; anything where the statistic is NaN."""
    expected: Floats
    """float [K, S], engineering units; anything where the statistic is NaN."""
