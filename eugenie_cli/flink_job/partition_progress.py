"""How far the readings of each asset have come in each partition that carries them. Pure; numpy only.

Without a key, or with that of a tag, the readings of an asset are spread over partitions, and Flink reads these in any
order: in a backlog one after the other. The asset has come as far as the partition that is furthest behind.

Instants are in ms since 1970 UTC, the time of silence is in ms of `Listening.now`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.flink_job.instants import FOREVER, NEVER


class PartitionProgress:
    """The progress of A assets in P partitions, which are numbered here as they appear."""

    def __init__(self, count: int) -> None:
        self._column: dict[int, int] = {}
        self._newest = np.full((count, 0), NEVER, np.int64)
        """[A, P]: the newest instant of each asset in each partition; NEVER: none came from there."""
        self._heard = np.zeros((count, 0))
        """[A, P]: the listened time at which it came."""

    def hear(self, asset: NDArray[np.int64], partition: NDArray[np.int64], ts: NDArray[np.int64], now: float) -> None:
        """Readings have arrived: indices [N], partitions [N], instants [N]."""
        column = self._columns(partition)
        newest = self._newest.copy()
        np.maximum.at(newest, (asset, column), ts)
        self._heard[newest > self._newest] = now
        self._newest = newest

    def slowest(self, now: float, hold: NDArray[np.float64]) -> NDArray[np.int64]:
        """[A]: the newest instant in the partition that is furthest behind; FOREVER: it need not be waited for.

        A partition is waited for if it has sent a newer reading of the asset within `hold` ([A], ms).
        """
        if self._newest.shape[1] < 2:
            return np.full(len(self._newest), FOREVER, np.int64)
        is_live = (self._newest > NEVER) & (now - self._heard <= hold[:, None])
        return np.asarray(np.where(is_live, self._newest, FOREVER).min(axis=1))

    def is_spread(self, asset: NDArray[np.int64], partition: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Mask [N] of readings whose asset has, or now gets, readings from several partitions."""
        column = self._columns(partition)
        if self._newest.shape[1] < 2:
            return np.zeros(len(asset), bool)
        carries = self._newest > NEVER
        carries[asset, column] = True
        return np.asarray(carries.sum(axis=1)[asset] > 1)

    def is_first(self, asset: NDArray[np.int64], partition: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Mask [N] of readings from a partition that had none of their asset before."""
        return np.asarray(self._newest[asset, self._columns(partition)] == NEVER)

    def _columns(self, partition: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(partition) and (partition == partition[0]).all():  # the usual case, without sorting
            numbers, index = partition[:1], np.zeros(len(partition), np.int64)
        else:
            numbers, index = np.unique(partition, return_inverse=True)
        for number in numbers.tolist():
            if number not in self._column:
                self._column[number] = len(self._column)
                self._newest = np.pad(self._newest, ((0, 0), (0, 1)), constant_values=NEVER)
                self._heard = np.pad(self._heard, ((0, 0), (0, 1)))
        return np.array([self._column[number] for number in numbers.tolist()], np.int64)[index]

    def state(self, assets: NDArray[np.int64]) -> dict[str, Any]:
        """Plain data of some assets for `restore`."""
        return {"partitions": list(self._column), "newest": self._newest[assets]}

    def restore(self, state: Mapping[str, Any], positions: NDArray[np.int64], assets: NDArray[np.int64]) -> None:
        """Take over entries `positions` of a state as those of `assets`."""
        columns = self._columns(np.array(state["partitions"], np.int64))
        self._newest[np.ix_(assets, columns)] = state["newest"][positions]
