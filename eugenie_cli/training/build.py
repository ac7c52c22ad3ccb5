"""A class's normal grids -> a trained, calibrated detector. Everything is in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection import calibration, network
from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.calibration import Calibrated, NormalRows
from eugenie_cli.detection.trained import TrainedDetector
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Progress
from eugenie_cli.site.model import EquipmentClass
from eugenie_cli.training import datasets, fit
from eugenie_cli.training.datasets import TRAINING, VALIDATION, NormalGrid


@dataclass(frozen=True)
class Built:
    """A detector, and how it came about."""

    detector: TrainedDetector
    fit: fit.Fit
    statistic: tuple[Floats, ...]
    """Each asset's statistic on its calibration rows, float64 [N]; over the threshold it is the score."""


def build(
    class_name: str,
    equipment: EquipmentClass,
    grids: Sequence[NormalGrid],
    progress: Progress,
    *,
    epochs: int | None = None,
    on_epoch: Callable[[fit.Epoch], None] | None = None,
) -> Built:
    """Trains the network on all assets together, then calibrates each. `epochs` overrides the site file.

    Raises EugenieError when the settings contradict each other or the rows do not suffice.
    """
    settings = equipment.model
    _check(class_name, equipment)
    mean, deviation = calibration.scaling([grid.rows[grid.learnt] for grid in grids])
    scaled = [network.scale(grid.rows, mean[i], deviation[i]).astype(np.float32) for i, grid in enumerate(grids)]
    train, validation = windows(class_name, grids, scaled, settings.window, max(settings.horizons))
    total = epochs or settings.epochs
    with progress.task(f"train {class_name}", total=total, unit="epochs") as advance:

        def noted(epoch: fit.Epoch) -> None:
            advance(1)
            if on_epoch is not None:
                on_epoch(epoch)

        fitted = fit.fit(
            train,
            validation,
            window=settings.window,
            horizons=settings.horizons,
            units=settings.units,
            epochs=total,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            seed=settings.seed,
            on_epoch=noted,
        )
    with progress.task(f"calibrate {class_name}", total=len(grids), unit="assets") as advance:
        try:
            calibrated = calibration.calibrate(
                fitted.network,
                [
                    NormalRows(grid.asset, rows, grid.learnt, grid.part == datasets.CALIBRATION)
                    for grid, rows in zip(grids, scaled, strict=True)
                ],
                window=settings.window,
                warmup=settings.warmup,
                horizons=settings.horizons,
                roles=[sensor.role for sensor in equipment.sensors],
                budget=equipment.alarm.budget,
                advance=advance,
            )
        except ValueError as problem:
            raise EugenieError(
                f"class {class_name}: {problem}",
                "see the class's sensors (role) and the assets' normal periods",
            ) from problem
    detector = _detector(class_name, equipment, grids, mean, deviation, fitted.network, calibrated)
    return Built(detector, fitted, calibrated.statistic)


def _check(class_name: str, equipment: EquipmentClass) -> None:
    settings = equipment.model
    if settings.warmup >= settings.window:
        raise EugenieError(
            f"classes.{class_name}.model: warmup {settings.warmup} leaves nothing of window {settings.window}",
            "make warmup shorter than window; half of it is usual",
        )
    if max(settings.horizons) > settings.warmup:
        raise EugenieError(
            f"classes.{class_name}.model: horizon {max(settings.horizons)} is beyond warmup {settings.warmup}",
            "a row is forecast from rows of its own window: make warmup at least the longest horizon",
        )
    if settings.window <= fit.BURN_IN:
        raise EugenieError(
            f"classes.{class_name}.model: window {settings.window} is too short to learn from",
            f"make window longer than {fit.BURN_IN} rows",
        )


def windows(
    class_name: str, grids: Sequence[NormalGrid], scaled: Sequence[Floats], window: int, ahead: int
) -> tuple[fit.Windows, fit.Windows]:
    """Training and validation windows over one array of all assets, with room for the horizons between."""
    gap = np.full((ahead, scaled[0].shape[1]), np.nan, np.float32)
    rows = np.concatenate([block for own in scaled for block in (own, gap)])
    part = np.concatenate([np.append(grid.part, np.zeros(ahead, np.int8)) for grid in grids])
    starts: dict[int, list[np.ndarray]] = {TRAINING: [], VALIDATION: []}
    offset = 0
    for grid, own in zip(grids, scaled, strict=True):
        for wanted, found in starts.items():
            found.append(datasets.window_ends(own, grid.part, wanted, window) - window + 1 + offset)
        offset += len(own) + ahead
    train, validation = (np.concatenate(starts[wanted]) for wanted in (TRAINING, VALIDATION))
    if not len(train) or not len(validation):
        raise EugenieError(
            f"class {class_name}: no stretch of normal rows is as long as the window of {window} rows",
            "import more history, widen the assets' normal periods, or make the window shorter",
        )
    return fit.Windows(rows, part, TRAINING, train), fit.Windows(rows, part, VALIDATION, validation)


def _detector(
    class_name: str,
    equipment: EquipmentClass,
    grids: Sequence[NormalGrid],
    mean: Floats,
    deviation: Floats,
    weights: dict[str, Floats],
    calibrated: Calibrated,
) -> TrainedDetector:
    return TrainedDetector(
        class_name=class_name,
        assets=tuple(grid.asset for grid in grids),
        sensors=equipment.sensor_names,
        units=tuple(sensor.unit for sensor in equipment.sensors),
        window=equipment.model.window,
        warmup=equipment.model.warmup,
        horizons=equipment.model.horizons,
        step_ms=equipment.step,
        max_gap_ms=equipment.max_gap,
        scored=calibrated.scored,
        network=weights,
        mean=mean,
        deviation=deviation,
        residual=calibrated.residual,
        level=calibrated.level,
        threshold=calibrated.threshold,
        calibration=calibrated.calibration,
    )
