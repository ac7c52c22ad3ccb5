"""Scores and residuals of the newest calibration rows of the assets that score highest, for plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.detection.scoring import ScoringModule
from eugenie_cli.training.datasets import CALIBRATION, NormalGrid
from eugenie_cli.training.mmap_arrays import blocks

# A plot of one page can show no more assets, and no more rows of one.
MOST_ASSETS = 6
MOST_ROWS = 1000


@dataclass(frozen=True)
class JudgedRows:
    """Consecutive rows of an asset. `edges` int64 [N], ms; `score` float [N], NaN where a row has none; `residual`
    float [N, S]: row minus expected row, in the asset's deviations, NaN where missing."""

    asset: str
    edges: Ints
    score: Floats
    residual: Floats


def judge(
    detector: TrainedDetector, grids: Sequence[NormalGrid], statistic: Sequence[Floats]
) -> tuple[JudgedRows, ...]:
    """The assets with the highest scores on their calibration blocks, highest first.

    `statistic`: each asset's statistic on its block, float [N]; divided by the threshold it is the score.
    """
    peaks = [
        float(np.max(values / threshold)) if len(values) else -np.inf
        for values, threshold in zip(statistic, detector.threshold, strict=True)
    ]
    worst = [number for number in np.argsort(peaks)[::-1] if np.isfinite(peaks[number])][:MOST_ASSETS]
    # as a plain function: tracing a graph takes longer than scoring a few thousand rows
    score = ScoringModule(detector).serving_default.python_function
    judged = []
    for number in worst:
        piece = _newest(grids[number], detector.window)
        if piece is not None:
            judged.append(_judge(score, detector, int(number), grids[number], piece))
    return tuple(judged)


def _judge(
    score: Callable[..., dict[str, Any]], detector: TrainedDetector, number: int, grid: NormalGrid, piece: slice
) -> JudgedRows:
    rows = np.asarray(grid.rows[piece], np.float32)
    own = slice(piece.start + detector.window - 1, piece.stop)
    answer = score(tf.constant([grid.asset]), tf.constant(rows[None]))
    calibrating = np.asarray(grid.part[own]) == CALIBRATION
    residual = (rows[detector.window - 1 :] - answer["expected"].numpy()[0]) / detector.deviation[number]
    return JudgedRows(
        grid.asset,
        np.asarray(grid.edges[own]),
        np.where(calibrating, answer["score"].numpy()[0], np.nan),
        np.where(calibrating[:, None], residual, np.nan),
    )


def _newest(grid: NormalGrid, window: int) -> slice | None:
    """Rows up to the last calibration row, with the window before the first; None where they are shorter than a
    window."""
    for block in reversed(list(blocks(len(grid.part)))):
        calibrating = np.flatnonzero(grid.part[block] == CALIBRATION)
        if len(calibrating):
            stop = block.start + int(calibrating[-1]) + 1
            return slice(max(0, stop - MOST_ROWS - window + 1), stop) if stop >= window else None
    return None
