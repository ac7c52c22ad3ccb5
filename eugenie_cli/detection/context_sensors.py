"""Selects context sensors, which the network reads but the score ignores.

A temperature that drifts all day is normal at levels that it never had before. If it were scored, it would alarm
endlessly; as context, it still helps the network to forecast the other sensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats

# A sensor is slow if the means of ten consecutive blocks account for at least half of its variance...
BLOCKS = 10
SLOW = 0.5
# ...and has not settled if at least this share of the later normal rows lies outside the earlier levels.
# A load that rises and falls is also slow, but returns to levels that were seen, so it is scored.
UNSETTLED = 0.2
# Tolerance at both ends of the earlier levels, in deviations.
SLACK = 0.1


def context_sensors(
    roles: Sequence[str], learnt: Iterable[Floats], earlier: Sequence[Floats], later: Sequence[Floats]
) -> Bools:
    """bool [S]: True for context sensors. Roles other than "auto" decide by themselves.

    Each sequence has an array for each asset: `learnt` scaled training rows [T, S] (NaN where missing), `earlier` and
    `later` smoothed levels [N, S] of the training rows and of the held-out rows.
    """
    slow = _typical([slowness(rows) for rows in learnt]) >= SLOW
    pairs = [(before, after) for before, after in zip(earlier, later, strict=True) if len(before) and len(after)]
    unsettled = np.mean([_outside(before, after) for before, after in pairs], axis=0) >= UNSETTLED if pairs else False
    automatic = slow & unsettled
    return np.array(
        [role == "context" or (role == "auto" and bool(auto)) for role, auto in zip(roles, automatic, strict=True)]
    )


def slowness(rows: Floats) -> Floats:
    """Variance of block means over the variance of rows [T, S], float [S] in 0..1; 0 for a constant sensor, NaN for a
    sensor without values."""
    present = np.isfinite(rows)
    count = present.sum(axis=0)
    if not count.any():
        return np.full(rows.shape[1], np.nan)
    values = np.where(present, rows, np.where(present, rows, 0.0).sum(axis=0) / np.maximum(count, 1))
    means = np.stack([block.mean(axis=0) for block in np.array_split(values, min(BLOCKS, len(values)))])
    variance = values.var(axis=0)
    ratio = np.where(variance > 0, means.var(axis=0) / np.where(variance > 0, variance, 1.0), 0.0)
    return np.where(count > 0, ratio, np.nan)


def _typical(by_asset: Sequence[Floats]) -> Floats:
    """The median over the assets that have the sensor, 0 if none has it: float [S]."""
    table = np.stack(by_asset)
    missing = np.isnan(table).all(axis=0)
    typical: Floats = np.nanmedian(np.where(missing, 0.0, table), axis=0)
    return typical


def _outside(before: Floats, after: Floats) -> Floats:
    """Share of `after` outside the range of `before`, float [S]."""
    return np.mean((after < before.min(axis=0) - SLACK) | (after > before.max(axis=0) + SLACK), axis=0)
