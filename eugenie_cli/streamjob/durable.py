"""A shard that outlives its process: a snapshot of its rows now and then, and a journal of what it was told since.

The snapshot is large, and every row changes it; the readings of a row are small. So rows are kept as a database keeps
its tables. They are a pure function of readings, and of how far rows were made of which: that is what the journal has.
"""

from __future__ import annotations

import numpy as np
from pyflink.datastream.state import ListState, ValueState

from eugenie_cli.streamjob.decode import Readings
from eugenie_cli.streamjob.routes import Routes
from eugenie_cli.streamjob.shard import Shard
from eugenie_cli.streamjob.steps import Batch

BYTES_OF_A_CELL, BYTES_OF_A_READING = 4, 24
"""In a snapshot and in the journal. A snapshot is written when the journal has grown as large."""

Entry = Readings | int
"""Readings that were taken, or the instant (ms) up to which rows were then made."""


class DurableShard:
    """A `Shard` and its state in Flink. To be used where the shard's key is current.

    Places are numbers of one site file. With the journal goes what they stand for, so that a job with another site file
    finds its sensors again: those that are gone are dropped.
    """

    def __init__(self, routes: Routes, number: int, rows: ValueState, journal: ListState, names: ValueState) -> None:
        self._shard = Shard(routes, number)
        self._rows, self._journal = rows, journal
        snapshot = rows.value()
        if snapshot is not None:
            self._shard.restore(snapshot)
        entries: list[Entry] = list(journal.get() or ())
        before = names.value()
        if before != routes.names:
            names.update(routes.names)
            if before is not None and entries:
                entries = _renamed(entries, before, routes.names)
                journal.update(entries)
        for entry in entries:
            if isinstance(entry, int):
                self._shard.advance(entry)
            else:
                self._shard.take(entry)
        self._written = sum(len(entry[0]) for entry in entries if not isinstance(entry, int))

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
            return batches
        self._rows.update(self._shard.state())
        pending = self._shard.pending()
        self._written = len(pending[0])
        self._journal.clear()
        if self._written:
            self._journal.add(pending)
        return batches

    def next_edge(self) -> int | None:
        """`Shard.next_edge`."""
        return self._shard.next_edge()


def _renamed(entries: list[Entry], before: list[tuple[str, str]], names: list[tuple[str, str]]) -> list[Entry]:
    """Readings by the places of another job."""
    places = {name: index for index, name in enumerate(names)}
    place_now = np.array([places.get(name, -1) for name in before], np.int64)

    def renamed(entry: Entry) -> Entry:
        if isinstance(entry, int):
            return entry
        place, ts, value = entry
        now = place_now[place]
        there = now >= 0
        return now[there], ts[there], value[there]

    return [renamed(entry) for entry in entries]
