"""Counts a class's rows and alarms by intervals of time, asset by asset, in little memory."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Bools, Ints
from eugenie_cli.detection.metrics.alarm_load import INTERVAL_MS
from eugenie_cli.evaluation.findings import Timeline

WIDTHS_MS = tuple(minutes * 60_000 for minutes in (10, 30, 60, 180, 720, 1440, 10_080, 40_320))
"""Possible widths of the finished timeline's intervals, from ten minutes to four weeks."""
MOST_INTERVALS = 72
"""Bars that fit in a picture."""


class TimelineSum:
    """Counts by ten-minute intervals, only those in which anything was judged."""

    def __init__(self) -> None:
        self._at: Ints = np.zeros(0, np.int64)
        self._counts: Ints = np.zeros((0, len(Timeline.COLUMNS)), np.int64)

    def add_rows(self, edges: Ints, scored: Bools, flagged: Bools, alarm: Bools) -> None:
        """Add an asset's judged rows: edges [J] in order, with three flags for each."""
        at, interval = np.unique(edges // INTERVAL_MS, return_inverse=True)
        kinds = [np.ones(len(edges), bool), scored, flagged, alarm]
        counts = np.stack([np.bincount(interval[kind], minlength=len(at)) for kind in kinds], axis=1)
        self._add(at, counts, slice(0, 4))

    def add_alarms(self, detected: Ints, false: Ints) -> None:
        """Add an asset's alarms by the instant when they were raised, and those of them that were false."""
        for column, instants in ((4, detected), (5, false)):
            at, counts = np.unique(np.asarray(instants, np.int64) // INTERVAL_MS, return_counts=True)
            self._add(at, counts[:, None], slice(column, column + 1))

    def finished(self) -> Timeline:
        """The timeline with the finest intervals that give at most `MOST_INTERVALS` of them."""
        spread = int(self._at[-1] - self._at[0]) * INTERVAL_MS if len(self._at) else 0
        width = next((width for width in WIDTHS_MS if spread // width < MOST_INTERVALS), WIDTHS_MS[-1])
        at, interval = np.unique(self._at * INTERVAL_MS // width, return_inverse=True)
        counts = np.zeros((len(at), len(Timeline.COLUMNS)), np.int64)
        np.add.at(counts, interval, self._counts)
        return Timeline(width, at * width, counts)

    def halves(self) -> tuple[float | None, float | None]:
        """Share of rows above 1 in the first and in the second half of the judged rows."""
        rows = self._counts[:, 0]
        second = np.cumsum(rows) > rows.sum() / 2
        return self._flagged(~second), self._flagged(second)

    def _flagged(self, chosen: Bools) -> float | None:
        rows, _, flagged, *_ = self._counts[chosen].sum(axis=0).tolist()
        return flagged / rows if rows else None

    def _add(self, at: Ints, counts: Ints, columns: slice) -> None:
        if not len(at):
            return
        merged = np.union1d(self._at, at)
        counts_of_merged = np.zeros((len(merged), len(Timeline.COLUMNS)), np.int64)
        counts_of_merged[np.searchsorted(merged, self._at)] = self._counts
        counts_of_merged[np.searchsorted(merged, at), columns] += counts
        self._at, self._counts = merged, counts_of_merged
