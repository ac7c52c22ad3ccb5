"""The scatter of forecast errors: how much more they swing than in normal operation, sensor by sensor.

A fault that swings to and fro averages out of smoothed errors and levels; of their squares it does not. Each
sensor's part is also its contribution to the score: where the forecast failed is what the fault touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.asset_tables import PER_ASSET

# Scatter below which a sensor is taken as forecast exactly, in deviations squared.
MIN_SCATTER = 1e-6


@dataclass(frozen=True)
class Scatter:
    """Of an asset in normal operation. Tables float [A, P], in deviations."""

    offset: Floats = field(metadata=PER_ASSET)
    """The mean forecast error."""
    normal: Floats = field(metadata=PER_ASSET)
    """The mean squared one, less the offset."""


def around(offset: Floats, recent: Floats, square: Floats) -> Floats:
    """Mean squares around `offset` [P], from means [N, P] and mean squares [N, P] of the same rows."""
    found: Floats = np.maximum(square - 2.0 * offset * recent + offset**2, 0.0)
    return found


def learn(recent: Floats, square: Floats, present: Bools) -> tuple[Floats, Floats]:
    """`Scatter`'s offset [P] and normal [P] from an asset's smoothed errors and squares, [N, P] each."""
    count = np.maximum(present.sum(axis=0), 1)
    offset = np.where(present, recent, 0.0).sum(axis=0) / count
    parts = np.where(present, around(offset, recent, square), 0.0).sum(axis=0) / count
    return offset, np.maximum(parts, MIN_SCATTER)


def statistic(relative: Floats, present: Bools) -> Floats:
    """Root of the mean over the sensors that are there, [N], of `relative` [N, P]: scatter over the normal one."""
    total = np.where(present, relative, 0.0).sum(axis=-1)
    return np.sqrt(total / np.maximum(present.sum(axis=-1), 1))
