"""Metrics of the score itself, over all thresholds: average precision and VUS-PR.

VUS-PR is from Paparrizos, Boniol, Palpanas, Tsay, Elmore and Franklin, "Volume under the surface: a new
accuracy evaluation measure for time-series anomaly detection", PVLDB 15 (2022): the area under the
precision-recall curve of labels that fade out over a buffer beside each event, averaged over buffer lengths.
It forgives a detection that is a little early or late; unlike point adjustment, it is not fooled by chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats

BUFFERS = 11
"""Buffer lengths averaged over, evenly from 0 to the longest."""

Series = tuple[Floats, Bools]
"""Score [T] (NaN: not scored, which no threshold flags) and label [T] of one asset, in time order."""


def average_precision(series: Sequence[Series]) -> float | None:
    """Area under the precision-recall curve of all rows as steps; None without a labelled row."""
    return _area(series, buffer=0, existence=False)


def vus_pr(series: Sequence[Series], longest_buffer: int) -> float | None:
    """Volume under the surface, buffers of 0 to `longest_buffer` rows; None without a labelled row."""
    buffers = sorted({round(length) for length in np.linspace(0, longest_buffer, BUFFERS)})
    areas = [area for buffer in buffers if (area := _area(series, buffer, existence=True)) is not None]
    return sum(areas) / len(areas) if areas else None


def _area(series: Sequence[Series], buffer: int, existence: bool) -> float | None:
    """The paper's range-PR area for one buffer length.

    With soft labels l, n flagged rows at a threshold and P = (sum of hard labels + sum of l) / 2:
    precision = sum of l over flagged / n; recall = min(1, sum of l over flagged / P) x the share of events in
    which anything is flagged.
    """
    scores, softs, best = [], [], []
    positives = 0.0
    for score, label in series:
        soft, spans = _soften(label, buffer)
        ranked = np.where(np.isnan(score), -np.inf, score)
        scores.append(ranked)
        softs.append(soft)
        best += [float(ranked[first:last].max()) for first, last in spans]
        positives += (np.count_nonzero(label) + float(soft.sum())) / 2
    if positives == 0:
        return None
    order = np.argsort(-np.concatenate(scores), kind="stable")
    ranked = np.concatenate(scores)[order]
    # one point for each distinct score that is a number
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True) & np.isfinite(ranked))
    if not len(ends):
        return 0.0
    found = np.cumsum(np.concatenate(softs)[order])[ends]
    precision = found / (ends + 1)
    recall = np.minimum(found / positives, 1.0)
    if existence:
        noticed = np.searchsorted(np.sort(-np.array(best)), -ranked[ends], side="right") / len(best)
        recall = recall * noticed
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def _soften(label: Bools, buffer: int) -> tuple[Floats, list[tuple[int, int]]]:
    """Labels that fade as sqrt(1 - distance / buffer) over half a buffer on both sides; the wider events."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], label.astype(np.int8), [0]])))
    soft = label.astype(np.float64)
    spans = []
    half = buffer // 2
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        before = np.arange(max(0, first - half), first)
        after = np.arange(last, min(len(label), last + half))
        soft[before] = np.maximum(soft[before], np.sqrt(1.0 - (first - before) / max(buffer, 1)))
        soft[after] = np.maximum(soft[after], np.sqrt(1.0 - (after - last + 1) / max(buffer, 1)))
        spans.append((int(max(0, first - half)), int(min(len(label), last + half))))
    return soft, spans
