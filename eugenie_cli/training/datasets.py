"""From grids to a class's training data: normal rows, split by time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints, runs
from eugenie_cli.detection.detector import MIN_PRESENT
from eugenie_cli.detection.operating_state import OperatingState
from eugenie_cli.history.grid import Grid
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.schema import EquipmentClass, Fleet, Period, Sensor
from eugenie_cli.training import blind_sensors, outliers, rescaled, stopped_sensors
from eugenie_cli.training.mmap_arrays import blocks

# Share of the rows before the calibration block that decides when to stop: the last ones, which are not trained on.
VALIDATION_SHARE = 0.12
# Stretches of an asset's rows that are recorded individually. With more, the shortest pauses count as learnt.
MOST_STRETCHES = 5_000
# The parts that a row may belong to.
UNUSED, TRAINING, VALIDATION, CALIBRATION = 0, 1, 2, 3


@dataclass(frozen=True)
class NormalGrid:
    """An asset's rows, with everything abnormal removed, and long pauses shortened.

    `edges` int64 [T], ms; `rows` float32 [T, S], engineering units, NaN where missing or not normal;
    `part` int8 [T]: UNUSED, TRAINING, VALIDATION or CALIBRATION.
    """

    asset: str
    edges: Ints
    rows: Floats
    part: Ints
    doubts: tuple[str, ...] = ()
    """Messages about problems in the rows: see `repair`."""

    @property
    def learnt(self) -> Bools:
        """bool [T]: training and validation."""
        return (self.part == TRAINING) | (self.part == VALIDATION)

    @property
    def used(self) -> int:
        """Rows that belong to a part."""
        return int(np.count_nonzero(self.part))

    def count(self, part: int) -> int:
        return sum(int((self.part[block] == part).sum()) for block in blocks(len(self.part)))

    def stretches(self) -> list[tuple[int, int]]:
        """First and last edge of each stretch of rows in any part: everything that shaped the model."""
        spans = runs(self.part != UNUSED)
        if len(spans) > MOST_STRETCHES:
            pauses = np.array([self.edges[after[0]] - self.edges[before[1] - 1] for before, after in pairwise(spans)])
            kept = np.sort(np.argsort(-pauses, kind="stable")[: MOST_STRETCHES - 1])
            starts = [spans[0][0], *(spans[place + 1][0] for place in kept)]
            spans = list(zip(starts, [*(spans[place][1] for place in kept), spans[-1][1]], strict=True))
        return [(int(self.edges[first]), int(self.edges[last - 1])) for first, last in spans]

    @property
    def still(self) -> Bools:
        """bool [S]: sensors with the same value in all learnt rows."""
        low = np.full(self.rows.shape[1], np.inf)
        high = -low
        for rows in self.learnt_blocks():
            known = np.isfinite(rows)
            low = np.minimum(low, np.where(known, rows, np.inf).min(axis=0, initial=np.inf))
            high = np.maximum(high, np.where(known, rows, -np.inf).max(axis=0, initial=-np.inf))
        same: Bools = low == high
        return same

    def learnt_blocks(self) -> Iterator[Floats]:
        """The learnt rows in blocks of bounded size, float32 [n, S]."""
        for block in blocks(len(self.part)):
            part = self.part[block]
            yield self.rows[block][(part == TRAINING) | (part == VALIDATION)]


def normal_rows(fleet: Fleet, grid: Grid) -> Bools:
    """bool [T]: rows recorded while the machine ran, in its normal periods (all time if none are given), outside every
    exclusion."""
    periods = fleet.assets[grid.asset].normal
    normal = _inside(grid.edges, periods) if periods else np.ones(len(grid.edges), bool)
    excluded = [period for period in fleet.exclude if period.asset in (None, grid.asset)]
    running = running_of(fleet.equipment)
    if running is not None:
        normal &= ~running.stopped(grid.rows)
    return normal & ~_inside(grid.edges, excluded)


def running_of(equipment: EquipmentClass) -> OperatingState | None:
    """The class's rule for whether a machine runs; None without one."""
    rule = equipment.running
    return None if rule is None else OperatingState(equipment.sensor_names.index(rule.sensor), rule.above)


def _inside(edges: Ints, periods: Sequence[Period]) -> Bools:
    inside = np.zeros(len(edges), bool)
    for period in periods:
        inside |= (edges >= to_ms(period.start)) & (edges < to_ms(period.end))
    return inside


def split(grid: Grid, normal: Bools, calibration: float, sensors: Sequence[Sensor] = ()) -> NormalGrid:
    """Divides the normal rows by time: the last share `calibration` is the calibration block; of the rows before it,
    the last are for validation and the others for training."""
    rows = np.where(normal[:, None], grid.rows, np.float32(np.nan))
    part = (normal & np.isfinite(grid.rows).any(axis=1)).astype(np.int8)
    doubts = repair(rows, part, grid.edges, sensors)
    divide(part, calibration)
    return NormalGrid(grid.asset, grid.edges, rows, part, doubts)


def repair(rows: Floats, part: Ints, edges: Ints, sensors: Sequence[Sensor]) -> tuple[str, ...]:
    """Removes values that no measurement can have made from the usable rows, and converts those measured in another
    unit, in place; rows left empty become UNUSED. -> a message about each change. Without `sensors`, no sensor has
    limits."""
    names = [sensor.name for sensor in sensors] or [f"sensor {number + 1}" for number in range(rows.shape[1])]
    limited = [(sensor.low is not None, sensor.high is not None) for sensor in sensors] or [(False, False)] * len(names)
    dropped = list(outliers.drop(rows, part, limited))
    changes = rescaled.convert(rows, part)
    if any(change.factor is not None for change in changes):
        dropped += outliers.drop(rows, part, limited)  # values that the other unit hid
    for block in blocks(len(part)):
        part[block] = np.where(np.isfinite(rows[block]).any(axis=1), part[block], UNUSED)
    return (
        *(
            outliers.describe(wild, names[wild.sensor], _at(edges[wild.rows[0]]), _at(edges[wild.rows[-1]]))
            for wild in dropped
        ),
        *(rescaled.describe(change, names[change.sensor], _at(edges[change.row])) for change in changes),
        *(
            stopped_sensors.describe(pause, names[pause.sensor], _at(edges[pause.first]), _at(edges[pause.last]))
            for pause in stopped_sensors.pauses(rows, part)
        ),
        *blind_sensors.describe(blind_sensors.blinded(rows, part), names),
    )


def _at(edge_ms: int) -> str:
    return f"{np.datetime64(int(edge_ms), 'ms')}Z"


def divide(part: Ints, calibration: float) -> None:
    """Assigns the usable rows, where `part` int8 [T] is not 0, to their parts, in place."""
    usable = int(np.count_nonzero(part))
    held_out = int(usable * (1.0 - calibration))
    validation = int(held_out * (1.0 - VALIDATION_SHARE))
    before = 0
    for block in blocks(len(part)):
        used = part[block] != UNUSED
        rank = before + np.cumsum(used) - 1
        parts = np.where(rank < validation, TRAINING, np.where(rank < held_out, VALIDATION, CALIBRATION))
        part[block] = np.where(used, parts, UNUSED)
        before += int(used.sum())


def window_ends(rows: Floats, part: Ints, ending: int, window: int) -> Iterator[Ints]:
    """Rows that belong to part `ending` and end a window with enough present rows, in blocks of bounded size; windows
    start inside `rows`."""
    for block in blocks(len(part)):
        first = max(0, block.start - window + 1)
        present = np.isfinite(rows[first : block.stop]).any(axis=1)
        before = np.concatenate([[0], np.cumsum(present)])
        own = np.flatnonzero(part[block] == ending) + block.start
        own = own[own >= window - 1]
        yield own[before[own + 1 - first] - before[own + 1 - first - window] >= MIN_PRESENT * window]


def fingerprint(grids: Sequence[NormalGrid]) -> str:
    """SHA-256 of the usable rows, their times and assets, in whatever order: equal data give equal fingerprints."""
    digest = hashlib.sha256()
    for grid in sorted(grids, key=lambda grid: grid.asset):
        digest.update(grid.asset.encode())
        for array in (grid.edges, grid.rows, grid.part):
            for block in blocks(len(array)):
                digest.update(array[block][grid.part[block] != UNUSED].tobytes())
    return digest.hexdigest()
