"""Figures that every data set has: by row, over all its runs together."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from benchmarks.detection.dataset import Figures, Plant
from benchmarks.detection.detector_runs import Scored
from eugenie_cli.detection.metrics import point_metrics, vus_pr


def by_row(runs: Sequence[Scored], left_out: Collection[str] = ()) -> Figures:
    """F1, false and missed alarm rate, VUS-PR, and the share of normal rows above 1. `left_out`: names of runs.

    A row without a score counts as not flagged; the share of normal rows is of those with a score.
    """
    judgements = [run.judgement for run in runs if run.part.name not in left_out]
    score = np.concatenate([judgement.score for judgement in judgements])
    labelled = np.concatenate([judgement.labelled for judgement in judgements])
    metrics = point_metrics(score > 1, labelled)
    normal = score[~labelled & ~np.isnan(score)]
    figures = {
        "f1": metrics.f1 or 0.0,
        "mar": metrics.mar or 0.0,
        "vus_pr": vus_pr([(judgement.score, judgement.labelled) for judgement in judgements]) or 0.0,
    }
    if len(normal):
        figures |= {"far": metrics.far or 0.0, "normal_above_1": float(np.mean(normal > 1))}
    return figures


def figures(_: Plant, runs: Sequence[Scored]) -> Figures:
    """Those of a protocol that judges by row alone."""
    return by_row(runs)
