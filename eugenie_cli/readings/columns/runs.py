"""Columns in which neighbours are mostly equal, such as the dates of readings: each run is processed once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

WORTH_IT = 4
"""The average run length, in rows, from which runs are faster than sorting."""


def mapped(keys: NDArray[np.integer], of: Callable[[int], int]) -> NDArray[np.int64]:
    """`of` each of N keys, int64 [N]; called once for each run of equal keys, or once for each distinct key."""
    is_new = keys[1:] != keys[:-1]
    if not is_new.any():
        return np.full(len(keys), of(int(keys[0])) if len(keys) else 0, np.int64)
    starts = np.flatnonzero(is_new) + 1
    if len(starts) * WORTH_IT > len(keys):
        distinct, index = np.unique(keys, return_inverse=True)
        return np.array([of(key) for key in distinct.tolist()], np.int64)[index]
    starts = np.concatenate([[0], starts])
    return np.repeat(np.array([of(key) for key in keys[starts].tolist()], np.int64), np.diff(starts, append=len(keys)))
