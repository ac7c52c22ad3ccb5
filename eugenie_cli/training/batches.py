"""Batches of windows, cut from one long array without copying the data set, while the network learns from the previous
batch. The array may be on disk.

Rows are the first axis of a batch and windows the second: first the first rows of all windows, then their second rows,
and so on, in the order in which the recurrent layer reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.detectors.options import BURN_IN

# Shares of the training input that are hidden at random, to train the network on missing values: single values, and
# windows in which a whole sensor is missing from some row onwards.
HIDDEN_VALUES = 0.02
HIDDEN_SENSOR_WINDOWS = 0.1
# Batches that are cut, and trained on, in one call, which pays a step's overhead once for all of them. At most this
# many values, which is 16 MB.
TOGETHER = 8
MOST_VALUES = 1 << 22


@dataclass(frozen=True)
class Windows:
    """Windows of one long array, which training and validation share.

    `rows` float32 [N, S] in deviations, NaN where missing or hidden; `part` int8 [N]: the part of each row; `counts`:
    the part whose rows are targets; `starts` int [W]: first rows of the windows. At least a window and the longest
    horizon follow each start.
    """

    rows: Floats
    part: Ints
    counts: int
    starts: Ints


class Batches(NamedTuple):
    """K batches of b windows: their M input rows, and the target rows of their forecasts."""

    inputs: Floats
    """float32 [K, M, b, S], NaN where missing."""
    target: Floats
    """float32 [K, M + longest horizon, b, S], NaN where a value is not a target."""
    targets: Floats
    """float32 [K]: the number of targets of a batch over all horizons; at least 1."""

    @property
    def size(self) -> int:
        """Windows in each batch."""
        return self.inputs.shape[2]


@dataclass(frozen=True)
class Cutter:
    """Cuts windows of `window` rows, for forecasts at `horizons`; `random` chooses the values that it hides."""

    window: int
    horizons: Sequence[int]
    random: np.random.Generator

    def drawn(self, windows: Windows, batch: int, limit: int, together: int = TOGETHER) -> Iterator[Batches]:
        """At most `limit` windows, drawn at random, with values hidden; at most `together` batches at once."""
        count = len(windows.starts)
        starts = windows.starts[self.random.choice(count, min(limit, count), replace=False)]
        return self._cut_ahead(windows, starts, batch, together, hide=True)

    def spread(self, windows: Windows, batch: int, limit: int) -> Iterator[Batches]:
        """About `limit` evenly spread windows, the same ones every time, without hidden values."""
        starts = windows.starts[:: max(1, len(windows.starts) // limit)]
        return self._cut_ahead(windows, starts, batch, TOGETHER, hide=False)

    def _cut_ahead(self, windows: Windows, starts: Ints, batch: int, together: int, hide: bool) -> Iterator[Batches]:
        """Full batches, then one with the remaining windows. The next ones are cut while the caller uses these."""
        rows = (self.window + max(self.horizons)) * batch
        together = max(1, min(together, MOST_VALUES // (rows * windows.rows.shape[1])))
        full, rest = np.split(starts, [len(starts) // batch * batch])
        groups = np.split(full.reshape(-1, batch), range(together, len(full) // batch, together))
        groups = [group for group in (*groups, rest[None]) if group.size]
        with ThreadPoolExecutor(1) as cutting:
            next_batches = cutting.submit(self._cut, windows, groups[0], hide)
            for group in groups[1:]:
                ready, next_batches = next_batches.result(), cutting.submit(self._cut, windows, group, hide)
                yield ready
            yield next_batches.result()

    def _cut(self, windows: Windows, starts: Ints, hide: bool) -> Batches:
        """Cuts the windows that begin at `starts` [K, b]."""
        index = starts[:, None] + np.arange(self.window + max(self.horizons))[:, None]
        target = windows.rows.take(index, axis=0)  # a tenth of the time of `rows[index]`
        inputs = target[:, : self.window].copy()
        if hide:
            self._hide(inputs)
        target[windows.part.take(index) != windows.counts] = np.nan
        known = np.isfinite(target)
        counted = [known[:, ahead + BURN_IN : ahead + self.window].sum(axis=(1, 2, 3)) for ahead in self.horizons]
        return Batches(inputs, target, np.maximum(1, np.sum(counted, axis=0)).astype(np.float32))

    def _hide(self, inputs: Floats) -> None:
        """Sets random values to missing, in place."""
        batches, length, size, sensors = inputs.shape
        single = self.random.integers(0, inputs.size, self.random.binomial(inputs.size, HIDDEN_VALUES))
        inputs.reshape(-1)[single] = np.nan
        whole = np.argwhere(self.random.random((batches, size)) < HIDDEN_SENSOR_WINDOWS)
        since = self.random.integers(0, length, len(whole))
        sensor = self.random.integers(0, sensors, len(whole))
        for (batch, window), first, column in zip(whole, since, sensor, strict=True):
            inputs[batch, first:, window, column] = np.nan
