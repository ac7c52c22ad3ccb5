"""Batches of windows, cut from one long array: without copies of the data set, while the network learns from the batch
before. The array may lie on disk.

A batch has its windows' first rows first, then their second ones, and so on: that is how the recurrent layer reads
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.detectors.options import BURN_IN

# Shares of the training input that are hidden at random, so that missing values are nothing new when they
# come: single values, and windows in which a whole sensor is missing from some row on.
HIDDEN_VALUES = 0.02
HIDDEN_SENSOR_WINDOWS = 0.1
# Batches that are cut, and learnt from, in one go: what a step takes beside its work is then taken once for all of
# them. At most so many values, which is 16 MB.
TOGETHER = 8
MOST_VALUES = 1 << 22


@dataclass(frozen=True)
class Windows:
    """Windows of one long array, which training and validation share.

    `rows` float32 [N, S] in deviations, NaN where missing or not to be seen; `part` int8 [N]: which part a
    row belongs to; `counts`: the part whose rows are to be forecast; `starts` int [W]: first rows of the
    windows. After each start lie at least a window and the longest horizon.
    """

    rows: Floats
    part: Ints
    counts: int
    starts: Ints


class Batches(NamedTuple):
    """K batches of b windows: their M rows, and the rows that are to be forecast."""

    inputs: Floats
    """float32 [K, M, b, S], NaN where missing."""
    target: Floats
    """float32 [K, M + longest horizon, b, S], NaN where there is no target."""
    targets: Floats
    """float32 [K]: how many targets a batch has, of all horizons together; at least 1."""

    @property
    def size(self) -> int:
        """Windows in each."""
        return self.inputs.shape[2]


@dataclass(frozen=True)
class Cutter:
    """Cuts windows of `window` rows, for forecasts at `horizons`; what it hides is chosen by `random`."""

    window: int
    horizons: Sequence[int]
    random: np.random.Generator

    def drawn(self, windows: Windows, batch: int, limit: int, together: int = TOGETHER) -> Iterator[Batches]:
        """At most `limit` windows, drawn anew, with values hidden; at most `together` batches at once."""
        count = len(windows.starts)
        starts = windows.starts[self.random.choice(count, min(limit, count), replace=False)]
        return self._cut_ahead(windows, starts, batch, together, hide=True)

    def spread(self, windows: Windows, batch: int, limit: int) -> Iterator[Batches]:
        """About `limit` windows, evenly spread: the same ones every time, as they are."""
        starts = windows.starts[:: max(1, len(windows.starts) // limit)]
        return self._cut_ahead(windows, starts, batch, TOGETHER, hide=False)

    def _cut_ahead(self, windows: Windows, starts: Ints, batch: int, together: int, hide: bool) -> Iterator[Batches]:
        """Full batches, then one with the rest of the windows. The next are cut while the caller works on these."""
        rows = (self.window + max(self.horizons)) * batch
        together = max(1, min(together, MOST_VALUES // (rows * windows.rows.shape[1])))
        full, rest = np.split(starts, [len(starts) // batch * batch])
        wanted = np.split(full.reshape(-1, batch), range(together, len(full) // batch, together))
        wanted = [part for part in (*wanted, rest[None]) if part.size]
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._cut, windows, wanted[0], hide)
            for part in wanted[1:]:
                ready, coming = coming.result(), ahead.submit(self._cut, windows, part, hide)
                yield ready
            yield coming.result()

    def _cut(self, windows: Windows, starts: Ints, hide: bool) -> Batches:
        """Of the windows that begin at `starts` [K, b]."""
        index = starts[:, None] + np.arange(self.window + max(self.horizons))[:, None]
        target = windows.rows.take(index, axis=0)  # a tenth of the time of `rows[index]`
        inputs = target[:, : self.window].copy()
        if hide:
            self._hide(inputs)
        target[windows.part.take(index) != windows.counts] = np.nan
        there = np.isfinite(target)
        counted = [there[:, ahead + BURN_IN : ahead + self.window].sum(axis=(1, 2, 3)) for ahead in self.horizons]
        return Batches(inputs, target, np.maximum(1, np.sum(counted, axis=0)).astype(np.float32))

    def _hide(self, inputs: Floats) -> None:
        """Makes values missing at random."""
        batches, length, size, sensors = inputs.shape
        single = self.random.integers(0, inputs.size, self.random.binomial(inputs.size, HIDDEN_VALUES))
        inputs.reshape(-1)[single] = np.nan
        whole = np.argwhere(self.random.random((batches, size)) < HIDDEN_SENSOR_WINDOWS)
        since = self.random.integers(0, length, len(whole))
        sensor = self.random.integers(0, sensors, len(whole))
        for (batch, window), first, column in zip(whole, since, sensor, strict=True):
            inputs[batch, first:, window, column] = np.nan
