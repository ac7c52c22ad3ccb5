"""A shard that outlives its process: a snapshot of its rows now and then, and a journal of what it was told since.

The snapshot is large, and every row changes it; the readings of a row are small. So rows are kept as a database keeps
its tables. They are a pure function of readings, and of how far rows were made of which: that is what the journal has.
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
"""In a snapshot and in the journal. A snapshot is written when the journal has grown as large."""

GONE = "the site file lost it before its row was made"
"""The detail of a dead letter for readings that waited for their row."""

Entry = Readings | int
"""Readings that were taken, or the instant (ms) up to which rows were then made."""

Name = Sequence[str]
"""What a place stands for: asset, sensor, class. The first version of the state had no class."""


class JournaledShard:
    """A `Shard` and its state in Flink. To be used where the shard's key is current.

    Places are numbers of one site file. With the journal goes what they stand for, so that a job with another site file
    finds its sensors again. What is gone is dropped from the state at once; `orphans` says which readings waited.
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
        """Dead letters of the readings that waited for their row when the site file lost their asset or sensor."""
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
        """`Shard.take`: the dead letters of what is late."""
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
        """Write the rows as they are, and begin the journal anew with what waits for its row."""
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
    """The names of another job, each with its class: the first version of the state had it with the rows alone."""
    if not before or len(before[0]) > 2:
        return before
    then = {asset: one.name for asset, one in classes_of_rows(snapshot, before, routes.spec).items()}
    now = {one.name: one.class_name for one in routes.spec.assets}
    return [(asset, sensor, then.get(asset) or now.get(asset, "")) for asset, sensor in before]


def _renamed(
    entries: list[Entry], before: list[Name], routes: SensorIndex, snapshot: Mapping[str, Any]
) -> tuple[list[Entry], Counter[tuple[str, str]]]:
    """Readings by the places of this job, and how many of each (asset, sensor) that it lacks still waited."""
    places: dict[tuple[str, ...], int] = {name: index for index, name in enumerate(routes.owned_names)}
    place_now = np.array([places.get(tuple(name), -1) for name in before], np.int64)
    steps = {one.name: one.step_ms for one in routes.spec.classes}
    steps |= {name: int(rows["step"]) for name, rows in snapshot.items()}
    step_then = np.array([steps.get(name[2], 1) for name in before], np.int64)
    made = max((entry for entry in entries if isinstance(entry, int)), default=None)
    kept: list[Entry] = []
    waited: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        if isinstance(entry, int):
            kept.append(entry)
            continue
        place, ts, value = entry
        now = place_now[place]
        there = now >= 0
        kept.append((now[there], ts[there], value[there]))
        waits = ~there & _waits(ts, step_then[place], made)
        waited.update((before[one][0], before[one][1]) for one in place[waits].tolist())
    return kept, waited


def _waits(ts: NDArray[np.int64], step: NDArray[np.int64], made: int | None) -> NDArray[np.bool_]:
    """Of readings in a journal: whose row was not made. `made`: the last instant up to which rows were."""
    if made is None:
        return np.ones(len(ts), bool)
    return np.asarray(-(-ts // step) * step > made)
