"""The scatter of forecast errors: how much more they oscillate than in normal operation, sensor by sensor.

An oscillating fault averages out of smoothed errors and levels, but not out of their squares. Each sensor's part is
also its contribution to the score: the sensors whose forecast failed are those that the fault affects.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.asset_tables import PER_ASSET

# Floor of a sensor's normal scatter, in deviations squared: below it, the forecast counts as exact.
MIN_SCATTER = 1e-6


@dataclass(frozen=True)
class Scatter:
    """Scatter of each asset in normal operation. Tables float [A, P], in deviations."""

    offset: Floats = field(metadata=PER_ASSET)
    """The mean forecast error."""
    normal: Floats = field(metadata=PER_ASSET)
    """The mean squared forecast error around the offset."""


def around(offset: Floats, recent: Floats, square: Floats) -> Floats:
    """Mean squares around `offset` [P], given means [N, P] and mean squares [N, P] of the same rows."""
    squares: Floats = np.maximum(square - 2.0 * offset * recent + offset**2, 0.0)
    return squares


def learn(recent: Floats, square: Floats, present: Bools) -> tuple[Floats, Floats]:
    """`Scatter`'s offset [P] and normal [P] from an asset's smoothed errors and squares, [N, P] each."""
    count = np.maximum(present.sum(axis=0), 1)
    offset = np.where(present, recent, 0.0).sum(axis=0) / count
    parts = np.where(present, around(offset, recent, square), 0.0).sum(axis=0) / count
    return offset, np.maximum(parts, MIN_SCATTER)


def statistic(relative: Floats, present: Bools) -> Floats:
    """Root of the mean over the present sensors, [N], of `relative` [N, P]: scatter over normal scatter."""
    total = np.where(present, relative, 0.0).sum(axis=-1)
    return np.sqrt(total / np.maximum(present.sum(axis=-1), 1))


def largest(relative: Floats) -> Floats:
    """Root of the largest entry of `relative` [N, P], [N]: the most unrestful sensor, however many others there are."""
    return np.asarray(np.sqrt(relative.max(axis=-1)))
