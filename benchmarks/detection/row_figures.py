"""Figures that every data set has: by row, over all its runs together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.detection.dataset import Figures
from benchmarks.detection.detector_runs import Scored
from eugenie_cli.detection.metrics import point_metrics, vus_pr

LONGEST_BUFFER = 100
"""Rows around an event in which VUS-PR counts a detection in part, whatever the model's window."""


def by_row(runs: Sequence[Scored]) -> Figures:
    """F1, false alarm rate, missed alarm rate, the share of normal rows above 1, and VUS-PR.

    A row without a score counts as not flagged; the share of normal rows is of those with a score.
    """
    score = np.concatenate([run.judgement.score for run in runs])
    labelled = np.concatenate([run.judgement.labelled for run in runs])
    metrics = point_metrics(score > 1, labelled)
    quiet = score[~labelled]
    scored = quiet[~np.isnan(quiet)]
    return {
        "f1": metrics.f1 or 0.0,
        "far": metrics.far or 0.0,
        "mar": metrics.mar or 0.0,
        "normal_above_1": float(np.mean(scored > 1)) if len(scored) else 0.0,
        "vus_pr": vus_pr([(run.judgement.score, run.judgement.labelled) for run in runs], LONGEST_BUFFER) or 0.0,
    }
