"""Segments on which an export is checked: real rows of the history, with holes too, and an unknown asset."""

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
"""Assets that take part: the reference scores window by window."""

SCORED_ROWS = 16
"""Rows at the end of each segment that get a score."""

_PLACES = (0.9, 0.5, 0.1)
# of the asset's history: where a segment is looked for that has hardly a hole
_FULL_ENOUGH = 0.98
_HOLES = 0.05
# well under what makes a window unscorable


@dataclass(frozen=True)
class Samples:
    """`assets`: B names; `rows` float32 [B, L, S], engineering units; `real`: how many are of the history."""

    assets: tuple[str, ...]
    rows: NDArray[np.float32]
    real: int


def collect(fleet: Fleet, history: History, detector: TrainedDetector) -> Samples:
    """Segments of L = M + SCORED_ROWS - 1 rows of some of the detector's assets.

    An asset without a stretch of history gets normal rows drawn from its own mean and deviation.
    """
    random = np.random.default_rng(0)
    length = detector.window + SCORED_ROWS - 1
    assets = _spread(detector.assets)
    # the site may have changed since the training, and have an asset no more
    found = {asset: _from_history(fleet, history, asset, length) if asset in fleet.assets else None for asset in assets}
    segments = [
        (asset, rows if rows is not None else _drawn(detector, asset, length, random)) for asset, rows in found.items()
    ]
    first, rows = segments[0]
    segments += [(first, holed) for holed in _holes(rows, random)] + [(UNKNOWN, rows)]
    real = sum(rows is not None for rows in found.values())
    names, values = zip(*segments, strict=True)
    return Samples(names, np.stack(values).astype(np.float32), real)


def _spread(assets: tuple[str, ...]) -> tuple[str, ...]:
    places = np.unique(np.linspace(0, len(assets) - 1, min(MAX_ASSETS, len(assets))).astype(int))
    return tuple(assets[place] for place in places)


def _from_history(fleet: Fleet, history: History, asset: str, length: int) -> NDArray[np.float32] | None:
    spans = {each.asset: (each.start_ms, each.end_ms) for each in history.summary()}
    if asset not in spans:
        return None
    step = fleet.equipment.step
    start, end = spans[asset]
    for place in _PLACES:
        last = start + int((end - start) * place)
        rows = load_grid(fleet, history, asset, last - length * step, last + step).rows[-length:]
        if len(rows) == length and np.isfinite(rows).any(axis=1).mean() >= _FULL_ENOUGH:
            return rows
    return None


def _drawn(detector: TrainedDetector, asset: str, length: int, random: np.random.Generator) -> NDArray[np.float32]:
    index = detector.assets.index(asset)
    steps = random.standard_normal((length, len(detector.sensors)))
    return (detector.mean[index] + detector.deviation[index] * steps).astype(np.float32)


def _holes(rows: NDArray[np.float32], random: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Single values missing; rows missing; a whole sensor missing."""
    scattered = np.where(random.random(rows.shape) < _HOLES, np.nan, rows)
    yield scattered
    gap = rows.copy()
    gap[len(rows) // 2 : len(rows) // 2 + max(1, int(len(rows) * _HOLES))] = np.nan
    yield gap
    if rows.shape[1] > 1:
        silent = rows.copy()
        silent[:, -1] = np.nan
        yield silent
