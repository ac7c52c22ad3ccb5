"""A class's normal grids -> a trained, calibrated detector of its type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eugenie_cli.detection import calibration, linear_path, network
from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.calibration import Calibrated, NormalRows, Scale
from eugenie_cli.detection.detector import ForecasterDetector, TrainedDetector
from eugenie_cli.detection.linear_path import LinearPath
from eugenie_cli.detection.window_statistics import TrainedForecaster
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Progress
from eugenie_cli.site.checks.model import contradictions
from eugenie_cli.site.detectors import AutoSettings, ClassicalSettings, ForecasterSettings
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training import alarm_rehearsal, classical, datasets, fit, learning_rate
from eugenie_cli.training.batches import Windows
from eugenie_cli.training.datasets import TRAINING, VALIDATION, NormalGrid
from eugenie_cli.training.mmap_arrays import Memory, blocks


@dataclass(frozen=True)
class Built:
    """A detector, and how it was trained."""

    detector: TrainedDetector
    fit: fit.Fit | None
    """The forecaster's fit; None for the other types, which are not fitted by epochs."""
    statistic: tuple[Floats, ...]
    """Each asset's statistic on its calibration rows, float64 [N]; divided by the threshold it is the score."""


def build(
    class_name: str,
    equipment: EquipmentClass,
    grids: Sequence[NormalGrid],
    progress: Progress,
    options: fit.FitOptions | None = None,
    *,
    arrays: Memory | None = None,
) -> Built:
    """Trains a detector of the class's type, calibrated per asset. `options`: of a forecaster's fit.

    `arrays` allocates whatever is as long as the history.

    Raises EugenieError when the settings contradict each other or the rows are too few.
    """
    settings = equipment.model
    if isinstance(settings, ClassicalSettings):
        return _with_forecast(_classical(class_name, settings, equipment, grids, progress), equipment, grids)
    _check(class_name, settings)
    arrays = arrays or Memory()
    scale = calibration.scaling([grid.learnt_blocks for grid in grids])
    if not scale.moved.any():
        raise _unfit(class_name, ValueError("no sensor ever moves in the normal rows, so there is nothing to learn"))
    arrays.release()
    joined = join(grids, scale, max(settings.horizons), arrays)
    train, validation = windows(class_name, grids, joined, settings.window, arrays)
    arrays.release()
    linear = _linear_path(settings, joined) if isinstance(settings, AutoSettings) else None
    options = replace(options or fit.FitOptions(), linear=linear)
    total = options.epochs or settings.epochs
    with progress.task(f"train {class_name}", total=total, unit="epochs") as advance:

        def epoch_done(epoch: fit.Epoch) -> None:
            advance(1)
            if options.on_epoch is not None:
                options.on_epoch(epoch)

        def rate_found(search: learning_rate.Search) -> None:
            progress.say(f"{class_name}: learning rate {search.rate:g}, found in {len(search.rates)} batches")
            if options.on_search is not None:
                options.on_search(search)

        fitted = fit.fit(
            train,
            validation,
            settings,
            replace(options, on_epoch=epoch_done, on_search=rate_found),
        )
    arrays.release()
    forecaster = TrainedForecaster(fitted.network, settings.window, settings.warmup, settings.horizons, linear)
    with progress.task(f"calibrate {class_name}", total=len(grids), unit="assets") as advance:

        def asset_done(count: float) -> None:
            arrays.release()
            advance(count)

        try:
            calibrated = calibration.calibrate(
                forecaster,
                [
                    NormalRows(grid.asset, joined.rows[own], grid.learnt, grid.part == datasets.CALIBRATION)
                    for grid, own in zip(grids, joined.assets, strict=True)
                ],
                sensors_of=equipment.sensor_names,
                roles=[sensor.role for sensor in equipment.sensors],
                policy=equipment.alarm_policy,
                advance=asset_done,
                room=lambda size: arrays.array((size,), np.uint8),
            )
        except ValueError as problem:
            raise _unfit(class_name, problem) from problem
    detector = _detector(class_name, equipment, grids, scale, forecaster, calibrated)
    return _with_forecast(Built(detector, fitted, calibrated.statistic), equipment, grids)


def _with_forecast(built: Built, equipment: EquipmentClass, grids: Sequence[NormalGrid]) -> Built:
    """Extends the forecast of the calibration rows by what rehearsals on later rows show."""
    known = built.detector.calibration
    assert known.forecast is not None  # noqa: S101 - `thresholds` makes one
    expected = known.forecast.joined(alarm_rehearsal.rehearse(equipment, grids))
    return replace(built, detector=replace(built.detector, calibration=replace(known, forecast=expected)))


def _classical(
    class_name: str,
    settings: ClassicalSettings,
    equipment: EquipmentClass,
    grids: Sequence[NormalGrid],
    progress: Progress,
) -> Built:
    with progress.task(f"fit {settings.type} of {class_name}"):
        try:
            fitted = classical.fit_class(settings, equipment, grids)
        except ValueError as problem:
            raise _unfit(class_name, problem) from problem
    return Built(classical.detector(class_name, settings, equipment, fitted), None, fitted.values)


def _unfit(class_name: str, problem: ValueError) -> EugenieError:
    return EugenieError(
        f"class {class_name}: {problem}", "see the class's sensors (role) and the assets' normal periods"
    )


def _check(class_name: str, settings: ForecasterSettings) -> None:
    """Raises EugenieError for contradictory settings: a site that was not read from a file has not been checked."""
    for contradiction in contradictions(settings):
        raise EugenieError(
            f"classes.{class_name}.model.{contradiction.key}: {contradiction.message}",
            "`eugenie config check` shows all of them",
        )


@dataclass(frozen=True)
class Joined:
    """The rows of all assets in one array, each asset followed by as many empty rows as the longest horizon.

    `rows` float32 [N, S] in deviations, `part` int8 [N], `assets`: the slice of each asset's own rows.
    """

    rows: Floats
    part: Ints
    assets: tuple[slice, ...]


def join(grids: Sequence[NormalGrid], scale: Scale, ahead: int, arrays: Memory) -> Joined:
    """Scales every asset's rows by its own mean and deviation; sensors that never moved are missing."""
    length = sum(len(grid.part) + ahead for grid in grids)
    rows = arrays.array((length, scale.mean.shape[1]), np.float32)
    part = arrays.array((length,), np.int8)
    places = []
    offset = 0
    for number, grid in enumerate(grids):
        own = slice(offset, offset + len(grid.part))
        for block in blocks(len(grid.part)):
            scaled = network.scale(grid.rows[block], scale.mean[number], scale.deviation[number])
            rows[own][block] = np.where(scale.moved[number], scaled, np.float32(np.nan))
            part[own][block] = grid.part[block]
        offset = own.stop + ahead
        rows[own.stop : offset], part[own.stop : offset] = np.nan, datasets.UNUSED
        places.append(own)
    return Joined(rows, part, tuple(places))


def _linear_path(settings: ForecasterSettings, joined: Joined) -> LinearPath:
    """The path fitted to the training rows of all assets."""
    lags, carried = linear_path.memory(settings.warmup, settings.horizons)
    assets = [linear_path.Rows(joined.rows[own], joined.part[own] == TRAINING) for own in joined.assets]
    return linear_path.fit(assets, settings.horizons, lags, carried)


def windows(
    class_name: str, grids: Sequence[NormalGrid], joined: Joined, window: int, arrays: Memory
) -> tuple[Windows, Windows]:
    """Training and validation windows of all assets. Raises EugenieError without any."""
    of_parts = []
    for part in (TRAINING, VALIDATION):
        starts = arrays.array((sum(grid.count(part) for grid in grids),), np.int64)
        count = 0
        for own in joined.assets:
            for ends in datasets.window_ends(joined.rows[own], joined.part[own], part, window):
                starts[count : count + len(ends)] = ends - window + 1 + own.start
                count += len(ends)
        of_parts.append(Windows(joined.rows, joined.part, part, starts[:count]))
    train, validation = of_parts
    if not len(train.starts) or not len(validation.starts):
        raise EugenieError(
            f"class {class_name}: no stretch of normal rows is as long as the window of {window} rows",
            "import more history, widen the assets' normal periods, or make the window shorter",
        )
    return train, validation


def _detector(
    class_name: str,
    equipment: EquipmentClass,
    grids: Sequence[NormalGrid],
    scale: Scale,
    forecaster: TrainedForecaster,
    calibrated: Calibrated,
) -> ForecasterDetector:
    return ForecasterDetector(
        type=equipment.model.type,
        class_name=class_name,
        assets=tuple(grid.asset for grid in grids),
        sensors=equipment.sensor_names,
        units=tuple(sensor.unit for sensor in equipment.sensors),
        window=forecaster.window,
        warmup=forecaster.warmup,
        horizons=forecaster.horizons,
        step_ms=equipment.step,
        max_gap_ms=equipment.max_gap,
        scored=calibrated.scored,
        network=dict(forecaster.network),
        used=scale.moved,
        mean=scale.mean,
        deviation=scale.deviation,
        residual=calibrated.residual,
        level=calibrated.level,
        scatter=calibrated.scatter,
        linear=forecaster.linear,
        units_of_parts=calibrated.units_of_parts,
        threshold=calibrated.threshold,
        calibration=calibrated.calibration,
        running=datasets.running_of(equipment),
    )
