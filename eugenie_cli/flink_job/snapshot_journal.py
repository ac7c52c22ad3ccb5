"""The state of a shard: an occasional snapshot of its rows, and a journal of their inputs since then.

The snapshot is large and changes with every row; the readings of a row are small. So rows are stored as databases store
tables. Rows are a pure function of the readings and of the instants up to which rows were made: the journal has both.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pyflink.datastream.state import ListState, ValueState

from eugenie_cli.episodes.records import dead_letter, dumps
from eugenie_cli.flink_job import asset_reset
from eugenie_cli.flink_job.episode_state import classes_of_rows
from eugenie_cli.flink_job.instants import NEVER
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.share import Columns
from eugenie_cli.flink_job.task_rows import TaskRows, Until
from eugenie_cli.readings import reject_reasons

BYTES_OF_A_CELL, BYTES_OF_A_READING = 4, 24
"""Sizes in the snapshot and in the journal. A snapshot is written when the journal has grown as large, and to at least
twice the size with which it began."""

GONE = "it left the site file before its row was made"
"""The detail of a dead letter about readings that waited for their row."""

Entry = Columns | Until | int
"""Readings that were added, or the instants (ms) up to which rows of some assets were then made; in a journal of an
earlier release, the instant up to which those of all assets were."""

States = tuple[ValueState, ListState, ValueState, ValueState]
"""Of the rows, the journal, the names of places, and the last reset."""

Name = Sequence[str]
"""The meaning of a place: asset, sensor, class. The first version of the state had no class."""


class ShardState:
    """The rows of a shard in Flink's state. The shard's key must be current when a method is called.

    Places are numbered by one site file. Their meaning is stored with the journal, so that a job with another site file
    finds its sensors again. Removed assets and sensors are dropped from the state at once; `orphans` reports their
    waiting readings.
    """

    def __init__(self, routes: SensorIndex, task: TaskRows, shard: int, states: States) -> None:
        """Restores the shard's rows into those of the task."""
        self._task, self._shard = task, shard
        rows, journal, names, resets = states
        self._rows, self._journal = rows, journal
        snapshot, record = rows.value(), resets.value() or {}
        entries: list[Entry] = list(journal.get() or ())
        before = names.value()
        is_renamed = before is not None and before != routes.owned_names
        self.orphans: list[tuple[str, bytes]] = []
        """Dead letters about readings that waited for their row when their asset or sensor left the site file, or was
        reset."""
        if is_renamed:
            entries, waited = _renamed(entries, _with_classes(before, snapshot, routes), routes, snapshot or {})
            self.orphans = [letter_of(routes, name, count) for name, count in waited.items()]
        self.reset_assets = asset_reset.due(routes, shard, record)
        """Assets whose state has just been dropped. Their letters are among the orphans."""
        if self.reset_assets:
            former = TaskRows(routes, (shard,))
            _restore(former, shard, snapshot, entries)
            without = asset_reset.reset(routes, shard, former, self.reset_assets, record)
            snapshot, entries, record = without.snapshot, [without.waiting], without.record
            self.orphans += without.letters
            resets.update(record)
        _restore(task, shard, snapshot, entries)
        task.before.note_reset(record.get(asset_reset.MADE_UNTIL, {}))
        self._kept = 0
        """Readings that waited for their row at the last snapshot, and which a snapshot writes again."""
        self._written = sum(len(entry[0]) for entry in entries if not isinstance(entry, int))
        if before != routes.owned_names:
            names.update(routes.owned_names)
        if is_renamed or self.reset_assets:
            self._snapshot()

    def take(self, taken: Columns) -> None:
        """Record readings of the shard that the rows have taken."""
        self._journal.add(taken)
        self._written += len(taken[0])

    def made(self, until: Until) -> None:
        """Record up to where rows of the shard's assets have been made."""
        self._written += len(until[0])
        size = max(self._task.cells(self._shard) * BYTES_OF_A_CELL, 2 * self._kept * BYTES_OF_A_READING)
        if self._written * BYTES_OF_A_READING < size:
            self._journal.add(until)
        else:
            self._snapshot()

    def _snapshot(self) -> None:
        """Write the current rows, and restart the journal with the readings that wait for their row."""
        self._rows.update(self._task.state(self._shard))
        pending = self._task.pending(self._shard)
        self._written = self._kept = len(pending[0])
        self._journal.clear()
        if self._written:
            self._journal.add(pending)


def _restore(task: TaskRows, shard: int, snapshot: Mapping[str, Any] | None, entries: Sequence[Entry]) -> None:
    if snapshot is not None:
        task.restore(snapshot)
    for entry in entries:
        if _is_readings(entry):
            task.add(cast("Columns", entry), 0.0)
        else:
            task.replay(shard, cast("Until | int", entry))


def _is_readings(entry: Entry) -> bool:
    return not isinstance(entry, int) and len(entry) == 3


def letter_of(routes: SensorIndex, name: tuple[str, str], count: int) -> tuple[str, bytes]:
    """(reason, dead letter) about `count` readings of a sensor (asset, sensor) that left the site file."""
    payload = json.dumps({"asset": name[0], "sensor": name[1]}, ensure_ascii=False)
    letter = dead_letter(reject_reasons.UNKNOWN_TAG, GONE, payload, routes.spec.kafka.readings)
    return reject_reasons.UNKNOWN_TAG, dumps({**letter, "count": count})


def _with_classes(before: list[Name], snapshot: Mapping[str, Any] | None, routes: SensorIndex) -> list[Name]:
    """The names of a former job with their classes, which the first version of the state stored only with the rows."""
    if not before or len(before[0]) > 2:
        return before
    former = {asset: known.name for asset, known in classes_of_rows(snapshot, before, routes.spec).items()}
    current = {asset.name: asset.class_name for asset in routes.spec.assets}
    return [(asset, sensor, former.get(asset) or current.get(asset, "")) for asset, sensor in before]


def _renamed(
    entries: list[Entry], before: list[Name], routes: SensorIndex, snapshot: Mapping[str, Any]
) -> tuple[list[Entry], Counter[tuple[str, str]]]:
    """The journal with this job's places, and the number of waiting readings of each (asset, sensor) that it lacks."""
    places: dict[tuple[str, ...], int] = {name: index for index, name in enumerate(routes.owned_names)}
    new_places = np.array([places.get(tuple(name), -1) for name in before], np.int64)
    steps = {equipment.name: equipment.step_ms for equipment in routes.spec.classes}
    steps |= {name: int(rows["step"]) for name, rows in snapshot.items()}
    old_steps = np.array([steps.get(name[2], 1) for name in before], np.int64)
    # an asset is known by any of its sensors, as long as it stays in its class
    owners = {(asset, owner): place for place, (asset, _, owner) in reversed(list(enumerate(routes.owned_names)))}
    new_owners = np.array([owners.get((name[0], name[2]), -1) for name in before], np.int64)
    made = _made_until(entries, before)
    kept: list[Entry] = []
    waited: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        if isinstance(entry, int):
            kept.append(entry)
            continue
        place = entry[0]
        new_place = (new_places if _is_readings(entry) else new_owners)[place]
        exists = new_place >= 0
        kept.append(cast("Entry", (new_place[exists], *(column[exists] for column in entry[1:]))))
        if _is_readings(entry):
            waits = ~exists & (-(-entry[1] // old_steps[place]) * old_steps[place] > made[place])
            waited.update((before[number][0], before[number][1]) for number in place[waits].tolist())
    return kept, waited


def _made_until(entries: list[Entry], names: list[Name]) -> NDArray[np.int64]:
    """[places]: the last instant up to which the journal says that rows of each sensor's asset were made."""
    of_all = max((entry for entry in entries if isinstance(entry, int)), default=NEVER)
    of_asset: dict[str, int] = {}
    for entry in entries:
        if isinstance(entry, int) or _is_readings(entry):
            continue
        for place, until in zip(entry[0].tolist(), entry[1].tolist(), strict=True):
            asset = names[place][0]
            of_asset[asset] = max(until, of_asset.get(asset, NEVER))
    return np.array([max(of_asset.get(name[0], NEVER), of_all) for name in names], np.int64)
