"""The data quality of the history, by sensor, to be checked before a model learns from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.grid import limits_of
from eugenie_cli.history.store import History
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.schema import Site

# This many consecutive readings of exactly the same value: the noise of a live analogue sensor prevents such a run, so
# the sensor is stuck.
FLAT_RUN = 30


@dataclass(frozen=True)
class SensorQuality:
    """One sensor of one asset. Shares of its readings are from 0 to 1.

    `median_period_ms`: between successive readings, including bad ones; None for fewer than two.
    `longest_gap_ms`: between successive good readings. `flat`: share of readings in runs of at least
    `FLAT_RUN` equal values. `repeated`: readings that shared their instant with another; `conflicts`: instants for
    which readings disagreed.
    """

    asset: str
    sensor: str
    readings: int
    start_ms: int | None = None
    end_ms: int | None = None
    median_period_ms: int | None = None
    bad: float = 0.0
    out_of_range: float = 0.0
    longest_gap_ms: int | None = None
    longest_gap_start_ms: int | None = None
    flat: float = 0.0
    repeated: int = 0
    conflicts: int = 0


def assess(
    site: Site, history: History, assets: Sequence[str] = (), progress: Progress = SILENT
) -> list[SensorQuality]:
    """The quality of every sensor of the given assets (none: all of the site), in the site's order.

    The list includes sensors without readings. Raises EugenieError for an unknown asset.
    """
    requested = site.assets_named(assets)
    chosen = [name for name in site.assets if name in requested]
    qualities: list[SensorQuality] = []
    with progress.task("assess the history", len(chosen), "assets") as advance:
        for name in chosen:
            qualities.extend(_assess_asset(site, history, name))
            advance(1)
    return qualities


def _assess_asset(site: Site, history: History, asset: str) -> list[SensorQuality]:
    equipment = site.classes[site.assets[asset].class_name]
    limits = limits_of(equipment)
    readings = history.read(asset)
    starts = np.searchsorted(readings.sensor, np.arange(len(readings.names) + 1))
    qualities = []
    for column, sensor in enumerate(equipment.sensor_names):
        if sensor not in readings.names:
            qualities.append(SensorQuality(asset, sensor, 0))
            continue
        number = readings.names.index(sensor)
        own = slice(starts[number], starts[number + 1])
        low, high = float(limits.low[column]), float(limits.high[column])
        series = assess_series(asset, sensor, readings.ts[own], readings.value[own], low, high)
        repeated, conflicts = readings.repeated.get(sensor, 0), readings.conflicts.get(sensor, 0)
        qualities.append(replace(series, repeated=repeated, conflicts=conflicts))
    return qualities


def assess_series(
    asset: str, sensor: str, ts: NDArray[np.int64], value: NDArray[np.float64], low: float, high: float
) -> SensorQuality:
    """The quality of one sensor's readings: `ts` [N] ascending, `value` [N] with NaN where bad."""
    count = len(ts)
    if count == 0:
        return SensorQuality(asset, sensor, 0)
    outside = (value < low) | (value > high)
    good = ts[~np.isnan(value) & ~outside]
    gaps = np.diff(good)
    widest = int(gaps.argmax()) if len(gaps) else None
    return SensorQuality(
        asset,
        sensor,
        count,
        int(ts[0]),
        int(ts[-1]),
        int(np.median(np.diff(ts))) if count > 1 else None,
        float(np.isnan(value).mean()),
        float(outside.mean()),
        None if widest is None else int(gaps[widest]),
        None if widest is None else int(good[widest]),
        _flat_share(value),
    )


def _flat_share(value: NDArray[np.float64]) -> float:
    """Share of readings in long runs of one value; NaN never forms a run."""
    changes = np.flatnonzero(value[1:] != value[:-1]) + 1
    runs = np.diff(np.concatenate(([0], changes, [len(value)])))
    return float(runs[runs >= FLAT_RUN].sum() / len(value))
