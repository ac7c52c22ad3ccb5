"""Sample segments for checking an export: rows from history, with and without missing values, and an unknown asset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.store import History
from eugenie_cli.site.schema import Fleet

UNKNOWN = "no asset of this site"
MAX_ASSETS = 6
"""Maximum number of assets sampled; the reference is slow, because it scores one window at a time."""

SCORED_ROWS = 16
"""Rows at the end of each segment that get a score."""

_POSITIONS = (0.9, 0.5, 0.1)
# fractions of the asset's history at which to look for a segment with almost no missing rows
_FULL_ENOUGH = 0.98
_HOLES = 0.05
# fraction of missing values, well below the limit at which a window cannot be scored


@dataclass(frozen=True)
class Samples:
    """`assets`: B names; `rows` float32 [B, L, S], engineering units; `real`: number of assets with real rows."""

    assets: tuple[str, ...]
    rows: NDArray[np.float32]
    real: int


def collect(fleet: Fleet, history: History, detector: TrainedDetector) -> Samples:
    """Segments of L = M + SCORED_ROWS - 1 rows of some of the detector's assets.

    An asset without a suitable segment of history gets rows drawn from a normal distribution with its own mean and
    deviation.
    """
    random = np.random.default_rng(0)
    length = detector.window + SCORED_ROWS - 1
    assets = _spread(detector.assets)
    # an asset may have been removed from the site since the training
    real_rows = {
        asset: _from_history(fleet, history, asset, length) if asset in fleet.assets else None for asset in assets
    }
    segments = [
        (asset, rows if rows is not None else _drawn(detector, asset, length, random))
        for asset, rows in real_rows.items()
    ]
    first, rows = segments[0]
    segments += [(first, holed) for holed in _holes(rows, random)] + [(UNKNOWN, rows)]
    real = sum(rows is not None for rows in real_rows.values())
    names, values = zip(*segments, strict=True)
    return Samples(names, np.stack(values).astype(np.float32), real)


def _spread(assets: tuple[str, ...]) -> tuple[str, ...]:
    indices = np.unique(np.linspace(0, len(assets) - 1, min(MAX_ASSETS, len(assets))).astype(int))
    return tuple(assets[index] for index in indices)


def _from_history(fleet: Fleet, history: History, asset: str, length: int) -> NDArray[np.float32] | None:
    spans = {row.asset: (row.start_ms, row.end_ms) for row in history.summary()}
    if asset not in spans:
        return None
    step = fleet.equipment.step
    start, end = spans[asset]
    for position in _POSITIONS:
        last = start + int((end - start) * position)
        rows = load_grid(fleet, history, asset, last - length * step, last + step).rows[-length:]
        if len(rows) == length and np.isfinite(rows).any(axis=1).mean() >= _FULL_ENOUGH:
            return rows
    return None


def _drawn(detector: TrainedDetector, asset: str, length: int, random: np.random.Generator) -> NDArray[np.float32]:
    index = detector.assets.index(asset)
    steps = random.standard_normal((length, len(detector.sensors)))
    return (detector.mean[index] + detector.deviation[index] * steps).astype(np.float32)


def _holes(rows: NDArray[np.float32], random: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Yield copies of `rows` with scattered values missing, a block of rows missing, and a whole sensor missing."""
    scattered = np.where(random.random(rows.shape) < _HOLES, np.nan, rows)
    yield scattered
    gap = rows.copy()
    gap[len(rows) // 2 : len(rows) // 2 + max(1, int(len(rows) * _HOLES))] = np.nan
    yield gap
    if rows.shape[1] > 1:
        silent = rows.copy()
        silent[:, -1] = np.nan
        yield silent
