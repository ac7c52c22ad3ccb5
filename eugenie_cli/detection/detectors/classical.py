"""Detector types except the forecaster: a statistic of standardised rows, fitted, calibrated, and as a graph.

All types share scaling, the rule for which rows can be judged, the choice of context sensors, thresholds and shares;
each statistic has its own module. `eugenie evaluate` runs `Fitted` as a baseline, and an exported version must match
the same arithmetic row by row, so both give the same scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.alarm_budget import CalibrationSeries, thresholds
from eugenie_cli.detection.alarm_policy import AlarmPolicy
from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.asset_tables import PER_ASSET
from eugenie_cli.detection.calibration import scaling
from eugenie_cli.detection.context_sensors import context_sensors
from eugenie_cli.detection.detector import MIN_PRESENT, Calibration, TrainedDetector
from eugenie_cli.detection.detectors.control_chart import smoothed
from eugenie_cli.detection.detectors.interfaces import Judged, Measured
from eugenie_cli.detection.detectors.options import CHART_WINDOW, Options
from eugenie_cli.detection.detectors.statistic import ForecastingGraph, Statistic, masked
from eugenie_cli.detection.ewma import ewma_kernel
from eugenie_cli.detection.graph_ops import NAN, share, with_unknown
from eugenie_cli.detection.network import scale
from eugenie_cli.detection.window_statistics import scale as scale_in_graph
from eugenie_cli.episodes.delays import Delays


@dataclass(frozen=True)
class Learnt:
    """A statistic and the scale of its rows. A: assets, S: sensors; tables as in `TrainedDetector`."""

    window: int
    mean: Floats
    deviation: Floats
    used: Bools
    """bool [A, S]: scored sensors that moved in the asset's normal rows."""
    statistic: Statistic

    def measure(self, index: int, rows: Floats) -> Measured:
        """Measure all T rows [T, S] of asset number `index`, each as the last of its window."""
        z = scale(rows.astype(np.float32), self.mean[index], self.deviation[index])
        used = self.used[index]
        measured = self.statistic.measure(index, z, used)
        values = masked(z, used)
        statistic = np.where(measured.usable & _valid(values, self.window), measured.statistic, np.nan)
        # if no sensor stands out, all present sensors get equal shares
        parts = np.where(measured.parts.any(axis=1, keepdims=True), measured.parts, np.isfinite(values))
        parts = parts / np.maximum(parts.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return Measured(statistic, parts, measured.expected * self.deviation[index] + self.mean[index])


@dataclass(frozen=True, kw_only=True)
class ClassicalDetector(TrainedDetector):
    """A fitted statistic with its thresholds: see `Learnt`."""

    used: Bools = field(metadata=PER_ASSET)
    statistic: Statistic

    @property
    def learnt(self) -> Learnt:
        return Learnt(self.window, self.mean, self.deviation, self.used, self.statistic)


@dataclass(frozen=True)
class AssetRows:
    """An asset's rows float32 [T, S], engineering units, NaN where missing or not normal, with masks bool [T] of the
    training rows and of the calibration rows."""

    asset: str
    rows: Floats
    learnt: Bools
    held_out: Bools

    def learnt_blocks(self) -> Iterable[Floats]:
        """The training rows in blocks, as `calibration.scaling` expects them."""
        return (self.rows[self.learnt],)


@dataclass(frozen=True)
class Fitted:
    """The fitted parts of a `ClassicalDetector`."""

    assets: tuple[str, ...]
    scored: Bools
    """bool [S]."""
    learnt: Learnt
    threshold: Floats
    calibration: Calibration
    values: tuple[Floats, ...]
    """Each asset's statistic on its calibration rows, for a plot: float64 [N]."""

    @property
    def delays(self) -> Delays:
        return self.calibration.delays

    def score(self, asset: str, rows: Floats) -> tuple[Floats, Floats]:
        """Score [T] (NaN: not scored) and contribution [T, S] of an asset's contiguous rows [T, S]; rows before the
        first count as missing. Raises ValueError for an asset that was not fitted."""
        index = self.assets.index(asset)
        measured = self.learnt.measure(index, rows)
        return measured.statistic / self.threshold[index], measured.contribution


def fit(
    kind: type[Statistic], options: Options, assets: Sequence[AssetRows], roles: Sequence[str], policy: AlarmPolicy
) -> Fitted:
    """Learn and calibrate like the forecaster: thresholds come from rows that were not used for training.

    Raises ValueError if no sensor is scored, or no asset has a row to calibrate on.
    """
    if not any(asset.learnt.any() for asset in assets):
        raise ValueError("no normal row to learn from")
    mean, deviation, moved = scaling([asset.learnt_blocks for asset in assets])
    z = [scale(asset.rows.astype(np.float32), mean[i], deviation[i]) for i, asset in enumerate(assets)]
    scored = ~_context(roles, z, assets)
    used = scored & moved
    if not used.any():
        raise ValueError(
            "no sensor is scored: every sensor is context, has no normal row, or never moves in its normal rows"
        )
    statistic = kind.learn(options, z, [asset.learnt for asset in assets], used)
    learnt = Learnt(options.window, mean, deviation, used, statistic)
    series = []
    for index, asset in enumerate(assets):
        statistic_of_rows = learnt.measure(index, asset.rows).statistic
        scored_rows = np.flatnonzero(asset.held_out & np.isfinite(statistic_of_rows))
        series.append(CalibrationSeries(asset.asset, statistic_of_rows[scored_rows].astype(np.float64), scored_rows))
    if not any(len(part.rows) for part in series):
        raise ValueError("no asset has calibration rows that can be scored: too few rows, or too many are missing")
    threshold, calibration = thresholds(series, policy)
    names = tuple(asset.asset for asset in assets)
    return Fitted(names, scored, learnt, threshold, calibration, tuple(part.statistic for part in series))


def _context(roles: Sequence[str], z: Sequence[Floats], assets: Sequence[AssetRows]) -> Bools:
    """bool [S]: see `context_sensors.context_sensors`; levels are smoothed like the forecaster's."""
    if "auto" not in roles:
        return np.array([role == "context" for role in roles])
    levels = [smoothed(rows, ewma_kernel(CHART_WINDOW))[0] for rows in z]
    return context_sensors(
        roles,
        [rows[asset.learnt] for rows, asset in zip(z, assets, strict=True)],
        [rows[asset.learnt] for rows, asset in zip(levels, assets, strict=True)],
        [rows[asset.held_out] for rows, asset in zip(levels, assets, strict=True)],
    )


def _valid(z: Floats, window: int) -> Bools:
    """bool [T]: whether rows [T, S] have a value, and enough rows of the windows that they end have one too."""
    present = np.isfinite(z).any(axis=1)
    until = np.concatenate([[0], np.cumsum(present)])
    count = until[1:] - until[np.maximum(np.arange(1, len(present) + 1) - window, 0)]
    return present & (count >= (MIN_PRESENT - 1e-6) * window)


class ClassicalGraph(tf.Module):
    """See `graph.Graph`."""

    def __init__(self, detector: ClassicalDetector) -> None:
        super().__init__()
        sensors = len(detector.sensors)
        self._window = detector.window
        self._mean = with_unknown(detector.mean, np.zeros(sensors))
        self._deviation = with_unknown(detector.deviation, np.ones(sensors))
        self._used = tf.constant(np.concatenate([detector.used, np.ones((1, sensors), bool)]))
        self._statistic = detector.statistic.graph()

    def judge(self, index: tf.Tensor, rows: tf.Tensor) -> Judged:
        used = tf.gather(self._used, index)[:, None]
        z = self._scaled(index, rows)
        judged = self._statistic.judge(index, z, used)
        scorable = judged.usable & self._valid(z, used)
        equal_parts = tf.cast(tf.math.is_finite(z[:, self._window - 1 :]) & used, tf.float32)
        stands_out = tf.reduce_any(judged.parts > 0, axis=-1, keepdims=True)
        return Judged(
            tf.where(scorable, judged.statistic, NAN),
            share(tf.where(stands_out, judged.parts, equal_parts)),
            self._in_units(index, judged.expected),
        )

    def ahead(self, index: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        z = self._scaled(index, rows)
        valid = self._valid(z, tf.gather(self._used, index)[:, None])
        forecasting = cast(ForecastingGraph, self._statistic)  # called only for statistics with horizons
        return tf.where(valid[:, :, None], self._in_units(index, forecasting.ahead(z)), NAN)

    def _scaled(self, index: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        return scale_in_graph(rows, tf.gather(self._mean, index)[:, None], tf.gather(self._deviation, index)[:, None])

    def _in_units(self, index: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        return z * tf.gather(self._deviation, index)[:, None] + tf.gather(self._mean, index)[:, None]

    def _valid(self, z: tf.Tensor, used: tf.Tensor) -> tf.Tensor:
        """`_valid` of the rows that end a window: bool [B, K]."""
        present = tf.reduce_any(tf.math.is_finite(z) & used, axis=-1)
        until = tf.cumsum(tf.pad(tf.cast(present, tf.int32), [[0, 0], [1, 0]]), axis=1)
        count = until[:, self._window :] - until[:, : -self._window]
        enough = tf.cast(count, tf.float32) >= (MIN_PRESENT - 1e-6) * self._window
        return enough & present[:, self._window - 1 :]


@dataclass(frozen=True)
class Classical:
    """The detector type whose statistic is `kind`; see `interfaces.DetectorType`."""

    kind: type[Any]

    def graph(self, detector: ClassicalDetector) -> ClassicalGraph:
        return ClassicalGraph(detector)

    def measure(self, detector: ClassicalDetector, index: int, rows: Floats) -> Measured:
        measured = detector.learnt.measure(index, rows)
        return Measured(*(part[detector.window - 1 :] for part in measured))

    def arrays(self, detector: ClassicalDetector) -> dict[str, np.ndarray]:
        own = _members(detector.statistic)
        return {"used": detector.used} | {f"statistic.{k}": v for k, v in own.items() if isinstance(v, np.ndarray)}

    def plain(self, detector: ClassicalDetector) -> dict[str, Any]:
        own = _members(detector.statistic)
        return {"statistic": {name: value for name, value in own.items() if not isinstance(value, np.ndarray)}}

    def restore(
        self, common: Mapping[str, Any], arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]
    ) -> ClassicalDetector:
        members: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in plain["statistic"].items()
        }
        members |= {name.removeprefix("statistic."): array for name, array in arrays.items() if "statistic." in name}
        return ClassicalDetector(**common, used=arrays["used"], statistic=self.kind(**members))

    def describe(self, detector: ClassicalDetector) -> Sequence[str]:
        return detector.statistic.describe()


def _members(statistic: Any) -> dict[str, Any]:
    return {field.name: getattr(statistic, field.name) for field in fields(statistic)}
