"""A shard that survives its process: an occasional snapshot of its rows, and a journal of its inputs since then.

The snapshot is large and changes with every row; the readings of a row are small. So rows are stored as databases store
tables. Rows are a pure function of the readings and of the instants up to which rows were made: the journal has both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyflink.datastream.state import ListState, ValueState

from eugenie_cli.flink_job.decode import Readings
from eugenie_cli.flink_job.episode_state import classes_of_rows
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.shard import Shard, letter_of
from eugenie_cli.readings import reject_reasons

BYTES_OF_A_CELL, BYTES_OF_A_READING = 4, 24
"""Sizes in the snapshot and in the journal. A snapshot is written when the journal has grown as large."""

GONE = "it left the site file before its row was made"
"""The detail of a dead letter about readings that waited for their row."""

Entry = Readings | int
"""Readings that were added, or the instant (ms) up to which rows were then made."""

Name = Sequence[str]
"""The meaning of a place: asset, sensor, class. The first version of the state had no class."""


class JournaledShard:
    """A `Shard` and its state in Flink. The shard's key must be current when a method is called.

    Places are numbered by one site file. Their meaning is stored with the journal, so that a job with another site file
    finds its sensors again. Removed assets and sensors are dropped from the state at once; `orphans` reports their
    waiting readings.
    """

    def __init__(
        self, routes: SensorIndex, number: int, rows: ValueState, journal: ListState, names: ValueState
    ) -> None:
        self._shard = Shard(routes, number)
        self._rows, self._journal = rows, journal
        snapshot = rows.value()
        if snapshot is not None:
            self._shard.restore(snapshot)
        entries: list[Entry] = list(journal.get() or ())
        before = names.value()
        is_renamed = before is not None and before != routes.owned_names
        self.orphans: list[tuple[str, bytes]] = []
        """Dead letters about readings that waited for their row when their asset or sensor left the site file."""
        if is_renamed:
            entries, waited = _renamed(entries, _with_classes(before, snapshot, routes), routes, snapshot or {})
            self.orphans = [
                letter_of(routes, name, count, reject_reasons.UNKNOWN_TAG, GONE) for name, count in waited.items()
            ]
        for entry in entries:
            if isinstance(entry, int):
                self._shard.advance(entry)
            else:
                self._shard.take(entry)
        self._written = sum(len(entry[0]) for entry in entries if not isinstance(entry, int))
        if before != routes.owned_names:
            names.update(routes.owned_names)
        if is_renamed:
            self._snapshot()

    def take(self, readings: Readings) -> list[tuple[str, bytes]]:
        """`Shard.take`. Returns the dead letters about late readings."""
        taken, letters = self._shard.take(readings)
        if len(taken[0]):
            self._journal.add(taken)
            self._written += len(taken[0])
        return letters

    def advance(self, until: int) -> list[Batch]:
        """`Shard.advance`."""
        due = self._shard.next_edge()
        if due is None or due > until:
            return []
        batches = self._shard.advance(until)
        if self._written * BYTES_OF_A_READING < self._shard.cells * BYTES_OF_A_CELL:
            self._journal.add(until)
        else:
            self._snapshot()
        return batches

    def _snapshot(self) -> None:
        """Write the current rows, and restart the journal with the readings that wait for their row."""
        self._rows.update(self._shard.state())
        pending = self._shard.pending()
        self._written = len(pending[0])
        self._journal.clear()
        if self._written:
            self._journal.add(pending)

    def next_edge(self) -> int | None:
        """`Shard.next_edge`."""
        return self._shard.next_edge()


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
    rows_made_until = max((entry for entry in entries if isinstance(entry, int)), default=None)
    kept: list[Entry] = []
    waited: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        if isinstance(entry, int):
            kept.append(entry)
            continue
        place, ts, value = entry
        new_place = new_places[place]
        exists = new_place >= 0
        kept.append((new_place[exists], ts[exists], value[exists]))
        waits = ~exists & _waits(ts, old_steps[place], rows_made_until)
        waited.update((before[number][0], before[number][1]) for number in place[waits].tolist())
    return kept, waited


def _waits(ts: NDArray[np.int64], step: NDArray[np.int64], until: int | None) -> NDArray[np.bool_]:
    """Mask of the journal's readings whose row was not made. `until`: the last instant up to which rows were made."""
    if until is None:
        return np.ones(len(ts), bool)
    return np.asarray(-(-ts // step) * step > until)
