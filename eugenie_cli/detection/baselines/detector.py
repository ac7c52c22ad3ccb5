"""Baselines of a class: fitted like a class's own detector, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detectors import classical, registry
from eugenie_cli.detection.detectors.classical import AssetRows, Fitted
from eugenie_cli.detection.detectors.options import Options

Judge = Callable[[Floats], tuple[Floats, Floats]]
"""Rows [T, S], NaN where missing -> score [T], NaN where a row has no value, and contribution [T, S]."""


class Detector(Protocol):
    """A fitted baseline of a class."""

    @property
    def assets(self) -> tuple[str, ...]:
        """Those that it can score."""

    def score(self, asset: str, rows: Floats) -> tuple[Floats, Floats]:
        """Score over threshold [T] (NaN: not scored) and contribution [T, S] of contiguous rows [T, S]."""


class Baseline(Protocol):
    """A detector to fit."""

    def fit(self, rows: Sequence[AssetRows], roles: Sequence[str], budget: float) -> Detector:
        """On each asset's normal rows. `roles`: "auto", "scored" or "context" for each sensor; `budget`: share of
        normal rows that may score above 1. Raises ValueError when the rows do not suffice."""


@dataclass(frozen=True)
class Classical:
    """One of the types that a class may take as its own."""

    name: str
    options: Options

    def fit(self, rows: Sequence[AssetRows], roles: Sequence[str], budget: float) -> Fitted:
        return classical.fit(registry.statistic_of(self.name), self.options, rows, roles, budget)


@dataclass(frozen=True)
class Trivial:
    """What already is a score: nothing is learnt, nothing calibrated."""

    judge: Judge

    def fit(self, rows: Sequence[AssetRows], roles: Sequence[str], budget: float) -> Untaught:  # noqa: ARG002
        return Untaught(tuple(one.asset for one in rows), self.judge)


@dataclass(frozen=True)
class Untaught:
    """A `Trivial` baseline of some assets."""

    assets: tuple[str, ...]
    judge: Judge

    def score(self, asset: str, rows: Floats) -> tuple[Floats, Floats]:  # noqa: ARG002
        return self.judge(rows)


def fit(
    baseline: Baseline,
    training: Mapping[str, Floats],
    calibration: Mapping[str, Floats],
    budget: float,
    roles: Sequence[str] | None = None,
) -> Detector:
    """`baseline.fit` of rows [T, S] by asset that are apart already: those of `calibration` follow on `training`'s.

    `roles`: by default "auto" for every sensor. Raises ValueError as `fit` does.
    """
    rows = []
    for asset, learnt in training.items():
        held_out = np.arange(len(learnt) + len(calibration[asset])) >= len(learnt)
        rows.append(AssetRows(asset, np.concatenate([learnt, calibration[asset]]), ~held_out, held_out))
    return baseline.fit(rows, roles or ["auto"] * rows[0].rows.shape[1], budget)
