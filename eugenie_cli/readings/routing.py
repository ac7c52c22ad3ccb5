"""Routing: (asset, sensor, tag) of a reading -> the asset and the index of the sensor in its class.

A sensor is looked up by its name on the asset. A tag is looked up among the asset's tags, then among its sensor names
(so a wide export may use either); without an asset it must be the tag of exactly one asset of the site, or be no tag
and the name of exactly one asset's sensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


class Route(NamedTuple):
    """A row of the routing table. `asset` is None if the tag alone suffices; exactly one of `sensor`, `tag` is set."""

    asset: str | None
    sensor: str | None
    tag: str | None
    to_asset: str
    to_class: str
    to_index: int


class Router:
    """The assets of a site, by name and by tag.

    `assets`: asset -> `{"class": name, "tags": {sensor: tag}}`; the tag of a sensor that is not in `tags` is its name.
    `sensors`: class -> sensor names, in order. A tag of several assets is not routed without an asset. With
    `ignores_case`, sensors and tags are looked up without regard to case, unless only case distinguishes two of them.
    """

    def __init__(
        self,
        assets: Mapping[str, Mapping[str, Any]],
        sensors: Mapping[str, Sequence[str]],
        ignores_case: bool = False,
    ) -> None:
        self._given = assets, sensors
        self._ignores_case = ignores_case
        self._class = {asset: str(entry["class"]) for asset, entry in assets.items()}
        self._sensors = {name: tuple(names) for name, names in sensors.items()}
        self._by_sensor: dict[tuple[str, str], int] = {}
        self._by_tag: dict[tuple[str, str], int] = {}
        by_tag_alone: dict[str, set[tuple[str, int]]] = {}
        by_sensor_alone: dict[str, set[tuple[str, int]]] = {}
        for asset, entry in assets.items():
            tags = entry.get("tags") or {}
            names = self._sensors[self._class[asset]]
            for index, sensor in enumerate(names):
                self._by_sensor[asset, sensor] = index
                tag = tags.get(sensor) or sensor
                self._by_tag[asset, tag] = index
                by_tag_alone.setdefault(tag, set()).add((asset, index))
            for index, sensor in enumerate(names):  # after all tags: a tag wins over another sensor's name
                if (asset, sensor) not in self._by_tag:
                    self._by_tag[asset, sensor] = index
                    by_sensor_alone.setdefault(sensor, set()).add((asset, index))
        by_tag_alone = {**by_sensor_alone, **by_tag_alone}  # and over the names of other assets' sensors
        self._by_tag_alone = {tag: next(iter(routes)) for tag, routes in by_tag_alone.items() if len(routes) == 1}
        if ignores_case:
            self._folded_sensors, self._folded_tags = _folded(self._by_sensor), _folded(self._by_tag)
            alone: dict[str, set[tuple[str, int]]] = {}
            for tag, places in by_tag_alone.items():
                alone.setdefault(tag.casefold(), set()).update(places)
            self._folded_alone = {tag: next(iter(places)) for tag, places in alone.items() if len(places) == 1}

    def ignoring_case(self) -> Router:
        """The same assets, with sensors and tags looked up without regard to case."""
        return Router(*self._given, ignores_case=True)

    def route(self, asset: str | None, sensor: str | None, tag: str | None) -> tuple[str, int] | None:
        """(asset, index of the sensor in its class), or None if the site has no such sensor. A sensor takes precedence
        over a tag.
        """
        exact = self._exact(asset, sensor, tag)
        if exact is not None or not self._ignores_case:
            return exact
        if asset is None:
            return self._folded_alone.get(tag.casefold()) if sensor is None and tag is not None else None
        if sensor is not None:
            index = self._folded_sensors.get((asset, sensor.casefold()))
        else:
            index = self._folded_tags.get((asset, tag.casefold())) if tag is not None else None
        return None if index is None else (asset, index)

    def knows(self, name: str) -> bool:
        """Whether a name is a tag or a sensor of any asset."""
        return any(self.route(asset, None, name) is not None for asset in (None, *self._class))

    def _exact(self, asset: str | None, sensor: str | None, tag: str | None) -> tuple[str, int] | None:
        if asset is None:
            return self._by_tag_alone.get(tag) if sensor is None and tag is not None else None
        if sensor is not None:
            index = self._by_sensor.get((asset, sensor))
        else:
            index = self._by_tag.get((asset, tag)) if tag is not None else None
        return None if index is None else (asset, index)

    @property
    def assets(self) -> tuple[str, ...]:
        """The names of the assets."""
        return tuple(self._class)

    def class_of(self, asset: str) -> str:
        """The class of an asset."""
        return self._class[asset]

    def sensors_of(self, asset: str) -> tuple[str, ...]:
        """The sensor names of an asset's class, in order."""
        return self._sensors[self._class[asset]]

    def table(self) -> Iterator[Route]:
        """All routes, for a join. `route` looks up exactly these rows."""
        for (asset, sensor), index in self._by_sensor.items():
            yield Route(asset, sensor, None, asset, self._class[asset], index)
        for (asset, tag), index in self._by_tag.items():
            yield Route(asset, None, tag, asset, self._class[asset], index)
        for tag, (asset, index) in self._by_tag_alone.items():
            yield Route(None, None, tag, asset, self._class[asset], index)


def _folded(routes: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """The routes by names without regard to case; none for names that only case distinguishes."""
    found: dict[tuple[str, str], set[int]] = {}
    for (asset, name), index in routes.items():
        found.setdefault((asset, name.casefold()), set()).add(index)
    return {key: next(iter(indices)) for key, indices in found.items() if len(indices) == 1}
