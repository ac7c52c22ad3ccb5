"""Metrics of rows, each of which is flagged or not and labelled or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools


@dataclass(frozen=True)
class PointMetrics:
    """Fractions; None where the denominator is 0."""

    f1: float | None
    far: float | None
    """False alarm rate, FP / (FP + TN)."""
    mar: float | None
    """Missed alarm rate, FN / (TP + FN)."""
    precision: float | None
    recall: float | None


def point_metrics(flagged: Bools, labelled: Bools) -> PointMetrics:
    """Compare bool [N] with bool [N] without point adjustment: a flagged row counts only for itself."""
    tp = int(np.count_nonzero(flagged & labelled))
    fp = int(np.count_nonzero(flagged & ~labelled))
    fn = int(np.count_nonzero(~flagged & labelled))
    tn = len(flagged) - tp - fp - fn
    return PointMetrics(
        f1=_ratio(2 * tp, 2 * tp + fp + fn),
        far=_ratio(fp, fp + tn),
        mar=_ratio(fn, tp + fn),
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
