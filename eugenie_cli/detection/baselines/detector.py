"""A statistic of a row, learnt on normal rows, becomes a score over a threshold that needs no labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from eugenie_cli.detection.arrays import Floats

QUANTILE = 0.999
"""Of the statistic on calibration rows; a threshold is a multiple of it."""
MARGINS = np.round(np.geomspace(1.0, 20.0, 120), 4)
"""Multiples that the rehearsal tries, smallest first, in steps of 2.5 %."""
MIN_ROWS = 20
"""Calibration rows below which an asset's own quantile means nothing, and the class's is taken."""


class Statistic(Protocol):
    """An anomaly statistic of one asset. Rows are float [T, S] in engineering units, NaN where missing."""

    fixed: bool
    """True when the statistic already is a score: nothing is calibrated."""

    def learn(self, rows: Floats) -> None:
        """Learn from normal rows."""

    def measure(self, rows: Floats) -> tuple[Floats, Floats]:
        """Statistic [T], NaN where a row has no value, and contribution [T, S], summing to 1 over S."""


@dataclass(frozen=True)
class Detector:
    """A fitted baseline of a class: a statistic and a threshold for each asset."""

    statistics: Mapping[str, Statistic]
    thresholds: Mapping[str, float]
    margin: float
    """The multiple of the calibration quantile."""
    rehearsal: float
    """Share of held-out normal rows above 1 with that margin."""

    def score(self, asset: str, rows: Floats) -> tuple[Floats, Floats]:
        """Score over threshold [T] (NaN: not scored) and contribution [T, S] of rows [T, S].

        Raises:
            KeyError: the detector was not fitted on this asset.
        """
        statistic, contribution = self.statistics[asset].measure(rows)
        return statistic / self.thresholds[asset], contribution


def fit(
    factory: Callable[[], Statistic],
    training: Mapping[str, Floats],
    calibration: Mapping[str, Floats],
    budget: float,
) -> Detector:
    """Learn a statistic for each asset on `training` rows [T, S], a threshold on `calibration` rows [T, S].

    The threshold is `margin` times the .999 quantile on the asset's calibration rows. There is one margin for
    the class: the smallest with which thresholds from one half of the calibration rows leave at most `budget`
    of the other half's rows above 1, both ways round.

    Raises:
        ValueError: no asset has calibration rows.
    """
    statistics: dict[str, Statistic] = {}
    measured: dict[str, Floats] = {}
    for asset, rows in training.items():
        statistics[asset] = factory()
        statistics[asset].learn(rows)
        values = statistics[asset].measure(calibration[asset])[0]
        measured[asset] = values[~np.isnan(values)]
    if all(statistic.fixed for statistic in statistics.values()):
        return Detector(statistics, dict.fromkeys(statistics, 1.0), 1.0, 0.0)
    pooled = [values for values in measured.values() if len(values)]
    if not pooled:
        raise ValueError("no asset has calibration rows with a value")
    margin, rehearsal = _rehearse(pooled, budget)
    common = _quantile(np.concatenate(pooled))
    thresholds = {
        asset: margin * (_quantile(values) if len(values) >= MIN_ROWS else common) for asset, values in measured.items()
    }
    return Detector(statistics, thresholds, margin, rehearsal)


def _rehearse(measured: Sequence[Floats], budget: float) -> tuple[float, float]:
    """The smallest margin within the budget, and the share above 1 that it left; the largest when none is."""
    relative = []
    for values in measured:
        middle = len(values) // 2
        if middle:
            first, second = values[:middle], values[middle:]
            relative += [second / _quantile(first), first / _quantile(second)]
    if not relative:
        return float(MARGINS[0]), 0.0
    ratios = np.sort(np.concatenate(relative))
    shares = 1.0 - np.searchsorted(ratios, MARGINS, side="right") / len(ratios)
    within = np.flatnonzero(shares <= budget)
    chosen = int(within[0]) if len(within) else len(MARGINS) - 1
    return float(MARGINS[chosen]), float(shares[chosen])


def _quantile(values: Floats) -> float:
    # a statistic that is 0 on every normal row still needs a threshold above 0
    return max(float(np.quantile(values, QUANTILE)), float(np.finfo(np.float32).tiny))
