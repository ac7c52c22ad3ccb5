"""From a fitted network to a calibrated detector: scaling, normal baselines, thresholds.

Thresholds come from the last normal rows of each asset, which neither trained the network nor entered
a baseline: calibrating on rows that trained gives thresholds that live data break all day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from eugenie_cli.detection import residual_variance
from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.calibration_samples import Levels, Room, Smoothed, kept, smoothed, smoothed_with_levels
from eugenie_cli.detection.context_sensors import context_sensors
from eugenie_cli.detection.covariance import (
    MIN_BASELINE_ROWS,
    STILL_DEVIATION,
    Baseline,
    averages_whitener,
    baseline,
    calmed,
    distance,
    impute,
    stride,
)
from eugenie_cli.detection.detector import AssetCalibration, Calibration
from eugenie_cli.detection.ewma import ewma_kernel, redundancy
from eugenie_cli.detection.residual_variance import Scatter
from eugenie_cli.detection.window_statistics import StatisticsModule

# The statistic that one normal row in a thousand exceeds; times the margin it is the threshold.
QUANTILE = 0.999
# Where that is 0, as of forecasts that are always right, any statistic alarms; over less than this its score would be
# infinite, which is no number to weigh rows by.
LEAST_QUANTILE = 1e-20
# The rehearsal leaves out each of this many consecutive parts of the calibration block in turn. Five are the usual
# folds. On simulated normal operation (averages of noise, blocks of 105 to 2,160 rows, 1 to 16 assets) rows that came
# later then exceeded most nearly as often as the budget says, on the safe side where there are several assets.
REHEARSAL_PARTS = 5
MARGINS = np.arange(1.0, 4.0001, 0.05)
# An asset with fewer calibration rows takes the class's threshold.
MIN_CALIBRATION_ROWS = 60
# Rows of an asset beyond so many say the same again: evenly spread segments are taken. A baseline is means and
# covariances; a threshold is a quantile of the rarest rows, which takes more of them.
MAX_BASELINE_ROWS = 20_000
MAX_ROWS = 60_000
# A sensor that hardly moves in normal operation would turn its last digit into an alarm. Deviations are
# at least this share of the class's, and of the value itself.
MIN_SHARE_OF_CLASS = 0.1
MIN_SHARE_OF_VALUE = 1e-3
MIN_DEVIATION = 1e-6
# A sensor whose normal values differ by less than this share of that never moved: how far it moves when it does, its
# history cannot say. Its value can, and the class's other assets: its deviation is a share of the one or a multiple of
# theirs, such that by `covariance.STILL_DEVIATION` a step of half a per cent, or of a deviation of theirs, is one of
# its own. Of a value of 0 on all assets nothing can be said: it is not scored, or its first move would alarm for ever.
LEAST_MOVE = 0.01
STILL_SHARE_OF_VALUE = 0.05
STILL_TIMES_OF_CLASS = 9.0
# Deviations within which all values of such a sensor lie.
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
    """What `detector.TrainedDetector` takes over."""

    scored: Bools
    residual: Baseline
    level: Baseline
    scatter: Scatter
    threshold: Floats
    calibration: Calibration
    statistic: tuple[Floats, ...]
    """Each asset's statistic on its calibration rows, for a plot: float64 [N]."""


class Scale(NamedTuple):
    """Of A assets and S sensors."""

    mean: Floats
    """float32 [A, S]."""
    deviation: Floats
    """float32 [A, S], above 0."""
    moved: Bools
    """bool [A, S]: False where there was no value, or never another one to judge by (see `LEAST_MOVE`)."""


def scaling(learnt: Sequence[Callable[[], Iterable[Floats]]]) -> Scale:
    """Mean and deviation of each asset's learnt rows, which come in blocks (float32 [n, S], NaN where missing), twice.

    A sensor that an asset never reported takes the class's.
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
            np.median(column[there]) if there.any() else 0.0 for column, there in zip(table.T, known.T, strict=True)
        ]
        table[:] = np.where(known, table, typical)
    floor = np.maximum(np.median(deviation, axis=0) * MIN_SHARE_OF_CLASS, np.abs(mean) * MIN_SHARE_OF_VALUE)
    floored = np.maximum(deviation, np.maximum(floor, MIN_DEVIATION))
    never = (counts > 0) & (deviation < LEAST_MOVE * floored)
    told = np.maximum(np.abs(mean) * STILL_SHARE_OF_VALUE, np.median(deviation, axis=0) * STILL_TIMES_OF_CLASS)
    moved = (counts > 0) & (~never | (told > MIN_DEVIATION))
    floored = np.where(never, np.maximum(floored, told), floored)
    return Scale(mean.astype(np.float32), floored.astype(np.float32), moved)


def calibrate(
    network: Mapping[str, Floats],
    assets: Sequence[NormalRows],
    *,
    window: int,
    warmup: int,
    horizons: Sequence[int],
    sensors_of: Sequence[str],
    roles: Sequence[str],
    budget: float,
    advance: Callable[[float], None] | None = None,
    room: Room | None = None,
) -> Calibrated:
    """Baselines and thresholds of a class. `sensors_of`: the sensors' names; `roles`: "auto", "scored" or
    "context" for each; `advance` is called once for each asset. `room`: for the assets' statistics, which together may
    be more than memory holds; no more than one asset's are worked on at once.

    Raises ValueError when no sensor is scored or no asset has a scorable calibration row.
    """
    sensors = range(assets[0].scaled.shape[1])
    module = StatisticsModule(network, scored=sensors, window=window, warmup=warmup, horizons=horizons)
    run = tf.function(module.frame_all, input_signature=[tf.TensorSpec([None, None, len(sensors)], tf.float32)])
    learnt: list[Smoothed] = []
    held_out: list[Smoothed] = []
    levels: list[Levels] = []
    for asset in assets:
        before, levels_before = smoothed_with_levels(run, asset.scaled, asset.learnt, window, MAX_BASELINE_ROWS)
        learnt.append(kept(before, room))
        levels.append(kept(levels_before, room))
        held_out.append(kept(smoothed(run, asset.scaled, asset.held_out, window, MAX_ROWS), room))
        if advance is not None:
            advance(1)
    scored = ~context_sensors(
        roles,
        (_spread(asset) for asset in assets),
        [part.level for part in learnt],
        [part.level for part in held_out],
    )
    if not scored.any():
        raise ValueError("no sensor is scored: every one is context")
    if not any(map(len, learnt)):
        raise ValueError("no row can be learnt from: too few in a row, or too many of a window are missing")
    picked = np.flatnonzero(scored)

    def scored_of(parts: Sequence[Smoothed]) -> Iterator[Smoothed]:
        return (part.of(picked) for part in parts)

    whiten = partial(averages_whitener, redundancy=redundancy(ewma_kernel(window - warmup)))
    still = np.stack([_still(_spread(asset))[picked] for asset in assets])
    residual = calmed(baseline(lambda: (part.residuals for part in scored_of(learnt)), whiten), still)
    level = calmed(baseline(lambda: (part.of(picked) for part in levels), whiten), still)
    scattered = _scatter(lambda: scored_of(learnt))
    normal = np.where(still, np.maximum(scattered.normal, STILL_DEVIATION**2), scattered.normal)
    scattered = Scatter(scattered.offset, normal.astype(np.float32))
    statistic = [_statistic(residual, level, scattered, i, part) for i, part in enumerate(scored_of(held_out))]
    if not any(part.size for part in statistic):
        raise ValueError("no row of the calibration block can be scored: too few rows, or too many are missing")
    threshold, calibration = thresholds([asset.asset for asset in assets], statistic, budget)
    calibration = replace(
        calibration,
        assets=tuple(
            replace(one, learnt=len(part), **_moved(part, later, [sensors_of[place] for place in picked]))
            for one, part, later in zip(calibration.assets, scored_of(learnt), scored_of(held_out), strict=True)
        ),
    )
    return Calibrated(scored, residual, level, scattered, threshold, calibration, tuple(statistic))


def thresholds(assets: Sequence[str], statistic: Sequence[Floats], budget: float) -> tuple[Floats, Calibration]:
    """Thresholds float32 [A] from each asset's statistic (float64 [N]) on its calibration rows.

    threshold = margin x quantile. The margin is the class's: the smallest for which, with each part of the
    blocks left out in turn and judged by the others' quantile, at most `budget` of the rows exceed.
    """
    enough = [len(part) >= MIN_CALIBRATION_ROWS for part in statistic]
    pooled = _quantile(np.concatenate(list(statistic)))
    quantile = np.array([_quantile(part) if own else pooled for part, own in zip(statistic, enough, strict=True)])
    ratios = [_rehearse(part) if own else part / pooled for part, own in zip(statistic, enough, strict=True)]
    exceeding = np.array([np.mean(np.concatenate(ratios) > margin) for margin in MARGINS])
    within = np.flatnonzero(exceeding <= budget)
    chosen = int(within[0]) if within.size else len(MARGINS) - 1
    threshold = (MARGINS[chosen] * quantile).astype(np.float32)
    notes = tuple(
        AssetCalibration(
            asset,
            len(part),
            not own,
            float(quantile[i]),
            float(np.mean(part > threshold[i])) if part.size else 0.0,
        )
        for i, (asset, part, own) in enumerate(zip(assets, statistic, enough, strict=True))
    )
    return threshold, Calibration(budget, float(MARGINS[chosen]), float(exceeding[chosen]), notes)


def _rehearse(statistic: Floats) -> Floats:
    """Each row's statistic over the quantile of the parts that it is not in."""
    parts = np.array_split(statistic, REHEARSAL_PARTS)
    others = [np.concatenate(parts[:i] + parts[i + 1 :]) for i in range(len(parts))]
    return np.concatenate([part / _quantile(other) for part, other in zip(parts, others, strict=True)])


def _quantile(statistic: Floats) -> float:
    return max(float(np.quantile(statistic, QUANTILE)), LEAST_QUANTILE)


def _scatter(samples: Callable[[], Iterable[Smoothed]]) -> Scatter:
    """Each asset's own, the class's where an asset has too few samples."""
    lengths = [len(part) for part in samples()]
    pooled = None
    if min(lengths) < MIN_BASELINE_ROWS:
        step = stride(sum(lengths))
        taken = [(part.recent[::step], part.square[::step], part.recent_present[::step]) for part in samples()]
        pooled = residual_variance.learn(*(np.concatenate(column) for column in zip(*taken, strict=True)))
    parts = [
        residual_variance.learn(part.recent, part.square, part.recent_present)
        if pooled is None or len(part) >= MIN_BASELINE_ROWS
        else pooled
        for part in samples()
    ]
    return Scatter(*(np.stack(part).astype(np.float32) for part in zip(*parts, strict=True)))


def _statistic(residual: Baseline, level: Baseline, scattered: Scatter, index: int, part: Smoothed) -> Floats:
    """What is compared with the threshold, float64 [N]; `scoring` computes the same in the graph."""
    relative = residual_variance.around(scattered.offset[index], part.recent, part.square) / scattered.normal[index]
    return np.cbrt(
        _distance(residual, index, part.residual, part.residual_present)
        * _distance(level, index, part.level, part.level_present)
        * residual_variance.statistic(relative, part.recent_present)
    )


def _moved(before: Smoothed, after: Smoothed, sensors: Sequence[str]) -> dict[str, Any]:
    """`AssetCalibration.moved` and `mover`: levels are in deviations already."""
    if not len(before) or not len(after):
        return {"moved": 0.0, "mover": ""}
    moved = np.abs(after.level.mean(axis=0) - before.level.mean(axis=0))
    return {"moved": float(moved.max()), "mover": sensors[int(moved.argmax())]}


def _spread(asset: NormalRows) -> Floats:
    """At most about `MAX_ROWS` of the learnt rows, evenly spread: float32 [n, S]."""
    step = max(1, -(-int(np.count_nonzero(asset.learnt)) // MAX_ROWS))
    rows: Floats = asset.scaled[::step][asset.learnt[::step]]
    return rows


def _still(rows: Floats) -> Bools:
    """bool [S]: sensors whose scaled rows [T, S] are one value."""
    there = np.isfinite(rows)
    high, low = np.where(there, rows, -np.inf).max(axis=0), np.where(there, rows, np.inf).min(axis=0)
    found: Bools = ~(high - low >= STILL_RANGE)
    return found


def _distance(baseline: Baseline, index: int, values: Floats, present: Bools) -> Floats:
    """Mahalanobis distance float64 [N] of an asset's smoothed values [N, P]."""
    centred = np.where(present, values - baseline.mean[index].astype(np.float64), 0.0)
    return distance(impute(centred, present, baseline.precision[index]), baseline.whitening[index])
