"""Array types, and the runs of a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.integer[Any]]


def runs(chosen: Bools) -> list[tuple[int, int]]:
    """The runs of True in bool [T] as index ranges [first, last), in order."""
    borders = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]]))).tolist()
    return list(zip(borders[::2], borders[1::2], strict=True))
