"""Episodes as a savepoint keeps them, each with what its records need even when the site file has lost it. Pure.

A savepoint outlives the site file that it was made with. An anomaly that is open in it is closed by the next job, in
the words of the class that it was opened in: its name, its sensors, its model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eugenie_cli.episodes.state_machine import Episode
from eugenie_cli.flink_job.spec import ClassSpec, JobSpec

VERSION = 2
"""Of what `to_state` writes. The first had an asset's episode by its name, and nothing of its class."""


@dataclass(frozen=True)
class ClassState:
    """What records of an anomaly say of a class."""

    name: str
    sensors: tuple[str, ...]
    units: tuple[str, ...]
    model: str

    @staticmethod
    def of(spec: ClassSpec) -> ClassState:
        return ClassState(spec.name, spec.sensors, spec.units, spec.model)


@dataclass(frozen=True)
class EpisodeState:
    """An episode that is not idle, of an asset in a class. None: a first-version state, and its class is not known."""

    asset: str
    of_class: ClassState | None
    episode: Episode


def to_state(kept: Sequence[EpisodeState]) -> dict[str, Any]:
    """Plain data; empty when there is nothing to keep, which is the rule."""
    if not kept:
        return {}
    classes = list(dict.fromkeys(one.of_class for one in kept if one.of_class is not None))
    return {
        "version": VERSION,
        "classes": [[one.name, list(one.sensors), list(one.units), one.model] for one in classes],
        "episodes": [
            [one.asset, classes.index(one.of_class), one.episode.to_state()] for one in kept if one.of_class is not None
        ],
    }


def from_state(state: Mapping[str, Any], classes_then: Mapping[str, ClassState]) -> Iterator[EpisodeState]:
    """What `to_state` was given, or the state of a job of the first version.

    `classes_then`: the class of each asset in the earlier job, as far as its rows tell. The first version needs it.
    """
    if state.get("version") != VERSION:  # an asset of that name has a list there
        for asset, kept in state.items():
            yield EpisodeState(asset, classes_then.get(asset), Episode.from_state(kept))
        return
    classes = [
        ClassState(name, tuple(sensors), tuple(units), model) for name, sensors, units, model in state["classes"]
    ]
    for asset, number, kept in state["episodes"]:
        yield EpisodeState(asset, classes[number], Episode.from_state(kept))


def classes_of_rows(
    snapshot: Mapping[str, Any] | None, names: Iterable[Sequence[str]] | None, spec: JobSpec
) -> dict[str, ClassState]:
    """Asset -> the class that it had in the job that kept these rows.

    `snapshot`: `Shard.state`. `names`: (asset, sensor) of that job's places, for an asset that came after the snapshot:
    it has the class that it has now, if that has these sensors. `spec` knows units; of a class that it has lost there
    are none.
    """
    now = {one.name: ClassState.of(one) for one in spec.classes}
    class_now = {one.name: now[one.class_name] for one in spec.assets}
    found: dict[str, ClassState] = {}
    then: dict[tuple[str, ...], ClassState] = {one.sensors: one for one in now.values()}
    for name, rows in (snapshot or {}).items():
        sensors = tuple(rows["sensors"])
        is_same = name in now and now[name].sensors == sensors
        then[sensors] = now[name] if is_same else ClassState(name, sensors, ("",) * len(sensors), name)
        found.update(dict.fromkeys(rows["assets"], then[sensors]))
    sensors_of: dict[str, list[str]] = {}
    for asset, sensor, *_ in names or ():
        sensors_of.setdefault(asset, []).append(sensor)
    for asset, listed in sensors_of.items():
        own = class_now.get(asset)
        same = own if own is not None and own.sensors == tuple(listed) else then.get(tuple(listed))
        if asset not in found and same is not None:
            found[asset] = same
    return found
