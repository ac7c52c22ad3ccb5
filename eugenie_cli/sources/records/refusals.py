"""Which records of a block are rejected, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Refusals:
    """Indices of records in a block that were rejected for one reason; for wide records, in one `column`."""

    reason: str
    records: NDArray[np.int64]
    column: str | None = None


def first_reason(*checks: tuple[str, NDArray[np.bool_]]) -> list[Refusals]:
    """Assign each record that fails to the first check that it fails."""
    refusals: list[Refusals] = []
    assigned: NDArray[np.bool_] | None = None
    for reason, fails in checks:
        if assigned is not None:
            fails = fails & ~assigned
        if fails.any():
            refusals.append(Refusals(reason, np.flatnonzero(fails)))
            assigned = fails if assigned is None else assigned | fails
    return refusals


def kept(count: int, refusals: Iterable[Refusals]) -> NDArray[np.bool_]:
    """bool [N]: which of `count` records are not rejected."""
    keep = np.ones(count, bool)
    for refusal in refusals:
        keep[refusal.records] = False
    return keep
