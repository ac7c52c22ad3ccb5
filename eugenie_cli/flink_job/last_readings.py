"""The last reading of each sensor: recognises readings that a gateway repeats, and those that contradict it. Pure.

A gateway that polls sends an unchanged value again and again with the instant of its last change. Only the first one
is new; its row has long been made when the others arrive. They are counted, and lost to nobody.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.flink_job.instants import NEVER
from eugenie_cli.flink_job.newest_instants import RunningMax


class Compared(NamedTuple):
    """N readings, each compared with the last one of its sensor before it: masks [N]."""

    is_repeated: NDArray[np.bool_]
    """Of the same instant and with the same value, or both of bad quality."""
    is_conflicting: NDArray[np.bool_]
    """Of the same instant, both good, with another value."""


class LastReadings:
    """The last reading of each of P places (`sensor_index`): its instant is the newest, and it came last with that."""

    def __init__(self, places: int) -> None:
        self.ts = np.full(places, NEVER, np.int64)
        """[P]: ms since 1970 UTC; NEVER: none."""
        self._value = np.full(places, np.nan)

    def hear(self, place: NDArray[np.int64], ts: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        """Readings [N] have arrived in this order."""
        np.maximum.at(self.ts, place, ts)
        is_last = ts == self.ts[place]
        self._value[place[is_last]] = value[is_last]  # of several, the last one is assigned

    def compared(self, place: NDArray[np.int64], ts: NDArray[np.int64], value: NDArray[np.float64]) -> Compared:
        """Compare readings [N], in their order of arrival, with what was heard before, and among themselves."""
        order = np.argsort(place, kind="stable")
        own, instants, values = place[order], ts[order], value[order]
        newest = RunningMax(own).before(instants, self.ts)
        becomes_last = instants >= newest
        number = np.where(becomes_last, np.arange(len(own)), -1)
        starts = np.flatnonzero(np.diff(own, prepend=-1))
        first = np.repeat(starts, np.diff(starts, append=len(own)))
        last = np.maximum.accumulate(np.concatenate([[-1], number[:-1]]))
        before = np.where(last >= first, values[np.maximum(last, 0)], self._value[own])
        is_same = instants == newest
        equal = (values == before) | (np.isnan(values) & np.isnan(before))
        repeated, conflicting = np.empty(len(own), bool), np.empty(len(own), bool)
        repeated[order] = is_same & equal
        conflicting[order] = is_same & ~equal & ~np.isnan(values) & ~np.isnan(before)
        return Compared(repeated, conflicting)

    def restore(self, places: NDArray[np.int64], ts: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        """Take over the last readings of some places, arrays of one shape; `ts` NEVER: none."""
        self.ts[places], self._value[places] = ts, value
