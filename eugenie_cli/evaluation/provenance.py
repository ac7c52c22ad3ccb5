"""Where a model version comes from: its training run, its training data, and the basis of its thresholds."""

from __future__ import annotations

from dataclasses import dataclass

from eugenie_cli.detection.alarm_forecast import AlarmForecast
from eugenie_cli.detection.alarm_policy import AlarmDecision
from eugenie_cli.detection.detector import AssetCalibration
from eugenie_cli.errors import EugenieError
from eugenie_cli.training.registry import Registry
from eugenie_cli.training.run_record import Periods


@dataclass(frozen=True)
class AssetThreshold:
    """An asset's threshold and its basis."""

    calibration: AssetCalibration
    threshold: float
    """The statistic at which the score is 1."""
    thin: bool
    """Whether the rows are so few that the quantile is little more than the largest of them."""


@dataclass(frozen=True)
class Provenance:
    """A model version's provenance, from its training run."""

    run_id: str
    ended: str
    """ISO 8601."""
    data_fingerprint: str
    eugenie: str
    commit: str
    periods: Periods
    """asset -> training, validation, calibration -> first and last instant."""
    window: int
    judges: str
    """How the detector judges rows, in words."""
    context: tuple[str, ...]
    """Sensors that are read but not scored."""
    quantile: float
    """The quantile of the calibration rows that a threshold is a multiple of."""
    budget: float
    margin: float
    rehearsal: float
    """Share of held-out normal rows above 1; it should be within the budget."""
    assets: tuple[AssetThreshold, ...]
    alarm: AlarmDecision | None = None
    """None, like the forecast, for versions trained before it existed."""
    forecast: AlarmForecast | None = None
    outlook: tuple[str, ...] = ()
    """What its alarms will be like, in sentences."""


@dataclass(frozen=True)
class Unknown:
    """Why a version's provenance is unknown."""

    reason: str


def provenance(registry: Registry, class_name: str, version: int) -> Provenance | Unknown:
    """The provenance of a registered version; `Unknown` if the registry or the run's record cannot be read."""
    from eugenie_cli.detection.alarm_budget import QUANTILE
    from eugenie_cli.detection.detectors import registry as detector_types
    from eugenie_cli.training import alarm_outlook, run_record
    from eugenie_cli.training.code_version import COMMIT, EUGENIE
    from eugenie_cli.training.store_client import first_line

    try:
        registered = registry.resolve(class_name, version)
        detector = registry.load(registered)
        run = run_record.of_run(registry.client, registered.run_id)
    except (EugenieError, OSError) as error:
        return Unknown(first_line(error))
    calibration = detector.calibration
    return Provenance(
        run_id=run.run_id,
        ended=run.ended,
        data_fingerprint=run.parameters.get("data_fingerprint", ""),
        eugenie=run.tags.get(EUGENIE, ""),
        commit=run.tags.get(COMMIT, ""),
        periods=run.periods,
        window=detector.window,
        judges=" ".join(detector_types.of(detector.type).describe(detector)),
        context=tuple(name for name, scored in zip(detector.sensors, detector.scored, strict=True) if not scored),
        quantile=QUANTILE,
        budget=calibration.budget,
        margin=calibration.margin,
        rehearsal=calibration.rehearsal,
        assets=tuple(
            AssetThreshold(asset, float(threshold), not asset.pooled and asset.rows * (1 - QUANTILE) < 1)
            for asset, threshold in zip(calibration.assets, detector.threshold, strict=True)
        ),
        alarm=calibration.alarm,
        forecast=calibration.forecast,
        outlook=tuple(alarm_outlook.sentences(calibration)),
    )
