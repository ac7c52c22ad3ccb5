"""Root-cause metrics: are the sensors that carry a fault ranked first?

HitRate@P% is that of Su et al., "Robust anomaly detection for multivariate time series through stochastic
recurrent neural network", KDD 2019: the share of the true sensors found among the first P % x (their number).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats


@dataclass(frozen=True)
class RootCauseMetrics:
    """Means over events; None if no event has labelled sensors."""

    events: int
    hit_at_1: float | None
    hit_at_3: float | None
    hitrate_at_100: float | None
    hitrate_at_150: float | None


def rank_sensors(score: Floats, contribution: Floats) -> list[int]:
    """Sensor indices of an event, strongest first, from its rows' score [N] and contribution [N, S].

    Empty if no row was scored.
    """
    mean = mean_contribution(score, contribution)
    return [] if mean is None else [int(index) for index in np.argsort(-mean, kind="stable")]


def mean_contribution(score: Floats, contribution: Floats) -> Floats | None:
    """Contributions [N, S] averaged over the anomalous rows, as for an anomaly: float64 [S].

    A row is weighted by its squared score, because contributions are shares of a squared deviation. If no row is
    anomalous, the average is over all scored rows, which shows what would have been blamed. None if no row was scored.
    """
    scored = ~np.isnan(score)
    chosen: Bools = scored & (np.nan_to_num(score) > 1.0)
    if not chosen.any():
        chosen = scored
    if not chosen.any():
        return None
    return np.average(contribution[chosen].astype(np.float64), axis=0, weights=_weights(score[chosen]))


def _weights(score: Floats) -> Floats:
    """Squared scores, with infinity as the largest float32; equal weights if all are 0."""
    finite: Floats = np.minimum(score.astype(np.float64), np.finfo(np.float32).max)
    squared: Floats = finite**2
    return squared if squared.any() else np.ones(len(score))


def root_cause_metrics(events: Sequence[tuple[Sequence[int], frozenset[int]]]) -> RootCauseMetrics:
    """Metrics of (ranking, true sensors) for each event; an empty ranking misses everything."""
    judged = [(list(ranking), truth) for ranking, truth in events if truth]
    if not judged:
        return RootCauseMetrics(0, None, None, None, None)
    return RootCauseMetrics(
        events=len(judged),
        hit_at_1=_mean([_hit(ranking, truth, 1) for ranking, truth in judged]),
        hit_at_3=_mean([_hit(ranking, truth, 3) for ranking, truth in judged]),
        hitrate_at_100=_mean([_hit_rate(ranking, truth, 100) for ranking, truth in judged]),
        hitrate_at_150=_mean([_hit_rate(ranking, truth, 150) for ranking, truth in judged]),
    )


def _hit(ranking: list[int], truth: frozenset[int], first: int) -> float:
    return float(bool(truth.intersection(ranking[:first])))


def _hit_rate(ranking: list[int], truth: frozenset[int], percent: int) -> float:
    return len(truth.intersection(ranking[: percent * len(truth) // 100])) / len(truth)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
