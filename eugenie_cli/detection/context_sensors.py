"""Which sensors are context: the network reads them, the score leaves them out.

A temperature that creeps all day is normal at levels that its past never had. Scored, it would alarm for
ever; as context it still tells the network what to expect of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats

# A sensor is slow when the means of ten consecutive blocks hold at least half of its variance...
BLOCKS = 10
SLOW = 0.5
# ...and has not settled when at least this share of the later normal rows lies outside the levels
# before. A load that rises and falls is slow too, but comes back to levels that were seen: it is scored.
UNSETTLED = 0.2
# Slack at both ends of the levels seen, in deviations.
SLACK = 0.1


def context_sensors(
    roles: Sequence[str], learnt: Iterable[Floats], earlier: Sequence[Floats], later: Sequence[Floats]
) -> Bools:
    """bool [S]: True for context. `roles` decide where they are not "auto".

    One array for each asset: `learnt` scaled rows [T, S] (NaN where missing), `earlier` and `later` smoothed
    levels [N, S] of the rows learnt from and of the rows held out.
    """
    slow = _typical([slowness(rows) for rows in learnt]) >= SLOW
    both = [(before, after) for before, after in zip(earlier, later, strict=True) if len(before) and len(after)]
    unsettled = np.mean([_outside(before, after) for before, after in both], axis=0) >= UNSETTLED if both else False
    automatic = slow & unsettled
    return np.array(
        [role == "context" or (role == "auto" and bool(auto)) for role, auto in zip(roles, automatic, strict=True)]
    )


def slowness(rows: Floats) -> Floats:
    """Variance of block means over the variance, float [S] in 0..1, of rows [T, S]; 0 for a constant sensor, NaN for
    one without a value."""
    there = np.isfinite(rows)
    count = there.sum(axis=0)
    if not count.any():
        return np.full(rows.shape[1], np.nan)
    values = np.where(there, rows, np.where(there, rows, 0.0).sum(axis=0) / np.maximum(count, 1))
    means = np.stack([block.mean(axis=0) for block in np.array_split(values, min(BLOCKS, len(values)))])
    variance = values.var(axis=0)
    found = np.where(variance > 0, means.var(axis=0) / np.where(variance > 0, variance, 1.0), 0.0)
    return np.where(count > 0, found, np.nan)


def _typical(each: Sequence[Floats]) -> Floats:
    """The median of the assets that have the sensor, 0 where none has it: float [S]."""
    table = np.stack(each)
    missing = np.isnan(table).all(axis=0)
    typical: Floats = np.nanmedian(np.where(missing, 0.0, table), axis=0)
    return typical


def _outside(before: Floats, after: Floats) -> Floats:
    """Share of `after` outside the range of `before`, float [S]."""
    return np.mean((after < before.min(axis=0) - SLACK) | (after > before.max(axis=0) + SLACK), axis=0)
