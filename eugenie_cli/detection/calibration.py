"""Turns a fitted network into a calibrated detector: scaling, normal baselines, thresholds.

Thresholds come from the last normal rows of each asset, which neither trained the network nor entered a baseline.
Thresholds calibrated on training rows would be too low, and live data would exceed them all day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from eugenie_cli.detection import combination, residual_variance
from eugenie_cli.detection.alarm_budget import CalibrationSeries, thresholds
from eugenie_cli.detection.alarm_policy import AlarmPolicy
from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.detection.calibration_samples import (
    Levels,
    Room,
    Smoothed,
    kept,
    smoothed_with_levels,
    smoothed_with_rows,
)
from eugenie_cli.detection.context_sensors import context_sensors
from eugenie_cli.detection.covariance import (
    MIN_BASELINE_ROWS,
    STILL_DEVIATION,
    Baseline,
    averages_whitener,
    baseline,
    distance,
    impute,
    stride,
    with_still_floor,
)
from eugenie_cli.detection.detector import Calibration
from eugenie_cli.detection.ewma import ewma_kernel, redundancy
from eugenie_cli.detection.forecasters import statistics_of
from eugenie_cli.detection.residual_variance import Scatter
from eugenie_cli.detection.window_statistics import TrainedForecaster

# More rows of an asset than this add nothing, so evenly spread segments are sampled. A baseline needs means and
# covariances; a threshold needs a quantile of the rarest rows, and so more rows.
MAX_BASELINE_ROWS = 20_000
MAX_ROWS = 60_000
# Floors of a deviation, as a share of the class's deviation and of the value itself. Without them, a sensor that hardly
# moves in normal operation would raise an alarm when its last digit changes. The absolute floor is for rounding errors
# around 0: pressures in vacuum and concentrations are of the order of 1e-9.
MIN_SHARE_OF_CLASS = 0.1
MIN_SHARE_OF_VALUE = 1e-3
MIN_DEVIATION = 1e-12
# A sensor whose normal values differ by less than this share of the floored deviation never moved, and its history does
# not show how far it moves. Its deviation is then a share of its value, or a multiple of the deviation of the class's
# other assets; `covariance.STILL_DEVIATION` makes a step of half a per cent, or of one of their deviations, count as
# one of its own. A sensor that is 0 on all assets is not scored, because its first move would raise an endless alarm.
LEAST_MOVE = 0.01
STILL_SHARE_OF_VALUE = 0.05
STILL_TIMES_OF_CLASS = 9.0
# Range of all values of such a sensor, in deviations.
STILL_RANGE = 0.05


@dataclass(frozen=True)
class NormalRows:
    """An asset's normal rows. `scaled` float32 [T, S] in deviations, NaN where missing or not normal;
    `learnt` and `held_out` bool [T]: rows that trained, and the calibration block."""

    asset: str
    scaled: Floats
    learnt: Bools
    held_out: Bools


@dataclass(frozen=True)
class Calibrated:
    """The calibrated parts of a `detector.TrainedDetector`."""

    scored: Bools
    residual: Baseline
    level: Baseline
    scatter: Scatter
    units_of_parts: Floats | None
    """Of `combination`, for a forecaster with a linear path."""
    threshold: Floats
    calibration: Calibration
    statistic: tuple[Floats, ...]
    """Each asset's statistic on its calibration rows, for a plot: float64 [N]."""


class Scale(NamedTuple):
    """The scale of A assets and S sensors."""

    mean: Floats
    """float32 [A, S]."""
    deviation: Floats
    """float32 [A, S], above 0."""
    moved: Bools
    """bool [A, S]: False where there was no value, or only one value and nothing to judge it by (see `LEAST_MOVE`)."""


def scaling(learnt: Sequence[Callable[[], Iterable[Floats]]]) -> Scale:
    """Mean and deviation of each asset's training rows. Each callable yields them in blocks (float32 [n, S], NaN where
    missing) and is called three times.

    A sensor that an asset never reported gets the class's typical mean and deviation.
    """
    counts = np.stack([sum(np.isfinite(rows).sum(axis=0) for rows in blocks()) for blocks in learnt])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.stack([sum(np.nansum(rows, axis=0, dtype=np.float64) for rows in blocks()) for blocks in learnt])
        mean /= counts
        squares = np.stack(
            [
                sum(np.nansum((rows - mean[i]) ** 2, axis=0, dtype=np.float64) for rows in blocks())
                for i, blocks in enumerate(learnt)
            ]
        )
        deviation = np.sqrt(squares / counts)
    for table in (mean, deviation):
        known = np.isfinite(table)
        typical = [
            np.median(column[present]) if present.any() else 0.0
            for column, present in zip(table.T, known.T, strict=True)
        ]
        table[:] = np.where(known, table, typical)
    floor = np.maximum(np.median(deviation, axis=0) * MIN_SHARE_OF_CLASS, np.abs(mean) * MIN_SHARE_OF_VALUE)
    floored = np.maximum(deviation, np.maximum(floor, MIN_DEVIATION))
    never = (counts > 0) & (deviation < LEAST_MOVE * floored)
    usual_deviation = np.maximum(
        np.abs(mean) * STILL_SHARE_OF_VALUE, np.median(deviation, axis=0) * STILL_TIMES_OF_CLASS
    )
    moved = (counts > 0) & (~never | (usual_deviation > MIN_DEVIATION))
    floored = np.where(never, np.maximum(floored, usual_deviation), floored)
    return Scale(mean.astype(np.float32), floored.astype(np.float32), moved)


def calibrate(
    forecaster: TrainedForecaster,
    assets: Sequence[NormalRows],
    *,
    sensors_of: Sequence[str],
    roles: Sequence[str],
    policy: AlarmPolicy,
    advance: Callable[[float], None] | None = None,
    room: Room | None = None,
) -> Calibrated:
    """Baselines and thresholds of a class. `sensors_of`: the sensors' names; `roles`: "auto", "scored" or "context" for
    each; `advance` is called once for each asset. `room` allocates buffers for the assets' statistics, which together
    may not fit in memory; only one asset's are processed at a time.

    Raises ValueError if no sensor is scored or no asset has a scorable calibration row.
    """
    window = forecaster.window
    sensors = range(assets[0].scaled.shape[1])
    module = statistics_of(forecaster, sensors)
    run = tf.function(module.frame_all, input_signature=[tf.TensorSpec([None, None, len(sensors)], tf.float32)])
    learnt: list[Smoothed] = []
    held_out: list[Smoothed] = []
    numbers: list[Ints] = []
    levels: list[Levels] = []
    for asset in assets:
        before, levels_before = smoothed_with_levels(run, asset.scaled, asset.learnt, window, MAX_BASELINE_ROWS)
        learnt.append(kept(before, room))
        levels.append(kept(levels_before, room))
        after, rows_after = smoothed_with_rows(run, asset.scaled, asset.held_out, window, MAX_ROWS)
        held_out.append(kept(after, room))
        numbers.append(rows_after)
        if advance is not None:
            advance(1)
    scored = ~context_sensors(
        roles,
        (_spread(asset) for asset in assets),
        [part.level for part in learnt],
        [part.level for part in held_out],
    )
    if not scored.any():
        raise ValueError("no sensor is scored: all sensors are context")
    if not any(map(len, learnt)):
        raise ValueError("no row is usable for training: stretches are too short, or windows lack too many rows")
    picked = np.flatnonzero(scored)

    def scored_of(parts: Sequence[Smoothed]) -> Iterator[Smoothed]:
        return (part.of(picked) for part in parts)

    whiten = partial(averages_whitener, redundancy=redundancy(ewma_kernel(window - forecaster.warmup)))
    still = np.stack([_still(_spread(asset))[picked] for asset in assets])
    residual = with_still_floor(baseline(lambda: (part.residuals for part in scored_of(learnt)), whiten), still)
    level = with_still_floor(baseline(lambda: (part.of(picked) for part in levels), whiten), still)
    scattered = _scatter(lambda: scored_of(learnt))
    normal = np.where(still, np.maximum(scattered.normal, STILL_DEVIATION**2), scattered.normal)
    scattered = Scatter(scattered.offset, normal.astype(np.float32))
    measured = [_parts(residual, level, scattered, i, part) for i, part in enumerate(scored_of(held_out))]
    if forecaster.linear is None:
        units = None
        statistic = [np.cbrt(parts[:, :-1].prod(axis=1)) for parts in measured]
    else:
        units = combination.units(measured)
        statistic = [combination.combine(parts, own) for parts, own in zip(measured, units, strict=True)]
    if not any(part.size for part in statistic):
        raise ValueError("no row of the calibration block can be scored: too few rows, or too many are missing")
    series = [
        CalibrationSeries(asset.asset, values, rows)
        for asset, values, rows in zip(assets, statistic, numbers, strict=True)
    ]
    threshold, calibration = thresholds(series, policy)
    calibration = replace(
        calibration,
        assets=tuple(
            replace(of_asset, learnt=len(part), **_moved(part, later, [sensors_of[column] for column in picked]))
            for of_asset, part, later in zip(calibration.assets, scored_of(learnt), scored_of(held_out), strict=True)
        ),
    )
    return Calibrated(scored, residual, level, scattered, units, threshold, calibration, tuple(statistic))


def _scatter(samples: Callable[[], Iterable[Smoothed]]) -> Scatter:
    """Each asset's own scatter; the class's for an asset with too few samples."""
    lengths = [len(part) for part in samples()]
    pooled = None
    if min(lengths) < MIN_BASELINE_ROWS:
        step = stride(sum(lengths))
        thinned = [(part.recent[::step], part.square[::step], part.recent_present[::step]) for part in samples()]
        pooled = residual_variance.learn(*(np.concatenate(column) for column in zip(*thinned, strict=True)))
    parts = [
        residual_variance.learn(part.recent, part.square, part.recent_present)
        if pooled is None or len(part) >= MIN_BASELINE_ROWS
        else pooled
        for part in samples()
    ]
    return Scatter(*(np.stack(part).astype(np.float32) for part in zip(*parts, strict=True)))


def _parts(residual: Baseline, level: Baseline, scattered: Scatter, index: int, part: Smoothed) -> Floats:
    """The parts of the statistic, float64 [N, 4], as in `combination`; `scoring` computes the same in the graph."""
    relative = residual_variance.around(scattered.offset[index], part.recent, part.square) / scattered.normal[index]
    columns = [
        _distance(residual, index, part.residual, part.residual_present),
        _distance(level, index, part.level, part.level_present),
        residual_variance.statistic(relative, part.recent_present),
        residual_variance.largest(np.where(part.recent_present, relative, 0.0)),
    ]
    return np.stack(columns, axis=1)


def _moved(before: Smoothed, after: Smoothed, sensors: Sequence[str]) -> dict[str, Any]:
    """`AssetCalibration.moved` and `mover`; levels are already in deviations."""
    if not len(before) or not len(after):
        return {"moved": 0.0, "mover": ""}
    moved = np.abs(after.level.mean(axis=0) - before.level.mean(axis=0))
    return {"moved": float(moved.max()), "mover": sensors[int(moved.argmax())]}


def _spread(asset: NormalRows) -> Floats:
    """About `MAX_ROWS` of the training rows at most, evenly spread: float32 [n, S]."""
    step = max(1, -(-int(np.count_nonzero(asset.learnt)) // MAX_ROWS))
    rows: Floats = asset.scaled[::step][asset.learnt[::step]]
    return rows


def _still(rows: Floats) -> Bools:
    """bool [S]: sensors whose scaled rows [T, S] all have the same value."""
    present = np.isfinite(rows)
    high, low = np.where(present, rows, -np.inf).max(axis=0), np.where(present, rows, np.inf).min(axis=0)
    still: Bools = ~(high - low >= STILL_RANGE)
    return still


def _distance(baseline: Baseline, index: int, values: Floats, present: Bools) -> Floats:
    """Mahalanobis distance float64 [N] of an asset's smoothed values [N, P]."""
    centred = np.where(present, values - baseline.mean[index].astype(np.float64), 0.0)
    return distance(impute(centred, present, baseline.precision[index]), baseline.whitening[index])
