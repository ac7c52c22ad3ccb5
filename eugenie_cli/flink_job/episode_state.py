"""Episodes in a savepoint, each with what its records need even after its class has left the site file. Pure.

A savepoint outlives the site file with which it was written. The next job closes an anomaly that is open in it, with
the data of the class in which it was opened: name, sensors, model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eugenie_cli.episodes.state_machine import Episode
from eugenie_cli.flink_job.spec import ClassSpec, JobSpec

VERSION = 2
"""Version of the format of `to_state`. The first version stored episodes by asset name, without the class."""


@dataclass(frozen=True)
class ClassState:
    """What anomaly records contain about a class."""

    name: str
    sensors: tuple[str, ...]
    units: tuple[str, ...]
    model: str

    @staticmethod
    def of(spec: ClassSpec) -> ClassState:
        return ClassState(spec.name, spec.sensors, spec.units, spec.model)


@dataclass(frozen=True)
class EpisodeState:
    """An asset's episode that is not idle. `of_class` None: the class is unknown, from a first-version state."""

    asset: str
    of_class: ClassState | None
    episode: Episode


def to_state(kept: Sequence[EpisodeState]) -> dict[str, Any]:
    """Plain data; empty when no episode is active, which is the usual case."""
    if not kept:
        return {}
    classes = list(dict.fromkeys(entry.of_class for entry in kept if entry.of_class is not None))
    return {
        "version": VERSION,
        "classes": [[known.name, list(known.sensors), list(known.units), known.model] for known in classes],
        "episodes": [
            [entry.asset, classes.index(entry.of_class), entry.episode.to_state()]
            for entry in kept
            if entry.of_class is not None
        ],
    }


def from_state(state: Mapping[str, Any], former_classes: Mapping[str, ClassState]) -> Iterator[EpisodeState]:
    """The entries given to `to_state`, or those of a first-version state.

    `former_classes`: the class of each asset in the earlier job, as far as its rows show. Only the first version needs
    it.
    """
    if state.get("version") != VERSION:  # in the first version, an asset named "version" has a list here
        for asset, episode in state.items():
            yield EpisodeState(asset, former_classes.get(asset), Episode.from_state(episode))
        return
    classes = [
        ClassState(name, tuple(sensors), tuple(units), model) for name, sensors, units, model in state["classes"]
    ]
    for asset, number, episode in state["episodes"]:
        yield EpisodeState(asset, classes[number], Episode.from_state(episode))


def classes_of_rows(
    snapshot: Mapping[str, Any] | None, names: Iterable[Sequence[str]] | None, spec: JobSpec
) -> dict[str, ClassState]:
    """Asset -> its class in the job that wrote these rows.

    `snapshot`: `Shard.state`. `names`: (asset, sensor) of that job's places, for assets added after the snapshot: they
    have their current class if its sensors match. `spec` provides the units; those of a removed class are unknown.
    """
    current = {equipment.name: ClassState.of(equipment) for equipment in spec.classes}
    class_of_asset = {asset.name: current[asset.class_name] for asset in spec.assets}
    classes: dict[str, ClassState] = {}
    by_sensors: dict[tuple[str, ...], ClassState] = {known.sensors: known for known in current.values()}
    for name, rows in (snapshot or {}).items():
        sensors = tuple(rows["sensors"])
        is_same = name in current and current[name].sensors == sensors
        by_sensors[sensors] = current[name] if is_same else ClassState(name, sensors, ("",) * len(sensors), name)
        classes.update(dict.fromkeys(rows["assets"], by_sensors[sensors]))
    sensors_of: dict[str, list[str]] = {}
    for asset, sensor, *_ in names or ():
        sensors_of.setdefault(asset, []).append(sensor)
    for asset, listed in sensors_of.items():
        own_class = class_of_asset.get(asset)
        match = (
            own_class if own_class is not None and own_class.sensors == tuple(listed) else by_sensors.get(tuple(listed))
        )
        if asset not in classes and match is not None:
            classes[asset] = match
    return classes
