"""How long after their instants the readings of each asset arrive. Pure; numpy only.

The usual delay tells how wrong the clock of an asset's gateway is: a negative delay is a clock ahead. A delay that is
far above the usual one is that of an outage: the rows of such readings are marked as delayed. Neither changes a score.

Instants and delays are in ms, instants since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.flink_job.instants import FOREVER, NEVER

EPOCH_MS = 300_000
"""The usual delay is the smallest of the current and the last such period with readings: a clock that is corrected is
known within two of them, and an outage does not become usual at once."""

DELAYED_MS = 60_000
"""A reading that arrives this much later than usual is delayed."""

LIVE_MS = 86_400_000
"""An asset whose usual delay is longer is not live: its readings are replayed."""


class ArrivalDelays:
    """The delays of A assets."""

    def __init__(self, count: int) -> None:
        self._epoch = np.full(count, -1, np.int64)
        self._smallest = np.full((2, count), FOREVER, np.int64)
        """In the last epoch with readings before the current one, and in the current one."""
        self.delayed_until = np.full(count, NEVER, np.int64)
        """[A]: the newest instant of a delayed reading; NEVER: none was."""

    def usual(self) -> NDArray[np.int64]:
        """[A]: the usual delay of each asset; FOREVER: unknown."""
        return np.asarray(self._smallest.min(axis=0))

    def hear(self, asset: NDArray[np.int64], ts: NDArray[np.int64], arrival: NDArray[np.int64]) -> None:
        """Readings have arrived: indices [N], instants [N], instants of their arrival [N]."""
        delay, usual = arrival - ts, self.usual()
        limit = np.where(np.abs(usual) <= LIVE_MS, usual + DELAYED_MS, FOREVER)
        is_delayed = delay > limit[asset]
        if is_delayed.any():
            np.maximum.at(self.delayed_until, asset[is_delayed], ts[is_delayed])
        epoch = self._epoch.copy()
        np.maximum.at(epoch, asset, arrival // EPOCH_MS)
        newer = epoch > self._epoch
        if newer.any():
            self._epoch = epoch
            self._smallest[0, newer] = self._smallest[1, newer]
            self._smallest[1, newer] = FOREVER
        np.minimum.at(self._smallest[1], asset, delay)

    def state(self, assets: NDArray[np.int64]) -> dict[str, Any]:
        """Plain data of some assets for `restore`."""
        return {
            "epoch": self._epoch[assets],
            "smallest": self._smallest[:, assets],
            "delayed_until": self.delayed_until[assets],
        }

    def restore(self, state: Mapping[str, Any], positions: NDArray[np.int64], assets: NDArray[np.int64]) -> None:
        """Take over entries `positions` of a state as those of `assets`."""
        self._epoch[assets] = state["epoch"][positions]
        self._smallest[:, assets] = state["smallest"][:, positions]
        self.delayed_until[assets] = state["delayed_until"][positions]
