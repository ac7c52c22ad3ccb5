"""VUS-PR, the volume under the surface of precision and recall: a metric of the score itself, over all thresholds.

Paparrizos, Boniol, Palpanas, Tsay, Elmore and Franklin, "Volume under the surface: a new accuracy evaluation measure
for time-series anomaly detection", PVLDB 15 (2022), as the TSB-AD leaderboards compute it (Liu and Paparrizos, NeurIPS
2024): the area under the precision-recall curve of labels that fade out over a buffer around each event, averaged over
buffer lengths. It tolerates detections that are slightly early or late; unlike point adjustment, it does not reward
chance. A score that is highest exactly in the events has a VUS-PR of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints, runs

LONGEST_BUFFER = 100
"""Rows. The default of the leaderboards' code, and the same for every detector: a buffer that followed a detector's
window would reward long windows."""
THRESHOLDS = 250
"""Scores that serve as thresholds, at evenly spaced ranks, as in the leaderboards' code."""
RESAMPLED_BUFFERS = range(0, LONGEST_BUFFER + 1, 10)
"""Buffer lengths that suffice for intervals."""

Series = tuple[Floats, Bools]
"""Score [T] (NaN: not scored, never flagged) and label [T] of one asset, in time order."""


def vus_pr(series: Sequence[Series], longest_buffer: int = LONGEST_BUFFER) -> float | None:
    """VUS-PR over buffers of 0 to `longest_buffer` rows: the mean over assets with a labelled row; None without any."""
    buffers = range(longest_buffer + 1)
    volumes = [Surface(score, label, buffers).volume() for score, label in series if label.any()]
    return float(np.mean(volumes)) if volumes else None


class Surface:
    """The precision-recall curves of one asset's score [T] and label [T], one for each buffer length in rows.

    At a threshold, let h be the labelled rows that are flagged, s the sum of the soft labels of flagged buffer rows, n
    all flagged rows and P the labelled rows. Precision is (h + s) / n; recall is min(1, (h + s) / (P + s / 2)) x the
    share of events in which anything is flagged, where events whose buffers touch are one. A buffer of w rows gives the
    rows at distance d <= w // 2 of an event a soft label of sqrt(1 - d / w); those of several events add up to at most
    1. The area sums precision x increase of recall, from the highest threshold to the lowest.
    """

    def __init__(self, score: Floats, label: Bools, buffers: Sequence[int]) -> None:
        self._buffers = buffers
        self._flagged_at = _first_threshold(score)
        self._rows = len(label)
        self._events: Ints = np.array(runs(label), np.int64).reshape(-1, 2)
        # all but the number of flagged rows depends only on rows in or near an event
        self._near: Ints = np.flatnonzero(_widened(self._events, max(buffers) // 2, self._rows))
        self._label = label[self._near].astype(np.float64)
        self._place = np.searchsorted(self._near, self._events)

    def volume(self) -> float:
        """The mean area over the buffer lengths."""
        return float(self.volumes(np.ones((1, self._rows)))[0])

    def volumes(self, weights: Floats) -> Floats:
        """float64 [R]: the volume under each row of `weights` [R, T], which say how often each row counts.

        An event counts as often as its rows do on average. NaN where no labelled row counts. The thresholds stay.
        """
        near, flagged_at = weights[:, self._near], self._flagged_at[self._near]
        flagged = _until(self._flagged_at, weights)
        hits = _until(flagged_at, near * self._label)
        positives = (near @ self._label)[:, None]
        areas = np.zeros(len(weights))
        with np.errstate(invalid="ignore", divide="ignore"):
            for buffer in self._buffers:
                soft_hits = _until(flagged_at, near * self._soft(buffer))
                found = hits + soft_hits
                recall = np.minimum(found / (positives + soft_hits / 2), 1.0)
                recall *= self._existence(buffer // 2, near, flagged_at)
                precision = np.where(flagged > 0, found / flagged, 0.0)
                areas += np.sum(np.diff(recall, axis=1, prepend=0.0) * precision, axis=1)
        return np.where(positives[:, 0] > 0, areas / len(self._buffers), np.nan)

    def _soft(self, buffer: int) -> Floats:
        """float64 [near rows]: the soft labels outside the events, 0 inside."""
        soft = np.zeros(len(self._near))
        for distance in range(1, buffer // 2 + 1):
            value = np.sqrt(1 - distance / buffer)
            soft[self._place[self._events[:, 0] >= distance, 0] - distance] += value
            soft[self._place[self._events[:, 1] + distance <= self._rows, 1] + distance - 1] += value
        return np.where(self._label > 0, 0.0, np.minimum(soft, 1.0))

    def _existence(self, reach: int, near: Floats, flagged_at: Ints) -> Floats:
        """float64 [R, THRESHOLDS]: share of events, widened by `reach`, in which each threshold flags anything."""
        starts, ends = self._events.T
        apart = starts[1:] - reach > ends[:-1] - 1 + reach
        opening, closing = np.concatenate([[True], apart]), np.concatenate([apart, [True]])
        first = (self._place[:, 0] - np.minimum(reach, starts))[opening]
        last = (self._place[:, 1] + np.minimum(reach, self._rows - ends))[closing]
        noticed_at = _folded(np.minimum, flagged_at, first, last)
        weight = _folded(np.add, near, first, last) / (last - first)
        return _until(noticed_at, weight) / weight.sum(axis=1, keepdims=True)


def _first_threshold(score: Floats) -> Ints:
    """int64 [T]: the first of the falling thresholds that flags each row; `THRESHOLDS` for a row without a score."""
    flagged_at = np.full(len(score), THRESHOLDS, np.int64)
    scored = ~np.isnan(score)
    rising = np.sort(-score[scored])
    if len(rising):
        thresholds = rising[np.linspace(0, len(rising) - 1, THRESHOLDS).astype(np.int64)]
        flagged_at[scored] = np.searchsorted(thresholds, -score[scored], side="left")
    return flagged_at


def _until(flagged_at: Ints, values: Floats) -> Floats:
    """Sums of `values` [R, n] over the rows that each threshold flags, by `flagged_at` int [n]: [R, THRESHOLDS]."""
    by_threshold = np.stack([np.bincount(flagged_at, own, THRESHOLDS + 1) for own in values])
    return np.cumsum(by_threshold[:, :THRESHOLDS], axis=1)


def _folded(operation: np.ufunc, values: Any, first: Ints, last: Ints) -> Any:
    """`operation` over values[..., first:last] of each range, which are in order and do not overlap: [..., ranges]."""
    bounds = np.stack([first, last], axis=1).ravel()
    if bounds[-1] == values.shape[-1]:
        bounds = bounds[:-1]  # the last range ends with the values
    return operation.reduceat(values, bounds, axis=-1)[..., ::2]


def _widened(events: Ints, reach: int, rows: int) -> Bools:
    """bool [rows]: rows at a distance of at most `reach` from an event."""
    change = np.zeros(rows + 1, np.int64)
    np.add.at(change, np.maximum(events[:, 0] - reach, 0), 1)
    np.add.at(change, np.minimum(events[:, 1] + reach, rows), -1)
    inside: Bools = np.cumsum(change[:-1]) > 0
    return inside
