"""Numbers the sensors of the site: each sensor has a place, which identifies its shard, class, asset and column."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.readings.routing import Router


def shard_of(asset: str, shards: int) -> int:
    """The shard of an asset. It never changes and does not depend on other assets."""
    return zlib.crc32(asset.encode()) % shards


@dataclass(frozen=True)
class ClassSensorIndex:
    """The assets of a class, by shard."""

    name: str
    assets: tuple[tuple[str, ...], ...]
    """[shard] -> names, in the order of the row arrays."""


class SensorIndex:
    """Places are numbered by class, then asset, then sensor. Built once per worker."""

    def __init__(self, spec: JobSpec) -> None:
        self.spec = spec
        self.classes: list[ClassSensorIndex] = []
        self._first: dict[str, int] = {}
        shard: list[int] = []
        owner: list[int] = []
        klass: list[int] = []
        asset: list[int] = []
        sensor: list[int] = []
        for index, equipment in enumerate(spec.classes):
            by_shard: list[list[str]] = [[] for _ in range(spec.shards)]
            for name in (entry.name for entry in spec.assets if entry.class_name == equipment.name):
                home = shard_of(name, spec.shards)
                self._first[name] = len(shard)
                count = len(equipment.sensors)
                owner += [len(shard)] * count
                shard += [home] * count
                klass += [index] * count
                asset += [len(by_shard[home])] * count
                sensor += range(count)
                by_shard[home].append(name)
            self.classes.append(ClassSensorIndex(equipment.name, tuple(map(tuple, by_shard))))
        self.shard = np.array(shard, np.int64)
        """[places]: the shard. The other arrays: the asset, class, asset in class and shard, sensor in class."""
        self.owner = np.array(owner, np.int64)
        """[places]: the first place of the asset, which identifies it."""
        self.klass = np.array(klass, np.int64)
        self.asset = np.array(asset, np.int64)
        self.sensor = np.array(sensor, np.int64)
        self._router = Router(
            {entry.name: {"class": entry.class_name, "tags": entry.tags} for entry in spec.assets},
            {equipment.name: equipment.sensors for equipment in spec.classes},
            ignores_case=spec.mapping.get("case") == "ignore",
        )

    def place_of(self, asset: str | None, sensor: str | None, tag: str | None) -> int | None:
        """The place of the sensor that a message names; None if the site does not have it."""
        route = self._router.route(asset, sensor, tag)
        return None if route is None else self._first[route[0]] + route[1]

    def sensor_of(self, place: int) -> tuple[str, str]:
        """(class, sensor) of a place."""
        return self.classes[self.klass[place]].name, self.name_of(place)[1]

    def first_places(self, shard: int) -> list[NDArray[np.int64]]:
        """For each class, the place of the first sensor of each of its assets in a shard, int64 [assets]."""
        return [np.array([self._first[name] for name in index.assets[shard]], np.int64) for index in self.classes]

    @property
    def names(self) -> list[tuple[str, str]]:
        """(asset, sensor) of every place."""
        return [self.name_of(place) for place in range(len(self.shard))]

    @cached_property
    def owned_names(self) -> list[tuple[str, str, str]]:
        """(asset, sensor, class) of every place: its meaning independent of the site file."""
        return [(*self.name_of(place), self.classes[index].name) for place, index in enumerate(self.klass.tolist())]

    def name_of(self, place: int) -> tuple[str, str]:
        """(asset, sensor) of a place."""
        index = self.classes[self.klass[place]]
        asset = index.assets[self.shard[place]][self.asset[place]]
        return asset, self.spec.classes[self.klass[place]].sensors[self.sensor[place]]
