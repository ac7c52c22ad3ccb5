"""Metrics of the score itself, over all thresholds: average precision and VUS-PR.

VUS-PR is from Paparrizos, Boniol, Palpanas, Tsay, Elmore and Franklin, "Volume under the surface: a new
accuracy evaluation measure for time-series anomaly detection", PVLDB 15 (2022): the area under the
precision-recall curve of labels that fade out over a buffer around each event, averaged over buffer lengths.
It tolerates detections that are slightly early or late; unlike point adjustment, it does not reward chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints, runs

BUFFERS = 11
"""Number of buffer lengths to average over, evenly spaced from 0 to the longest."""

Series = tuple[Floats, Bools]
"""Score [T] (NaN: not scored, never flagged) and label [T] of one asset, in time order."""


def average_precision(series: Sequence[Series]) -> float | None:
    """Area under the stepwise precision-recall curve of all rows; None without a labelled row."""
    return _Curve(series, buffer=0, existence=False).area()


def vus_pr(series: Sequence[Series], longest_buffer: int) -> float | None:
    """Volume under the surface over buffers of 0 to `longest_buffer` rows; None without a labelled row."""
    return Volume(series, longest_buffer).of()


class Volume:
    """VUS-PR of the same scores under varying row weights, for resampling."""

    def __init__(self, series: Sequence[Series], longest_buffer: int) -> None:
        buffers = sorted({round(length) for length in np.linspace(0, longest_buffer, BUFFERS)})
        self._curves = [_Curve(series, buffer, existence=True) for buffer in buffers]

    def of(self, weights: Ints | None = None) -> float | None:
        """VUS-PR with `weights` int [N] of the rows of all series in order; by default every row counts once.

        An event is weighted by the mean weight of its rows.
        """
        areas = [area for curve in self._curves if (area := curve.area(weights)) is not None]
        return sum(areas) / len(areas) if areas else None


class _Curve:
    """The paper's range-PR curve for one buffer length.

    With soft labels l, n flagged rows at a threshold and P = (sum of hard labels + sum of l) / 2:
    precision = sum of l over flagged / n; recall = min(1, sum of l over flagged / P) x the share of events in
    which anything is flagged.
    """

    def __init__(self, series: Sequence[Series], buffer: int, existence: bool) -> None:
        scores, softs, labels, best, spans = [], [], [], [], []
        offset = 0
        for score, label in series:
            soft, own = _soften(label, buffer)
            ranked = np.where(np.isnan(score), -np.inf, score)
            scores.append(ranked)
            softs.append(soft)
            labels.append(label)
            best += [float(ranked[first:last].max()) for first, last in own]
            spans += [(offset + first, offset + last) for first, last in own]
            offset += len(score)
        self._labelled = bool(spans)
        if not self._labelled:
            return
        joined, soft = np.concatenate(scores), np.concatenate(softs)
        self._existence = existence
        self._order = np.argsort(-joined, kind="stable")
        ranked = joined[self._order]
        # one point for each distinct finite score
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True) & np.isfinite(ranked))
        self._soft = soft[self._order]
        self._positive = (np.concatenate(labels).astype(np.float64) + soft) / 2
        ranking = np.argsort(-np.array(best), kind="stable")
        self._spans = np.array(spans)[ranking]
        # how many events, best first, are noticed at each threshold
        self._noticed = np.searchsorted(-np.array(best)[ranking], -ranked[self._ends], side="right")

    def area(self, weights: Ints | None = None) -> float | None:
        """Area under the curve; None without a labelled row."""
        if not self._labelled:
            return None
        weight = np.ones(len(self._order), np.int64) if weights is None else weights
        positives = float(weight @ self._positive)
        if positives == 0:
            return None
        if not len(self._ends):
            return 0.0
        sorted_weight = weight[self._order]
        flagged = np.cumsum(sorted_weight)[self._ends]
        labelled_flagged = np.cumsum(sorted_weight * self._soft)[self._ends]
        precision = labelled_flagged / np.maximum(flagged, 1)
        recall = np.minimum(labelled_flagged / positives, 1.0)
        if self._existence:
            before = np.concatenate([[0], np.cumsum(weight)])
            first, last = self._spans.T
            events = np.concatenate([[0.0], np.cumsum((before[last] - before[first]) / (last - first))])
            recall = recall * (events[self._noticed] / events[-1])
        return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def _soften(label: Bools, buffer: int) -> tuple[Floats, list[tuple[int, int]]]:
    """Labels that fade as sqrt(1 - distance / buffer) over half a buffer on both sides, and the widened events."""
    soft = label.astype(np.float64)
    spans = []
    half = buffer // 2
    for first, last in runs(label):
        before = np.arange(max(0, first - half), first)
        after = np.arange(last, min(len(label), last + half))
        soft[before] = np.maximum(soft[before], np.sqrt(1.0 - (first - before) / max(buffer, 1)))
        soft[after] = np.maximum(soft[after], np.sqrt(1.0 - (after - last + 1) / max(buffer, 1)))
        spans.append((max(0, first - half), min(len(label), last + half)))
    return soft, spans
