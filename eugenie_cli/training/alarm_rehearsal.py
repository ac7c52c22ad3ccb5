"""Rehearses going live: a detector that learnt the first part of the normal rows alarms on those that came later.

Rows that were left out in turn, as in the choice of the thresholds, are surrounded by the rows that judge them. They do
not show how far operation moves away from everything learnt; later rows do (rolling-origin evaluation, Tashman, 2000).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from eugenie_cli.detection.alarm_forecast import AlarmForecast, forecast
from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.detectors import classical, registry
from eugenie_cli.detection.detectors.classical import AssetRows, Fitted
from eugenie_cli.detection.detectors.options import Options
from eugenie_cli.detection.episode_counts import after_silence
from eugenie_cli.site.detectors import ClassicalSettings, MewmaSettings
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training.datasets import CALIBRATION, UNUSED, NormalGrid, divide

# Shares of the normal rows after which going live is rehearsed.
ORIGINS = (0.4, 0.6, 0.8)
# Assets, and rows of all of them together, that a rehearsal takes: it has to last seconds, whatever the history.
MOST_ASSETS, MOST_ROWS = 10, 100_000
# Rows of a long history are taken in pieces of at least this many rows and windows.
PIECE_ROWS, PIECE_WINDOWS = 500, 4


def stand_in(equipment: EquipmentClass) -> ClassicalSettings:
    """The settings of the type that is rehearsed: the class's own, or MEWMA where its own takes minutes to train."""
    settings = equipment.model
    return settings if isinstance(settings, ClassicalSettings) else MewmaSettings(type="mewma")


def rehearse(equipment: EquipmentClass, grids: Sequence[NormalGrid]) -> tuple[AlarmForecast, ...]:
    """The rates on the rows after each of `ORIGINS`; without those that leave too few rows to learn from."""
    settings = stand_in(equipment)
    chosen = [
        grids[place] for place in np.linspace(0, len(grids) - 1, min(len(grids), MOST_ASSETS)).round().astype(int)
    ]
    sampled = [(grid.asset, *_sampled(grid, MOST_ROWS // len(chosen), settings.window)) for grid in chosen]
    return tuple(
        expected for origin in ORIGINS if (expected := _after(equipment, settings, sampled, origin)) is not None
    )


def _after(
    equipment: EquipmentClass, settings: ClassicalSettings, sampled: Sequence[tuple[str, Floats, Ints]], origin: float
) -> AlarmForecast | None:
    assets, later = [], []
    for asset, rows, used in sampled:
        cut = int(used[int(len(used) * origin)]) if len(used) else 0
        part = np.zeros(len(rows), np.int8)
        part[used[used < cut]] = 1
        divide(part, settings.calibration)
        assets.append(AssetRows(asset, rows, (part != UNUSED) & (part != CALIBRATION), part == CALIBRATION))
        later.append(used[used >= cut])
    if any(np.count_nonzero(rows.learnt | rows.held_out) < settings.least_rows for rows in assets):
        return None
    options: Options = settings.options()
    roles = [sensor.role for sensor in equipment.sensors]
    policy = equipment.alarm_policy
    try:
        fitted = classical.fit(registry.statistic_of(settings.type), options, assets, roles, policy)
    except ValueError:  # these rows are too few, or too many are missing; the detector itself was trained on more
        return None
    scores = dict(_scores(fitted, assets, later, policy.silence_rows))
    return forecast(scores, fitted.delays, policy.days(1)) if scores else None


def _scores(
    fitted: Fitted, assets: Sequence[AssetRows], later: Sequence[Ints], silence_rows: float
) -> Iterator[tuple[str, tuple[Floats, np.ndarray]]]:
    for asset, rows in zip(assets, later, strict=True):
        score, _ = fitted.score(asset.asset, asset.rows)
        scored = rows[np.isfinite(score[rows])]
        if len(scored):
            yield asset.asset, (score[scored], after_silence(scored, silence_rows))


def _sampled(grid: NormalGrid, most: int, window: int) -> tuple[Floats, Ints]:
    """All rows of an asset, or about `most` in evenly spread pieces with a window of missing rows between them:
    float32 [T, S], NaN where missing or not normal, and int64: which of them are normal."""
    length = len(grid.part)
    if length <= most:
        return np.asarray(grid.rows), np.flatnonzero(grid.part != UNUSED)
    piece = max(PIECE_ROWS, PIECE_WINDOWS * window)
    starts = np.linspace(0, length - piece, max(1, most // piece)).astype(int)
    gap = np.full((window, grid.rows.shape[1]), np.nan, np.float32)
    rows = np.concatenate([part for start in starts for part in (grid.rows[start : start + piece], gap)])
    used = np.concatenate(
        [part for start in starts for part in (grid.part[start : start + piece] != UNUSED, np.zeros(window, bool))]
    )
    return rows, np.flatnonzero(used)
