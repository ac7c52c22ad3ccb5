"""From grids to what a class learns from: normal rows, split by time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.detection.running import Running
from eugenie_cli.detection.trained import MIN_PRESENT
from eugenie_cli.history.grid import Grid
from eugenie_cli.site.model import EquipmentClass, Period, Site
from eugenie_cli.site.values import to_ms

# Share of the rows before the calibration block that judge when to stop: the last ones, not trained on.
VALIDATION_SHARE = 0.12
# An asset takes part with at least this many windows' worth of normal rows...
MIN_WINDOWS = 2
# ...and never with less than a covariance of some sensors needs: a short window is no reason to learn from ten rows.
MIN_ROWS = 50
# The parts that a row may belong to.
UNUSED, TRAINING, VALIDATION, CALIBRATION = 0, 1, 2, 3


@dataclass(frozen=True)
class NormalGrid:
    """An asset's rows with everything that is not normal taken out.

    `edges` int64 [T], ms; `rows` float32 [T, S], engineering units, NaN where missing or not normal;
    `part` int8 [T]: UNUSED, TRAINING, VALIDATION or CALIBRATION.
    """

    asset: str
    edges: Ints
    rows: Floats
    part: Ints

    @property
    def learnt(self) -> Bools:
        """bool [T]: training and validation."""
        return (self.part == TRAINING) | (self.part == VALIDATION)

    def count(self, part: int) -> int:
        return int((self.part == part).sum())


def least_rows(window: int) -> int:
    """Normal rows below which an asset is left out."""
    return max(MIN_WINDOWS * window, MIN_ROWS)


def normal_rows(site: Site, grid: Grid) -> Bools:
    """bool [T]: rows of the running machine in its normal periods (all, where none are given) and in no exclusion."""
    periods = site.assets[grid.asset].normal
    normal = _inside(grid.edges, periods) if periods else np.ones(len(grid.edges), bool)
    excluded = [period for period in site.exclude if period.asset in (None, grid.asset)]
    running = running_of(site.classes[site.assets[grid.asset].class_name])
    if running is not None:
        normal &= ~running.stopped(grid.rows)
    return normal & ~_inside(grid.edges, excluded)


def running_of(equipment: EquipmentClass) -> Running | None:
    """The class's rule by which a row counts, if it has one."""
    rule = equipment.running
    return None if rule is None else Running(equipment.sensor_names.index(rule.sensor), rule.above)


def _inside(edges: Ints, periods: Sequence[Period]) -> Bools:
    inside = np.zeros(len(edges), bool)
    for period in periods:
        inside |= (edges >= to_ms(period.start)) & (edges < to_ms(period.end))
    return inside


def split(grid: Grid, normal: Bools, calibration: float) -> NormalGrid:
    """Divides the normal rows by time: the last share `calibration` is the calibration block, the rows before
    it are trained on, but for the last of them, which validate."""
    usable = np.flatnonzero(normal & np.isfinite(grid.rows).any(axis=1))
    rows = np.where(normal[:, None], grid.rows, np.float32(np.nan))
    part = np.zeros(len(grid.edges), np.int8)
    held_out = int(len(usable) * (1.0 - calibration))
    validation = int(held_out * (1.0 - VALIDATION_SHARE))
    part[usable[:validation]] = TRAINING
    part[usable[validation:held_out]] = VALIDATION
    part[usable[held_out:]] = CALIBRATION
    return NormalGrid(grid.asset, grid.edges, rows, part)


def window_ends(rows: Floats, part: Ints, wanted: int, window: int) -> Ints:
    """Rows that end a window with enough rows in it and lie in part `wanted`; windows start inside `rows`."""
    present = np.isfinite(rows).any(axis=1)
    before = np.concatenate([[0], np.cumsum(present)])
    ends = np.flatnonzero(part == wanted)
    ends = ends[ends >= window - 1]
    return ends[before[ends + 1] - before[ends + 1 - window] >= MIN_PRESENT * window]


def fingerprint(grids: Sequence[NormalGrid]) -> str:
    """SHA-256 of the normal rows, their times and assets: the same data give the same fingerprint."""
    digest = hashlib.sha256()
    for grid in grids:
        digest.update(grid.asset.encode())
        for array in (grid.edges, grid.rows, grid.part):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
