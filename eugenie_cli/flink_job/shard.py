"""A shard: some whole assets of the site, of any class. Takes readings, makes rows and segments. Pure."""

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
"""Of the rows that a drained job made, those of its last minutes are not made again. Older readings come
from a replay, whose rows may be."""


def _made_until(routes: SensorIndex, number: int) -> NDArray[np.int64] | None:
    """[places]: the last row (ms) that a drained job made of any asset of the class in this shard; None without one."""
    if not routes.spec.made_until:
        return None
    made = np.full(len(routes.shard), NEVER, np.int64)
    for index, routed in enumerate(routes.classes):
        ends = [routes.spec.made_until.get(asset, NEVER) for asset in routed.assets[number]]
        # rows are made of all assets at once: what one of them was heard until, the others were waited for
        made[(routes.klass == index) & (routes.shard == number)] = max(ends, default=NEVER)
    return made


def _chosen(readings: Readings, mask: NDArray[np.bool_]) -> Readings:
    place, ts, value = readings
    return place[mask], ts[mask], value[mask]


def letter_of(routes: SensorIndex, name: tuple[str, str], count: int, reason: str, detail: str) -> tuple[str, bytes]:
    """(reason, dead letter) of so many readings of a sensor (asset, sensor), whose messages are not known any more."""
    payload = json.dumps({"asset": name[0], "sensor": name[1]}, ensure_ascii=False)
    letter = dead_letter(reason, detail, payload, routes.spec.kafka.readings)
    return reason, dumps({**letter, "count": count})


class Shard:
    """The rows of a shard's assets. `take` what came, then `advance` with the watermark."""

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
        """Take readings in. Returns those that were taken, and dead letters of the others, once for each sensor.

        Others are late: `decode` finds nearly all of them, but its clock begins anew with a restart, and rows do not.
        """
        if self._made is not None:
            made = self._made[readings[0]]
            over = (readings[1] <= made) & (readings[1] > made - SAME_STREAM_MS)
            if over.any():
                taken, letters = self._take(_chosen(readings, ~over))
                reach = f"a job that was drained has made rows up to {iso(int(made[over].max()))}"
                return taken, [*self._late_letters(readings[0][over], reach), *letters]
        return self._take(readings)

    def _take(self, readings: Readings) -> tuple[Readings, list[tuple[str, bytes]]]:
        place, ts, value = readings
        late = np.zeros(len(place), bool)
        for index, rows in enumerate(self._rows):
            mine = self._routes.klass[place] == index
            if mine.all():
                late = rows.add(self._routes.asset[place], self._routes.sensor[place], ts, value)
                break
            if mine.any():
                chosen = place[mine]
                late[mine] = rows.add(self._routes.asset[chosen], self._routes.sensor[chosen], ts[mine], value[mine])
        if not late.any():
            return readings, []
        return _chosen(readings, ~late), self._late_letters(place[late], self._reach())

    def advance(self, until: int) -> list[Batch]:
        """Segments for all rows up to `until` (ms). Every reading up to there must have been taken."""
        return [batch for rows in self._rows for batch in rows.advance(until)]

    def next_edge(self) -> int | None:
        """When there is the next row to make; None while the shard is silent."""
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
        detail = f"the row is made; {reach}"
        return [
            letter_of(self._routes, self._routes.name_of(place), count, reject_reasons.LATE, detail)
            for place, count in Counter(places.tolist()).items()
        ]

    @property
    def cells(self) -> int:
        """Values in the windows of all assets: what `state` mostly consists of."""
        return sum(rows.cells for rows in self._rows)

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain data."""
        return {one.name: rows.state() for one, rows in zip(self._routes.spec.classes, self._rows, strict=True)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state that an earlier job kept; classes that the site no longer has are dropped."""
        for one, rows in zip(self._routes.spec.classes, self._rows, strict=True):
            if one.name in state:
                rows.restore(state[one.name])
