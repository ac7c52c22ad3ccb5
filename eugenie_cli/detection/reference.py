"""A slow reference implementation of scoring in numpy.

An export is refused if its graph disagrees with this reference; nothing else uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.detection.detectors import registry


@dataclass(frozen=True)
class ReferenceScores:
    """`score` float64 [B, K], `contribution` and `expected` [B, K, S], as in the graph's signature."""

    score: Floats
    contribution: Floats
    expected: Floats


def score(detector: TrainedDetector, assets: Sequence[str], rows: Floats) -> ReferenceScores:
    """What `ScoringModule.serving_default` must answer: B asset names and rows float32 [B, L, S], L >= M."""
    parts = [_score_asset(detector, asset, segment) for asset, segment in zip(assets, rows, strict=True)]
    return ReferenceScores(*(np.stack(part) for part in zip(*parts, strict=True)))


def _score_asset(detector: TrainedDetector, asset: str, rows: Floats) -> tuple[Floats, Floats, Floats]:
    rows = rows if detector.running is None else detector.running.mask(rows)
    if asset not in detector.assets:
        unscored = np.full((len(rows) - detector.window + 1, len(detector.sensors)), np.nan)
        return unscored[:, 0], unscored, unscored
    index = detector.assets.index(asset)
    measured = registry.of(detector.type).measure(detector, index, rows)
    scored = ~np.isnan(measured.statistic)[:, None]
    return (
        measured.statistic / detector.threshold[index],
        np.where(scored, measured.contribution, np.nan),
        np.where(scored, measured.expected, np.nan),
    )
