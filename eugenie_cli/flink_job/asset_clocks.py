"""A clock per asset: up to which instant the rows of each asset are complete. Pure; numpy only.

An asset's clock is driven by its own readings. A gateway whose clock is fast, slow or stuck, or which sends in
blocks, affects its own assets only. Rows of an asset are complete

- up to its newest reading minus the out-of-orderness, or minus the disorder of its readings if that is larger, which is
  learnt, too: the sensors of an asset may come through two gateways, one behind the other. A single leap ahead is not
  followed (`newest_instants`). If the readings are spread over partitions, the newest one of the partition that is
  furthest behind counts; or
- when it is silent: its clock is assumed to continue, less a hold. The hold covers the delay with which its readings
  usually arrive, which is learnt: that of a gateway which sends every 10 s approaches 10 s. An asset whose readings
  arrive within the out-of-orderness anyway is not waited for any longer. Rows without a reading, which carry the last
  values on, are complete only as far as such gaps are usual: for a sensor that reports changes only. Otherwise they
  wait, because a gateway that was offline sends its readings afterwards, and they would be late.

Instants are in ms since 1970 UTC, the time of silence is in ms of `Listening.now`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.flink_job.instants import FOREVER, NEVER
from eugenie_cli.flink_job.newest_instants import NewestInstants
from eugenie_cli.flink_job.partition_progress import PartitionProgress
from eugenie_cli.flink_job.spec import ClassSpec

FIRST_HOLD_MS = 30_000
"""The hold while an asset's usual delay is unknown: gateways commonly send every 10 s or more often."""

LEARNT_AFTER = 20
"""How often an asset must have sent newer readings until its usual delay is known."""

LONGEST_DELAY_MS = 900_000
"""A longer delay is an outage, from which nothing is learnt."""

LONGEST_DISORDER_MS = 60_000
"""Readings that are further behind the newest one of their asset are late, and nothing is learnt from them: the rows of
an asset that sends stored readings after an outage, besides current ones, must not wait for long."""

HALF_LIFE_MS, DISORDER_HALF_LIFE_MS = 600_000, 120_000
"""After this long without another one like it, a learnt delay or disorder has halved. The disorder is part of the delay
of every row, the delay only of the last rows before a silence."""

GAP_WEIGHT = 1 / 8
"""Weight of the last time between two readings in the usual one: a single gap in the data is not usual."""

JITTER, JITTER_MS = 1.1, 1_000
"""The hold is the learnt delay times 1.1 plus 1 s. If that is within the out-of-orderness, no more is waited for."""

LONGEST_WAIT_MS = 500
"""A reading that has been waiting for longer counts as heard when it is processed: batches of a live plant are smaller,
and the stamps of a topic may be wrong."""

DISORDER_MARGIN = 1.25
"""Rows wait for 1.25 times the learnt disorder: so much of it remains until the next block of a gateway that sends
every 30 s."""


class Arrived(NamedTuple):
    """N readings in the order of their arrival."""

    asset: NDArray[np.int64]
    """Indices."""
    edge: NDArray[np.int64]
    """The edges of their rows."""
    ts: NDArray[np.int64]
    is_new: NDArray[np.bool_]
    """Whether they are newer than the readings of their own sensor. Disorder is learnt from these only: a value that is
    repeated, or a clock that was set back, is no disorder of gateways."""
    partition: NDArray[np.int64]


class AssetClocks:
    """The clocks of A assets of a class."""

    def __init__(self, count: int, spec: ClassSpec, out_of_orderness_ms: int) -> None:
        self._step, self._max_gap = spec.step_ms, spec.max_gap_ms
        self._out_of_orderness = out_of_orderness_ms
        self._instants = NewestInstants(count, out_of_orderness_ms)
        self._delay = np.zeros(count)
        self._gap = np.zeros(count)
        """[A]: the usual time (ms) between two readings of each asset, as far as its last values bridge it."""
        self._disorder = np.zeros((2, count))
        """[A]: how far (ms) readings were behind the newest one of their asset: at least twice, and at least once."""
        self._partitions = PartitionProgress(count)
        self._sent = np.zeros(count, np.int64)

    @property
    def newest(self) -> NDArray[np.int64]:
        """[A]: the newest instant of each asset's readings, without a single leap; NEVER: it has none."""
        return self._instants.newest

    def late(self, arrived: Arrived, made: NDArray[np.int64], now: float) -> NDArray[np.bool_]:
        """Mask [N] of readings whose row is complete: made, or complete by earlier readings.

        `made`: [A] edges of the last rows made. The result does not depend on how the readings are split into calls, as
        long as the disorder is what it was and the readings of an asset come from one partition. Partitions have no
        order among them, so readings of an asset that come from several are compared with those of earlier calls.
        """
        asset, edge, ts, is_new, partition = arrived
        behind, before = self._behind(), self._instants.supported[asset]
        late = edge <= np.maximum(made, self._instants.after(asset, ts) - behind)[asset]
        if late.any() or (self._disorder[1][asset] * 2 > self._out_of_orderness).any():
            before = self._instants.before(asset, ts)
            late = edge <= np.maximum(made[asset], before - behind[asset])
        spread = self._partitions.is_spread(asset, partition)
        if spread.any():
            progress = np.minimum(self._instants.supported, self._partitions.slowest(now, self.hold()))
            before = np.where(
                spread, np.where(self._partitions.is_first(asset, partition), NEVER, progress[asset]), before
            )
            late = np.where(spread, edge <= np.maximum(made[asset], before - behind[asset]), late)
        self._learn_disorder(asset, np.where(is_new, before - ts, 0))
        return late

    def hear(
        self,
        asset: NDArray[np.int64],
        ts: NDArray[np.int64],
        now: float,
        partition: NDArray[np.int64] | None = None,
        waited: NDArray[np.int64] | None = None,
    ) -> None:
        """Readings that are not late have arrived by listened time `now`. `partition`: [N]; None: no longer known.

        `waited`: [N], how long (ms) they have been waiting for the others with which they are processed; None: not.
        """
        if not len(asset):
            return
        instants = self._instants
        largest, newest, last_heard = instants.largest, instants.newest, instants.last_heard
        heard = np.full(len(largest), now)
        if waited is not None:
            least = np.full(len(largest), LONGEST_WAIT_MS, np.int64)
            np.minimum.at(least, asset, waited)
            heard -= np.where(least < LONGEST_WAIT_MS, least, 0)
        expected = instants.reached(heard, 0.0)
        instants.hear(asset, ts, heard)
        if partition is not None:
            self._partitions.hear(asset, partition, np.minimum(ts, instants.newest[asset]), now)
        newer = (instants.largest > largest) | (instants.newest > newest)
        known = newer & (largest > NEVER)
        oldest = np.full(len(largest), FOREVER, np.int64)
        np.minimum.at(oldest, asset, ts)
        delay = np.where(known, expected - oldest, 0).astype(np.float64)
        delay = np.where(delay <= LONGEST_DELAY_MS, delay, 0.0)
        passed = np.where(known, np.maximum(heard - last_heard, 0.0), 0.0)
        self._delay = np.maximum(self._delay * np.exp2(-passed / HALF_LIFE_MS), delay)
        self._disorder *= np.exp2(-passed / DISORDER_HALF_LIFE_MS)
        gap = oldest - largest
        is_bridged = known & (gap > 0) & (gap <= self._max_gap)
        self._gap += np.where(is_bridged, (gap - self._gap) * GAP_WEIGHT, 0.0)
        self._sent += newer

    def now(self, now: float) -> NDArray[np.int64]:
        """[A]: the time of each asset's clock at listened time `now`, less the hold and the out-of-orderness.

        A reading as old as the newest (a stuck clock, an unchanged value with the instant of its last change) does not
        move it.
        """
        newest = self.newest
        extrapolated = self._instants.reached(now, self._wait()) - newest
        return np.where(newest > NEVER, self._progress(now) + extrapolated - self._behind(), NEVER)

    def _progress(self, now: float) -> NDArray[np.int64]:
        """[A]: up to where the readings of each asset have come, in all partitions that carry them."""
        return np.minimum(self.newest, self._partitions.slowest(now, self.hold()))

    def complete(self, now: float) -> NDArray[np.int64]:
        """[A]: every row of each asset up to this instant is complete at listened time `now`."""
        silent = np.maximum(now - self._instants.heard, 0.0)
        return np.minimum(self.now(now), self._last(self._instants.plausible(silent)))

    def last(self) -> NDArray[np.int64]:
        """[A]: the last instant up to which rows may be complete without a further reading, however long it takes."""
        return self._last(self._instants.largest)

    def _last(self, newest: NDArray[np.int64]) -> NDArray[np.int64]:
        of_newest = -(-newest // self._step) * self._step
        bridged = newest + self._gap.astype(np.int64) - self._step * 9 // 10  # the usual time is an average
        return np.where(newest > NEVER, np.maximum(of_newest, bridged), NEVER)

    def _behind(self) -> NDArray[np.int64]:
        """[A]: how far (ms) rows are complete behind the newest reading."""
        # plus one: a reading delayed by exactly the out-of-orderness is in time
        return np.maximum(self._out_of_orderness, (self._disorder[0] * DISORDER_MARGIN).astype(np.int64)) + 1

    def _learn_disorder(self, asset: NDArray[np.int64], behind: NDArray[np.int64]) -> None:
        """`behind`: [N], how far (ms) readings are behind the newest reading of their asset before them."""
        counted = (behind > 0) & (behind <= LONGEST_DISORDER_MS)
        if counted.any():
            most = np.zeros(len(self.newest))
            np.maximum.at(most, asset[counted], behind[counted].astype(np.float64))
            self._disorder[0] = np.maximum(self._disorder[0], np.minimum(most, self._disorder[1]))
            self._disorder[1] = np.maximum(self._disorder[1], most)

    def _wait(self) -> NDArray[np.float64]:
        """[A]: how long (ms) the next reading of an asset is waited for, beyond the out-of-orderness."""
        hold = self.hold()
        return np.where(hold > self._out_of_orderness, hold, 0.0)

    def hold(self) -> NDArray[np.float64]:
        """[A]: how long (ms) after an asset's last reading it is usual that no other has arrived."""
        learnt = self._delay * JITTER + JITTER_MS
        return np.where(self._sent >= LEARNT_AFTER, learnt, np.maximum(learnt, FIRST_HOLD_MS))

    def silence(self, now: float) -> NDArray[np.float64]:
        """[A]: how long (ms) each asset has been silent at listened time `now`, beyond what is usual for it."""
        return np.maximum(now - self._instants.last_heard - self.hold() - self._gap, 0.0)

    def state(self, assets: NDArray[np.int64]) -> dict[str, Any]:
        """Plain data of some assets for `restore`."""
        return {
            **self._instants.state(assets),
            "delay": self._delay[assets],
            "gap": self._gap[assets],
            "disorder": self._disorder[:, assets],
            "partitions": self._partitions.state(assets),
            "sent": self._sent[assets],
        }

    def restore(self, state: Mapping[str, Any], positions: NDArray[np.int64], assets: NDArray[np.int64]) -> None:
        """Take over entries `positions` of a state as those of `assets`."""
        self._instants.restore(state, positions, assets)
        self._delay[assets] = state["delay"][positions]
        self._gap[assets] = state["gap"][positions]
        self._disorder[:, assets] = state["disorder"][:, positions]
        self._partitions.restore(state["partitions"], positions, assets)
        self._sent[assets] = state["sent"][positions]

    def begin_at(self, assets: NDArray[np.int64], instants: NDArray[np.int64]) -> None:
        """Take instants ([B]; NEVER: none) as those of the newest readings of some assets."""
        self._instants.begin_at(assets, instants)
