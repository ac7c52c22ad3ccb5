"""A sink of the live side that keeps what it gets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from eugenie_cli.history.batch import Batch
from eugenie_cli.sources.interface import Tally


class KeepingSink:
    """`readings`: (asset, sensor, ts, value or None); `settles`: whether readings settle at once, or with `settle`."""

    def __init__(self, kept: Mapping[str, Any] | None = None, *, settles: bool = True) -> None:
        self.readings: list[tuple[str, str, int, float | None]] = []
        self.said: list[str] = []
        self.tally, self.kept, self.settles, self.has_room = Tally(), kept or {}, settles, True
        self._open: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def put(self, batch: Batch, tally: Tally, settled: Callable[[], None] | None = None) -> None:
        values = [None if np.isnan(value) else value for value in batch.value.tolist()]
        names = [batch.series[at] for at in batch.index.tolist()]
        with self._lock:
            self.tally.add(tally)
            self.readings += [
                (*name, ts, value) for name, ts, value in zip(names, batch.ts.tolist(), values, strict=True)
            ]
            if settled is not None:
                self._open.append(settled)
        if self.settles:
            self.settle()

    def settle(self) -> None:
        with self._lock:
            done, self._open = self._open, []
        for settled in done:
            settled()

    def keep(self, state: Mapping[str, Any]) -> None:
        self.kept = state

    def say(self, message: str) -> None:
        self.said.append(message)
