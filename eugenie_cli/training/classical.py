"""Detectors other than the forecaster: fits a statistic to a class's normal grids, in seconds rather than minutes."""

from __future__ import annotations

from collections.abc import Sequence

from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.detectors.classical import AssetRows, ClassicalDetector, Fitted, fit
from eugenie_cli.site.checks.model import too_few_sensors
from eugenie_cli.site.detectors import ClassicalSettings
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training.datasets import CALIBRATION, NormalGrid, running_of


def asset_rows(grid: NormalGrid) -> AssetRows:
    """A grid's rows in the form that `detection` expects."""
    return AssetRows(grid.asset, grid.rows, grid.learnt, grid.part == CALIBRATION)


def fit_class(settings: ClassicalSettings, equipment: EquipmentClass, grids: Sequence[NormalGrid]) -> Fitted:
    """Fits a class's statistic. Raises ValueError where sensors or calibration rows are too few."""
    fitted = fit(
        registry.statistic_of(settings.type),
        settings.options(),
        [asset_rows(grid) for grid in grids],
        [sensor.role for sensor in equipment.sensors],
        equipment.alarm_policy,
    )
    scored = [name for name, used in zip(equipment.sensor_names, fitted.learnt.used.any(axis=0), strict=True) if used]
    if problem := too_few_sensors(settings, scored):
        raise ValueError(problem)
    return fitted


def detector(
    class_name: str, settings: ClassicalSettings, equipment: EquipmentClass, fitted: Fitted
) -> ClassicalDetector:
    """The detector of a class with the fitted statistic."""
    return ClassicalDetector(
        type=settings.type,
        class_name=class_name,
        assets=fitted.assets,
        sensors=equipment.sensor_names,
        units=tuple(sensor.unit for sensor in equipment.sensors),
        window=settings.window,
        horizons=fitted.learnt.statistic.horizons,
        step_ms=equipment.step,
        max_gap_ms=equipment.max_gap,
        scored=fitted.scored,
        mean=fitted.learnt.mean,
        deviation=fitted.learnt.deviation,
        threshold=fitted.threshold,
        calibration=fitted.calibration,
        running=running_of(equipment),
        used=fitted.learnt.used,
        statistic=fitted.learnt.statistic,
    )
