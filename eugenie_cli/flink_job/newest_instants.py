"""The newest instants of each asset, of which a leap of a single moment does not count. Pure; numpy only.

One reading with a wrong instant, up to the permitted distance ahead, would make all right ones late until the clock has
caught up. So an instant that leaps ahead of all earlier ones does not count until another one of a later second
follows it; then it is no mistake, but a gap in the data or a clock that was set forward. (The sensors of one message
share a second.) Until then, the newest one of an earlier second counts.

Instants are in ms since 1970 UTC, the time at which they were heard is in ms of `Listening.now`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.flink_job.instants import FOREVER, NEVER

SECOND_MS = 1_000

LEAST_LEAP_MS = 2_000
"""A smaller distance is no leap, even if the out-of-orderness is 0: readings of every second are up to 2 s apart."""


class NewestInstants:
    """The newest instants of A assets."""

    def __init__(self, count: int, out_of_orderness_ms: int) -> None:
        # a leap within the out-of-orderness makes no other reading late
        self._leap = max(out_of_orderness_ms, LEAST_LEAP_MS)
        self.largest = np.full(count, NEVER, np.int64)
        """[A]: the newest instant of each asset; NEVER: it has no reading."""
        self._second = np.full(count, NEVER, np.int64)
        """[A]: the newest instant of an earlier second."""
        self._is_leap = np.ones(count, bool)
        """[A]: whether the second of the newest instant began with a leap."""
        self._heard = np.zeros((2, count))
        """[A]: when the two were heard."""

    @property
    def supported(self) -> NDArray[np.int64]:
        """[A]: the newest instant that counts; NEVER: there are no readings of two seconds yet."""
        return np.where(self._is_leap, self._second, self.largest)

    @property
    def newest(self) -> NDArray[np.int64]:
        """[A]: the same, but an asset's only instant counts."""
        return np.where(self._second > NEVER, self.supported, self.largest)

    @property
    def heard(self) -> NDArray[np.float64]:
        """[A]: when `newest` was heard."""
        return np.where(self.newest == self.largest, self._heard[0], self._heard[1])

    @property
    def last_heard(self) -> NDArray[np.float64]:
        """[A]: when either of the two newest instants was heard: the last sign of life."""
        return self._heard.max(axis=0)

    def reached(self, now: NDArray[np.float64] | float, hold: NDArray[np.float64] | float) -> NDArray[np.int64]:
        """[A]: `newest`, plus what has passed by listened time `now` beyond `hold` (ms) since it was heard.

        While the newest instant of all is a leap, the asset's clock is not ahead of it either: then what follows a leap
        shows where the clock is.
        """
        passed = np.maximum(now - self._heard - hold, 0.0).astype(np.int64)
        of_largest, of_second = self.largest + passed[0], self._second + passed[1]
        return np.where(self.newest == self.largest, of_largest, np.minimum(of_largest, of_second))

    def plausible(self, silent: NDArray[np.float64]) -> NDArray[np.int64]:
        """[A]: the newest instant, if so much time has passed since `newest` was heard; otherwise `newest`.

        `silent`: [A], ms.
        """
        newest = self.newest
        return np.where(self.largest - newest <= silent + self._leap, self.largest, newest)

    def after(self, asset: NDArray[np.int64], ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """[A]: `supported` once readings have arrived as well, in this order: indices [N], instants [N]."""
        largest, second, is_leap, _ = self._with(asset, ts)
        return np.where(is_leap, second, largest)

    def before(self, asset: NDArray[np.int64], ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """[N]: `supported` of each reading's asset before that reading, when readings arrive in this order."""
        running = RunningMax(asset)
        largest = running.before(ts, self.largest)
        seconds, of_largest = ts // SECOND_MS, largest // SECOND_MS
        begins = seconds > of_largest
        # what each reading leaves as the second newest: itself, or the newest one before it
        left = np.where(seconds < of_largest, ts, np.where(begins, largest, NEVER))
        # the last reading that began a second: its number and whether it was a leap, as one number that grows
        number = np.where(begins, 2 * np.arange(1, len(ts) + 1) + (ts - largest > self._leap), 0)
        is_leap = running.before(number, self._is_leap.astype(np.int64)) % 2 == 1
        return np.where(is_leap, running.before(left, self._second), largest)

    def hear(self, asset: NDArray[np.int64], ts: NDArray[np.int64], now: NDArray[np.float64] | float) -> None:
        """Readings have arrived at listened time `now` (or [A]), in this order: indices [N], instants [N]."""
        largest, second, is_leap, below = self._with(asset, ts)
        is_later = largest // SECOND_MS > self.largest // SECOND_MS
        heard = np.where(is_later, self._heard[0], self._heard[1])
        if below is not None:
            heard = np.where(second == below, now, heard)
        self._heard = np.stack([np.where(largest > self.largest, now, self._heard[0]), heard])
        self.largest, self._second, self._is_leap = largest, second, is_leap

    def _with(
        self, asset: NDArray[np.int64], ts: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64] | None]:
        """[A]: the two newest instants with further readings, and whether the newest is a leap.

        Also the largest one of an earlier second among these readings where it is the second newest now; None: nowhere.
        """
        largest = self.largest.copy()
        np.maximum.at(largest, asset, ts)
        is_later = largest // SECOND_MS > self.largest // SECOND_MS
        second = np.where(is_later, self.largest, self._second)
        lower = ts // SECOND_MS < largest[asset] // SECOND_MS
        # the newest second began with the first of its readings: how far was that ahead of those before it?
        number, first = np.flatnonzero(~lower)[::-1], np.zeros(len(largest), np.int64)
        first[asset[number]] = number  # of several, the last one is assigned: the first to arrive
        before, below = self.largest, None
        if lower.any():
            before, earlier = before.copy(), lower & (np.arange(len(ts)) < first[asset])
            np.maximum.at(before, asset[earlier], ts[earlier])
            below = np.full(len(largest), NEVER, np.int64)
            np.maximum.at(below, asset[lower], ts[lower])
            below = np.where(below > second, below, FOREVER)
            second = np.where(below < FOREVER, below, second)
        is_leap = np.where(is_later, ts[first] - before > self._leap, self._is_leap)
        return largest, second, is_leap, below

    def begin_at(self, assets: NDArray[np.int64], instants: NDArray[np.int64]) -> None:
        """Take instants ([B]; NEVER: none) as the newest ones of some assets, without doubt."""
        self.largest[assets] = self._second[assets] = instants
        self._is_leap[assets] = False

    def state(self, assets: NDArray[np.int64]) -> dict[str, Any]:
        """Plain data of some assets for `restore`."""
        return {"newest": self.largest[assets], "second": self._second[assets], "is_leap": self._is_leap[assets]}

    def restore(self, state: Mapping[str, Any], positions: NDArray[np.int64], assets: NDArray[np.int64]) -> None:
        """Take over entries `positions` of a state as those of `assets`. Earlier releases kept the newest one only."""
        if "second" not in state:
            self.begin_at(assets, state["newest"][positions])
            return
        self.largest[assets] = state["newest"][positions]
        self._second[assets] = state["second"][positions]
        self._is_leap[assets] = state["is_leap"][positions]


class RunningMax:
    """Values [N] in groups: for each the largest one of its group before it."""

    def __init__(self, group: NDArray[np.int64]) -> None:
        """`group`: [N], indices."""
        self._group = group
        self._order = np.argsort(group, kind="stable")
        own = group[self._order]
        self._starts = np.flatnonzero(np.diff(own, prepend=-1))
        self._of_start = own[self._starts]
        self._lengths = np.diff(self._starts, append=len(own))

    def before(self, value: NDArray[np.int64], initial: NDArray[np.int64]) -> NDArray[np.int64]:
        """[N]; NEVER: none. `initial`: [groups], before all of them."""
        # groups are lifted above each other, so that none sees the one before
        first = int(value.min(initial=FOREVER, where=value > NEVER))  # 1 and above: values; 0: none, or smaller ones
        span = max(int(value.max()), int(initial.max()), first) - first + 2
        lift = np.repeat(np.arange(len(self._starts), dtype=np.int64) * span, self._lengths)
        preceding = np.empty_like(value)
        preceding[1:] = np.maximum(value[self._order[:-1]] - (first - 1), 0)
        preceding[self._starts] = np.maximum(initial[self._of_start] - (first - 1), 0)
        preceding += lift
        running = np.maximum.accumulate(preceding) - lift
        before = np.empty_like(running)
        before[self._order] = running
        return np.where(before > 0, before + (first - 1), initial[self._group])
