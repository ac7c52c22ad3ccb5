"""Event time as far as status shows it: the newest instant that the stream has read. Pure.

It drives no row: every asset has its own clock (`asset_clocks`). It lets Flink end a drained stream, and people see how
far the stream is. A reading ahead of its arrival does not move it beyond that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NOT_YET = 0
"""Before the first reading: earlier than every instant that a reading can have."""


class Frontier:
    """The newest instant of a decoder."""

    def __init__(self, out_of_orderness_ms: int) -> None:
        self._behind = out_of_orderness_ms + 1
        self.now = NOT_YET
        """ms since 1970 UTC; never decreases."""

    def advance(self, ts: NDArray[np.int64], arrival: NDArray[np.int64]) -> None:
        """Readings of instants `ts` [N] were accepted that arrived at `arrival` [N]."""
        if len(ts):
            self.now = max(self.now, int(np.minimum(ts, arrival).max()) - self._behind)
