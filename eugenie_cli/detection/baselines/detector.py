"""Baselines of a class: fitted like the class's own detector, or trivial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from eugenie_cli.detection.alarm_policy import AlarmPolicy
from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detectors import classical, registry
from eugenie_cli.detection.detectors.classical import AssetRows, Fitted
from eugenie_cli.detection.detectors.options import Options
from eugenie_cli.episodes.delays import Delays

Judge = Callable[[Floats], tuple[Floats, Floats]]
"""Rows [T, S], NaN where missing -> score [T], NaN where a row has no value, and contribution [T, S]."""


class Detector(Protocol):
    """A fitted baseline of a class."""

    @property
    def assets(self) -> tuple[str, ...]:
        """Assets that the detector can score."""

    @property
    def delays(self) -> Delays:
        """The alarm's delays, unless the site file has others."""

    def score(self, asset: str, rows: Floats) -> tuple[Floats, Floats]:
        """Score over threshold [T] (NaN: not scored) and contribution [T, S] of contiguous rows [T, S]."""


class Baseline(Protocol):
    """A detector that can be fitted."""

    def fit(self, rows: Sequence[AssetRows], roles: Sequence[str], policy: AlarmPolicy) -> Detector:
        """Fit to each asset's normal rows. `roles`: "auto", "scored" or "context" for each sensor. Raises ValueError if
        the rows are insufficient."""


@dataclass(frozen=True)
class Classical:
    """A detector type that a class may use as its own."""

    name: str
    options: Options

    def fit(self, rows: Sequence[AssetRows], roles: Sequence[str], policy: AlarmPolicy) -> Fitted:
        return classical.fit(registry.statistic_of(self.name), self.options, rows, roles, policy)


@dataclass(frozen=True)
class Trivial:
    """A baseline whose output already is a score; nothing is learnt or calibrated."""

    judge: Judge

    def fit(self, rows: Sequence[AssetRows], roles: Sequence[str], policy: AlarmPolicy) -> Untrained:  # noqa: ARG002
        return Untrained(tuple(asset_rows.asset for asset_rows in rows), self.judge)


@dataclass(frozen=True)
class Untrained:
    """A `Trivial` baseline for the given assets."""

    assets: tuple[str, ...]
    judge: Judge
    delays: Delays = Delays()  # noqa: RUF009 - immutable

    def score(self, asset: str, rows: Floats) -> tuple[Floats, Floats]:  # noqa: ARG002
        return self.judge(rows)


def fit(
    baseline: Baseline,
    training: Mapping[str, Floats],
    calibration: Mapping[str, Floats],
    policy: AlarmPolicy,
    roles: Sequence[str] | None = None,
) -> Detector:
    """Call `baseline.fit` with rows [T, S] by asset that are already split: `calibration` rows follow `training` rows.

    `roles`: by default "auto" for every sensor. Raises ValueError as `Baseline.fit` does.
    """
    rows = []
    for asset, learnt in training.items():
        held_out = np.arange(len(learnt) + len(calibration[asset])) >= len(learnt)
        rows.append(AssetRows(asset, np.concatenate([learnt, calibration[asset]]), ~held_out, held_out))
    return baseline.fit(rows, roles or ["auto"] * rows[0].rows.shape[1], policy)
