"""Rows that were made before the state of an asset began: readings of these rows are late. Pure.

Instants are in ms since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.flink_job.instants import NEVER
from eugenie_cli.flink_job.sensor_index import SensorIndex

SAME_STREAM_MS = 300_000
"""Rows from the last minutes of a drained job are not made again. Older readings come from a replay, whose rows may be
made again."""


class RowsBefore:
    """Up to where rows of each asset were made: by a drained job (`JobSpec.made_until`), or before a reset."""

    def __init__(self, routes: SensorIndex) -> None:
        self._routes = routes
        self._drained: NDArray[np.int64] | None = None
        if routes.spec.made_until:
            self._drained = self._of_places(routes.spec.made_until)
        self._reset: NDArray[np.int64] | None = None

    def note_reset(self, made_until: Mapping[str, int]) -> None:
        """Rows of some assets were made up to an instant before they were reset."""
        if made_until:
            of_places = self._of_places(made_until)
            self._reset = of_places if self._reset is None else np.maximum(self._reset, of_places)

    def until(self, place: NDArray[np.int64], ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """[N]: up to where rows were made for readings that belong to one of these; NEVER: for the others."""
        until = np.full(len(place), NEVER, np.int64)
        if self._drained is not None:
            made = self._drained[place]
            until = np.where((ts <= made) & (ts > made - SAME_STREAM_MS), made, until)
        if self._reset is not None:
            made = self._reset[place]
            until = np.where(ts <= made, np.maximum(until, made), until)
        return until

    def _of_places(self, made_until: Mapping[str, int]) -> NDArray[np.int64]:
        return np.array([made_until.get(asset, NEVER) for asset, _ in self._routes.names], np.int64)
