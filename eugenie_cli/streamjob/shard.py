"""A shard: some whole assets of the site, of any class. Turns the front's texts into rows and segments. Pure."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np

from eugenie_cli.episodes.records import dead_letter, dumps, iso
from eugenie_cli.readings import reasons
from eugenie_cli.readings.routing import Router
from eugenie_cli.streamjob.front_sql import FIELD_SEPARATOR, ITEM_SEPARATOR
from eugenie_cli.streamjob.spec import JobSpec
from eugenie_cli.streamjob.steps import Batch, ClassRows

Place = tuple[int, int, int]
"""Index of the class, of the asset within the class, of the sensor within the class."""


class Routes:
    """Where each (asset, sensor, tag) of a message leads, looked up once. Shared by the shards of a worker."""

    def __init__(self, spec: JobSpec) -> None:
        self.spec = spec
        self.assets = {
            one.name: tuple(asset.name for asset in spec.assets if asset.class_name == one.name) for one in spec.classes
        }
        classes = {one.name: index for index, one in enumerate(spec.classes)}
        self._places = {
            asset: (classes[class_name], index)
            for class_name, assets in self.assets.items()
            for index, asset in enumerate(assets)
        }
        self._router = Router(
            {asset.name: {"class": asset.class_name, "tags": asset.tags} for asset in spec.assets},
            {one.name: one.sensors for one in spec.classes},
        )
        self._known: dict[str, Place | None] = {}

    def place(self, key: str) -> Place | None:
        """`asset, sensor, tag`, joined by the field separator -> the place, or None for what the site does not have."""
        try:
            return self._known[key]
        except KeyError:
            asset, sensor, tag = (part or None for part in key.split(FIELD_SEPARATOR))
            route = self._router.route(asset, sensor, tag)
            place = None if route is None else (*self._places[route[0]], route[1])
            if place is not None:  # what the site does not have is unbounded, and not remembered
                self._known[key] = place
            return place


class Shard:
    """The rows of a shard's assets. `take` what the front gathered, then `advance` with the watermark."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._rows = [ClassRows(one, routes.assets[one.name]) for one in routes.spec.classes]

    def take(self, items: str) -> list[bytes]:
        """Readings of one step as the front wrote them. Returns dead letters: unknown tags and late readings, each kind
        once with a count."""
        columns: list[tuple[list[int], list[int], list[int], list[str]]] = [([], [], [], []) for _ in self._rows]
        keys: list[list[str]] = [[] for _ in self._rows]
        refused: Counter[tuple[str, str]] = Counter()
        place_of = self._routes.place
        for item in items.split(ITEM_SEPARATOR):
            key, ts, value = item.rsplit(FIELD_SEPARATOR, 2)
            place = place_of(key)
            if place is None:
                refused[reasons.UNKNOWN_TAG, key] += 1
                continue
            asset, sensor, instants, values = columns[place[0]]
            asset.append(place[1])
            sensor.append(place[2])
            instants.append(int(ts))
            values.append(value or "nan")
            keys[place[0]].append(key)
        for rows, (asset, sensor, instants, values), key_list in zip(self._rows, columns, keys, strict=True):
            if asset:
                late = rows.add(
                    np.array(asset, np.int32),
                    np.array(sensor, np.int32),
                    np.array(instants, np.int64),
                    np.array(values, dtype=np.float64),
                )
                for index in np.flatnonzero(late):
                    refused[reasons.LATE, key_list[index]] += 1
        return [self._refuse(reason, key, count) for (reason, key), count in refused.items()]

    def advance(self, until: int) -> list[Batch]:
        """Segments for all rows up to `until` (ms). Every reading up to there must have been taken."""
        return [batch for rows in self._rows for batch in rows.advance(until)]

    def next_edge(self) -> int | None:
        """When there is the next row to make; None while the shard is silent."""
        return min((edge for rows in self._rows if (edge := rows.next_edge()) is not None), default=None)

    def _refuse(self, reason: str, key: str, count: int) -> bytes:
        asset, sensor, tag = key.split(FIELD_SEPARATOR)
        named = {"asset": asset, "sensor": sensor, "tag": tag}
        payload = json.dumps({name: text for name, text in named.items() if text}, ensure_ascii=False)
        last = max((rows.edge for rows in self._rows if rows.edge is not None), default=None)
        detail = (
            "the site has no such asset, sensor or tag"
            if reason == reasons.UNKNOWN_TAG
            else f"the row is made; rows reach {iso(last) if last is not None else 'nowhere'}"
        )
        letter = dead_letter(reason, detail, payload, self._routes.spec.kafka.readings)
        return dumps({**letter, "count": count})

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain data."""
        return {one.name: rows.state() for one, rows in zip(self._routes.spec.classes, self._rows, strict=True)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state that an earlier job kept; classes that the site no longer has are dropped."""
        for one, rows in zip(self._routes.spec.classes, self._rows, strict=True):
            if one.name in state:
                rows.restore(state[one.name])
