"""Readings that wait for their row, in Flink's state: a list of pieces, appended to with each portion.

Places are numbers of one site file. With the pieces goes, once for each job, what the numbers stood for, so that a job
with another site file finds its sensors again.
"""

from __future__ import annotations

import numpy as np
from pyflink.datastream.state import ListState, ValueState

from eugenie_cli.streamjob.decode import Portion
from eugenie_cli.streamjob.shard import Readings


class Waiting:
    """The pieces of the key that is current."""

    def __init__(self, pieces: ListState, names: ValueState) -> None:
        self._pieces = pieces
        self._names = names

    def append(self, readings: Readings) -> None:
        """More readings wait."""
        self._pieces.add(readings)

    def replace(self, readings: Readings) -> None:
        """These wait, and no others."""
        self._pieces.clear()
        if len(readings[0]):
            self._pieces.add(readings)

    def restore(self, names: list[tuple[str, str]]) -> Readings:
        """What an earlier job left, in this job's places. `names`: (asset, sensor) of each of them."""
        empty = Portion()
        pieces = list(self._pieces.get() or ())
        place, ts, value = (
            np.concatenate(each) for each in zip((empty.place, empty.ts, empty.value), *pieces, strict=True)
        )
        before = self._names.value()
        if before != names:
            self._names.update(names)
        if before is None or before == names or not len(place):
            return place, ts, value
        places = {name: index for index, name in enumerate(names)}
        there = np.array([places.get(name, -1) for name in before], np.int64)[place]
        kept = there >= 0
        restored = there[kept], ts[kept], value[kept]
        self.replace(restored)
        return restored
