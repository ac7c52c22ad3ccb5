"""The rows of the assets of a task, of all its shards together. Takes readings, makes rows and segments. Pure.

Shards are the unit of state; arrays over all of them cost hardly more than those of one. In the arrays of a class, the
assets of a shard follow those of the shard before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.flink_job.arrival_delays import ArrivalDelays
from eugenie_cli.flink_job.asset_clocks import Arrived, AssetClocks
from eugenie_cli.flink_job.asset_reports import SILENT_MS
from eugenie_cli.flink_job.grid import SIZES, Batch, ClassRows
from eugenie_cli.flink_job.instants import FOREVER, NEVER
from eugenie_cli.flink_job.last_readings import LastReadings
from eugenie_cli.flink_job.late_letters import Letter, late_letters
from eugenie_cli.flink_job.rows_before import RowsBefore
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.share import Columns, Readings, counted

log = logging.getLogger(__name__)

MOST_PENDING = 5_000_000
"""Readings of a task that wait for their rows: 120 MB, and as much again in Flink's state. Live, a few seconds of
readings wait; more while one partition is read far ahead of another that has readings of the same assets, as after an
outage."""

Until = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Assets, each by the place of one of its sensors [B], and the instants up to which their rows are complete [B], ms."""


class TaskRows:
    """The rows of some shards' assets. `take` readings, then `complete` the rows and make their `segments`."""

    def __init__(self, routes: SensorIndex, shards: Sequence[int]) -> None:
        self._routes = routes
        self._shards = tuple(shards)
        self.rows = [
            ClassRows(spec, tuple(asset for number in shards for asset in routed.assets[number]))
            for spec, routed in zip(routes.spec.classes, routes.classes, strict=True)
        ]
        self._clocks = [
            AssetClocks(len(rows.assets), spec, routes.spec.out_of_orderness_ms)
            for spec, rows in zip(routes.spec.classes, self.rows, strict=True)
        ]
        self._delays = [ArrivalDelays(len(rows.assets)) for rows in self.rows]
        first_places = [[np.empty(0, np.int64)] * len(self.rows), *(routes.first_places(number) for number in shards)]
        self._first_places = [np.concatenate(of_class) for of_class in zip(*first_places, strict=True)]
        self._asset = routes.asset + self._before()
        """[places]: the asset's position in the arrays of its class."""
        self.before = RowsBefore(routes)
        self._last = LastReadings(len(routes.shard))
        self._position = {
            asset: (index, number) for index, rows in enumerate(self.rows) for number, asset in enumerate(rows.assets)
        }
        self.repeated = 0
        """Readings that repeated the last one of their sensor after its row was complete."""
        self._conflicts = 0
        self.late_by: dict[str, tuple[int, int]] = {}
        """Asset -> its late readings, and how far behind its newest reading (ms) they were at most; for `reports`."""
        self._until = [np.full(len(rows.assets), NEVER, np.int64) for rows in self.rows]

    def take(self, readings: Readings, now: float, latest: float | None = None) -> tuple[Columns, list[Letter]]:
        """Add readings that arrived at listened time `now`. Returns those that were added, and letters about late ones.

        `latest`: `Listening.latest`, where that differs from `now`.
        A reading is late when its row has been made, or is complete because its asset has sent newer readings. One that
        only repeats the last one of its sensor is counted, without a letter.
        """
        place, ts = readings.place, readings.ts
        complete = self.before.until(place, ts)
        late = complete > NEVER
        is_new = ts > self._last.ts[place]
        for own, asset, index in self._by_class(place):
            rows, clocks = self.rows[index], self._clocks[index]
            arrived = Arrived(asset, rows.edge_of(ts[own]), ts[own], is_new[own], readings.partition[own])
            late[own] |= clocks.late(arrived, rows.edge, now)
            self._delays[index].hear(asset, ts[own], readings.arrival[own])
        kept = readings.only(~late) if late.any() else readings
        waited = readings.arrival.max(initial=NEVER) - kept.arrival
        self._add(kept.columns, now if latest is None else latest, kept.partition, waited)
        if late.any():
            late = self._without_repeated(readings, late)
        self._last.hear(*readings.columns)
        if not late.any():
            return kept.columns, []
        for own, asset, index in self._by_class(place):
            made = np.maximum(self.rows[index].edge, self._clocks[index].now(now))
            complete[own] = np.where(complete[own] == NEVER, made[asset], complete[own])
        self._note_late(readings.only(late))
        return kept.columns, late_letters(self._routes, readings.only(late), complete[late])

    def add(self, readings: Columns, now: float) -> None:
        """Add readings of an earlier process that are not late."""
        self._last.hear(*readings)
        self._add(readings, now)

    def _add(
        self,
        readings: Columns,
        now: float,
        partition: NDArray[np.int64] | None = None,
        waited: NDArray[np.int64] | None = None,
    ) -> None:
        """`partition`, `waited`: [N], as for the clocks; None: no longer known."""
        place, ts, value = readings
        for own, asset, index in self._by_class(place):
            self.rows[index].add(asset, self._routes.sensor[place[own]], ts[own], value[own])
            known = [None if of is None else of[own] for of in (partition, waited)]
            self._clocks[index].hear(asset, ts[own], now, *known)

    def _without_repeated(self, readings: Readings, late: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """`late` [N] without readings that repeat the last one of their sensor. Counts these, and contradictions."""
        compared = self._last.compared(*readings.columns)
        self.repeated += int((late & compared.is_repeated).sum())
        self._conflicts += int((late & compared.is_conflicting).sum())
        return late & ~compared.is_repeated

    def _note_late(self, late: Readings) -> None:
        for own, asset, index in self._by_class(late.place):
            by_ms = self._clocks[index].newest[asset] - late.ts[own]
            for name, (count, most) in counted(asset, by_ms, self.rows[index].assets.__getitem__).items():
                earlier, by = self.late_by.get(name, (0, 0))
                self.late_by[name] = earlier + count, max(by, most)

    def complete(self, now: float, is_silent: bool = False) -> None:
        """Rows are complete as far as the clocks of their assets tell at listened time `now`.

        `is_silent`: the whole plant is, and its assets are no longer waited for.
        """
        for index, clocks in enumerate(self._clocks):
            self._until[index] = clocks.last() if is_silent else clocks.complete(now)
        if self.is_crowded:
            self._relieve()

    @property
    def is_crowded(self) -> bool:
        """Whether too many readings wait for their rows: those of the assets that have most are made at once."""
        return sum(rows.waiting for rows in self.rows) > MOST_PENDING

    def _relieve(self) -> None:
        """The rows of assets with more waiting readings than the average are complete. What comes for them is late."""
        fair = MOST_PENDING / sum(len(rows.assets) for rows in self.rows)
        for index, (rows, clocks) in enumerate(zip(self.rows, self._clocks, strict=True)):
            is_heavy = np.bincount(rows.pending()[0], minlength=len(rows.assets)) > fair
            self._until[index] = np.where(is_heavy, np.maximum(self._until[index], clocks.last()), self._until[index])
            if is_heavy.any():
                names = ", ".join(rows.assets[number] for number in np.flatnonzero(is_heavy)[:10].tolist())
                log.warning("%d assets have too many readings that wait; theirs are scored: %s", is_heavy.sum(), names)

    def finish(self) -> None:
        """The stream has ended: every row that can be made is complete."""
        for until in self._until:
            until[:] = FOREVER

    def due(self) -> Until:
        """The assets with complete rows that have not been made."""
        places, until = [], []
        for first, rows, end in zip(self._first_places, self.rows, self._until, strict=True):
            due = rows.due(end)
            places.append(first[due])
            until.append(end[due])
        return np.concatenate(places), np.concatenate(until)

    def segments(self) -> Iterator[Batch]:
        """Make all complete rows: of each asset those up to its next gap, in long segments first, and so on."""
        while any([rows.plan(until) for rows, until in zip(self.rows, self._until, strict=True)]):  # noqa: C419 - all
            for size in SIZES:
                for rows, delays in zip(self.rows, self._delays, strict=True):
                    yield from rows.segments(size, delays.delayed_until)
                    if size == SIZES[0]:
                        yield from rows.even_segments(delays.delayed_until)

    def replay(self, shard: int, until: Until | int) -> None:
        """Make the rows of some assets of a shard again that an earlier process made; an instant: those of all."""
        for index, (rows, assets) in enumerate(zip(self.rows, self._own(shard), strict=True)):
            self._until[index] = np.full(len(rows.assets), NEVER, np.int64)
            if isinstance(until, int):  # earlier releases made the rows of all assets of a shard together
                self._until[index][assets] = until
                continue
            place, ends = until
            own = self._routes.klass[place] == index
            self._until[index][self._asset[place[own]]] = ends[own]
        for _ in self.segments():
            pass

    def is_waiting(self) -> bool:
        """Whether a row may become complete although no asset sends another reading."""
        return any(bool(rows.due(np.full(len(rows.assets), FOREVER, np.int64)).any()) for rows in self.rows)

    def clocks_now(self, now: float) -> Callable[[str], int | None]:
        """Asset -> the time of its clock (ms) at listened time `now`, less its hold; None: the asset is not here."""
        of_classes = [clocks.now(now) for clocks in self._clocks]

        def clock_of(asset: str) -> int | None:
            index, number = self._position.get(asset, (None, 0))
            return None if index is None else int(of_classes[index][number])

        return clock_of

    def release(self, assets: Iterable[str], clock_of: Callable[[str], int | None]) -> None:
        """Every row of some assets up to the time of their clocks is complete, with a reading or without."""
        for asset in assets:
            index, number = self._position[asset]
            self._until[index][number] = clock_of(asset)

    def pending(self, shard: int) -> Columns:
        """Readings of a shard that wait for their row."""
        parts = [
            (first[asset] + sensor, ts, value)
            for first, rows in zip(self._first_places, self.rows, strict=True)
            for asset, sensor, ts, value in [rows.pending()]
        ]
        place, ts, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        own = self._routes.shard[place] == shard
        return place[own], ts[own], value[own]

    def _before(self) -> NDArray[np.int64]:
        """[places]: the number of assets of the same class in earlier shards of the task."""
        before = np.zeros(len(self._routes.shard), np.int64)
        for index, routed in enumerate(self._routes.classes):
            count = 0
            for number in self._shards:
                before[(self._routes.klass == index) & (self._routes.shard == number)] = count
                count += len(routed.assets[number])
        return before

    def _places(self, index: int, assets: NDArray[np.int64]) -> NDArray[np.int64]:
        """[B, S]: the places of all sensors of some assets of a class."""
        return self._first_places[index][assets][:, None] + np.arange(len(self._routes.spec.classes[index].sensors))

    def _by_class(self, place: NDArray[np.int64]) -> Iterator[tuple[Any, NDArray[np.int64], int]]:
        """For each class with readings: which of them are its own (an index), their assets, and its number."""
        klass = self._routes.klass[place]
        for index in range(len(self.rows)):
            own = klass == index
            if own.all() and len(place):
                yield slice(None), self._asset[place], index
                return
            if own.any():
                yield own, self._asset[place[own]], index

    def clocks(self, now: float) -> Iterator[tuple[str, int, int]]:
        """(asset, usual delay in ms, silence in ms beyond what is usual for it) of assets with readings.

        A silence shorter than the class allows is 0.
        """
        of_classes = zip(self._routes.spec.classes, self.rows, self._clocks, self._delays, strict=True)
        for spec, rows, clocks, delays in of_classes:
            usual, silence = delays.usual(), clocks.silence(now)
            silence[silence < min(spec.silence_ms, SILENT_MS)] = 0
            for number in np.flatnonzero((clocks.newest > NEVER) & (usual < FOREVER)).tolist():
                yield rows.assets[number], int(usual[number]), int(silence[number])

    def cells(self, shard: int) -> int:
        """Number of values in the windows of a shard: most of the size of its `state`."""
        return sum(rows.cells * len(own) for rows, own in zip(self.rows, self._own(shard), strict=True))

    @property
    def conflicts(self) -> int:
        """Good readings ignored because another of the same sensor and instant has a larger value, or came first."""
        return self._conflicts + sum(rows.conflicts for rows in self.rows)

    def _own(self, shard: int) -> list[NDArray[np.int64]]:
        """For each class, the assets of a shard (indices)."""
        return [np.flatnonzero(self._routes.shard[first] == shard) for first in self._first_places]

    def state(self, shard: int) -> dict[str, Any]:
        """Plain data of a shard for `restore`."""
        kept = {}
        of_classes = zip(
            self._routes.spec.classes, self.rows, self._clocks, self._delays, self._own(shard), strict=True
        )
        for equipment, rows, clocks, delays, own in of_classes:
            assets = np.intersect1d(own, rows.with_readings())
            parts = {"clocks": clocks.state(assets), "delays": delays.state(assets)}
            kept[equipment.name] = {**rows.state(assets), **parts}
        return kept

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over the state of a shard of an earlier job. Classes that left the site are dropped."""
        of_classes = zip(self._routes.spec.classes, self.rows, self._clocks, self._delays, strict=True)
        for index, (equipment, rows, clocks, delays) in enumerate(of_classes):
            if equipment.name not in state:
                continue
            former = state[equipment.name]
            positions, assets = rows.restore(former)
            self._last.restore(self._places(index, assets), *rows.last_readings(assets))
            if "clocks" in former:
                clocks.restore(former["clocks"], positions, assets)
                delays.restore(former["delays"], positions, assets)
            else:
                clocks.begin_at(assets, rows.newest()[assets])
