"""A metric of the score itself, over all thresholds: average precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eugenie_cli.detection.metrics.vus import Series


def average_precision(series: Sequence[Series]) -> float | None:
    """Area under the stepwise precision-recall curve of all rows together; None without a labelled row."""
    score, label = (np.concatenate(parts) for parts in zip(*series, strict=True)) if series else (np.zeros(0),) * 2
    positives = np.count_nonzero(label)
    if not positives:
        return None
    scored = np.flatnonzero(~np.isnan(score))
    order = scored[np.argsort(-score[scored], kind="stable")]
    ranked = score[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(order)])  # rows of one score are one point
    found = np.cumsum(label[order])[ends]
    return float(np.sum(np.diff(found, prepend=0) / positives * found / (ends + 1)))
