"""A shard: a group of whole assets of any class. Takes readings, makes rows and segments. Pure."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.episodes.records import dead_letter, dumps, iso
from eugenie_cli.flink_job.decode import Readings
from eugenie_cli.flink_job.grid import NEVER, Batch, ClassRows
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.readings import reject_reasons

NO_READINGS: Readings = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))


SAME_STREAM_MS = 300_000
"""Rows from the last minutes of a drained job are not made again. Older readings come from a replay, whose rows may be
made again."""


def _made_until(routes: SensorIndex, number: int) -> NDArray[np.int64] | None:
    """[places]: the last row (ms) that a drained job made for the class in this shard; None without one."""
    if not routes.spec.made_until:
        return None
    last_rows = np.full(len(routes.shard), NEVER, np.int64)
    for index, routed in enumerate(routes.classes):
        ends = [routes.spec.made_until.get(asset, NEVER) for asset in routed.assets[number]]
        # rows are made for all assets at once, so the last row of one asset is the last row of all
        last_rows[(routes.klass == index) & (routes.shard == number)] = max(ends, default=NEVER)
    return last_rows


def _chosen(readings: Readings, mask: NDArray[np.bool_]) -> Readings:
    place, ts, value = readings
    return place[mask], ts[mask], value[mask]


def letter_of(routes: SensorIndex, name: tuple[str, str], count: int, reason: str, detail: str) -> tuple[str, bytes]:
    """(reason, dead letter) about `count` readings of a sensor (asset, sensor) whose messages are no longer known."""
    payload = json.dumps({"asset": name[0], "sensor": name[1]}, ensure_ascii=False)
    letter = dead_letter(reason, detail, payload, routes.spec.kafka.readings)
    return reason, dumps({**letter, "count": count})


class Shard:
    """The rows of a shard's assets. `take` readings, then `advance` to the watermark."""

    def __init__(self, routes: SensorIndex, number: int) -> None:
        self._routes = routes
        self._number = number
        self._rows = [
            ClassRows(spec, routed.assets[number])
            for spec, routed in zip(routes.spec.classes, routes.classes, strict=True)
        ]
        self._first_places = routes.first_places(number)
        self._made = _made_until(routes, number)

    def take(self, readings: Readings) -> tuple[Readings, list[tuple[str, bytes]]]:
        """Add readings. Returns those that were added, and one dead letter per sensor about late ones.

        `decode` finds nearly all late readings, but a restart resets its watermark and not the rows.
        """
        if self._made is not None:
            last_rows = self._made[readings[0]]
            already_made = (readings[1] <= last_rows) & (readings[1] > last_rows - SAME_STREAM_MS)
            if already_made.any():
                taken, letters = self._take(_chosen(readings, ~already_made))
                reach = f"a drained job has made rows up to {iso(int(last_rows[already_made].max()))}"
                return taken, [*self._late_letters(readings[0][already_made], reach), *letters]
        return self._take(readings)

    def _take(self, readings: Readings) -> tuple[Readings, list[tuple[str, bytes]]]:
        place, ts, value = readings
        late = np.zeros(len(place), bool)
        for index, rows in enumerate(self._rows):
            own = self._routes.klass[place] == index
            if own.all():
                late = rows.add(self._routes.asset[place], self._routes.sensor[place], ts, value)
                break
            if own.any():
                chosen = place[own]
                late[own] = rows.add(self._routes.asset[chosen], self._routes.sensor[chosen], ts[own], value[own])
        if not late.any():
            return readings, []
        return _chosen(readings, ~late), self._late_letters(place[late], self._reach())

    def advance(self, until: int) -> list[Batch]:
        """Segments for all rows up to `until` (ms). Every reading up to there must have been added."""
        return [batch for rows in self._rows for batch in rows.advance(until)]

    def next_edge(self) -> int | None:
        """The edge (ms) of the next row; None while the shard is silent."""
        return min((edge for rows in self._rows if (edge := rows.next_edge()) is not None), default=None)

    def pending(self) -> Readings:
        """Readings that wait for their row."""
        parts = [
            (first[asset] + sensor, ts, value)
            for first, rows in zip(self._first_places, self._rows, strict=True)
            for asset, sensor, ts, value in [rows.pending()]
            if len(ts)
        ]
        if len(parts) == 1:
            return parts[0]
        place, ts, value = zip(NO_READINGS, *parts, strict=True)
        return np.concatenate(place), np.concatenate(ts), np.concatenate(value)

    def _reach(self) -> str:
        last = max((rows.edge for rows in self._rows if rows.edge is not None), default=None)
        return f"rows reach {iso(last) if last is not None else 'nowhere'}"

    def _late_letters(self, places: NDArray[np.int64], reach: str) -> list[tuple[str, bytes]]:
        detail = f"the row is complete; {reach}"
        return [
            letter_of(self._routes, self._routes.name_of(place), count, reject_reasons.LATE, detail)
            for place, count in Counter(places.tolist()).items()
        ]

    @property
    def cells(self) -> int:
        """Number of values in the windows of all assets: most of the size of `state`."""
        return sum(rows.cells for rows in self._rows)

    def state(self) -> dict[str, Any]:
        """Plain data for `restore`."""
        return {
            equipment.name: rows.state() for equipment, rows in zip(self._routes.spec.classes, self._rows, strict=True)
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the state of an earlier job. Classes that left the site are dropped."""
        for equipment, rows in zip(self._routes.spec.classes, self._rows, strict=True):
            if equipment.name in state:
                rows.restore(state[equipment.name])
