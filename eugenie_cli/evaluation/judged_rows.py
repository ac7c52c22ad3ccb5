"""Which rows of an asset are judged, and which of them are quiet: no alarm should be on."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Bools, Ints
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.site.field_types import to_ms
from eugenie_cli.site.labels import Labels
from eugenie_cli.site.schema import Asset, EquipmentClass, Fleet

EARLY_ROWS = 10
"""Rows before a fault in which an alarm may be raised and still count as finding it: labels begin where somebody saw
the fault begin, which is not to the row."""


def early_ms(equipment: EquipmentClass) -> int:
    """How long before a fault of the class an alarm may be raised and still count as finding it."""
    early = equipment.promotion.early if equipment.promotion is not None else None
    return EARLY_ROWS * equipment.step if early is None else early


def in_normal_periods(asset: Asset, edges: Ints) -> Bools:
    """bool [T]: edges inside a period that the site file lists as normal for the asset."""
    inside = np.zeros(len(edges), bool)
    for period in asset.normal:
        inside |= (edges >= to_ms(period.start)) & (edges < to_ms(period.end))
    return inside


def judged_rows(asset: Asset, backtest: Backtest) -> Bools:
    """bool [T]: rows of `asset` with a value, outside its listed normal periods."""
    return ~np.isnan(backtest.rows).all(axis=1) & ~in_normal_periods(asset, backtest.edges)


def quiet_rows(fleet: Fleet, asset: str, edges: Ints, labels: Labels | None, window: int) -> Bools:
    """bool [T]: edges at which nothing is known to be wrong: no labelled fault, no exclusion of the site file.

    The time after a fault in which a detector still looks back on it (its window, in rows, and the alarm's off-delay)
    is not quiet. Of two versions, the longer window counts for both, so that they are judged on the same rows.
    """
    equipment = fleet.equipment
    after = (window + equipment.alarm.longest_off_delay) * equipment.step
    quiet = np.ones(len(edges), bool)
    for label in labels.of([asset]) if labels is not None else ():
        quiet &= (edges < label.start) | (edges >= label.end + after)
    for period in fleet.exclude:
        if period.asset in (None, asset):
            quiet &= (edges < to_ms(period.start)) | (edges >= to_ms(period.end))
    return quiet
