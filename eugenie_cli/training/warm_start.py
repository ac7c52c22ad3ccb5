"""Warm start: a new fit that begins with the champion's network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detector import ForecasterDetector
from eugenie_cli.detection.detectors.registry import FORECASTERS
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.detectors import ForecasterSettings
from eugenie_cli.site.schema import Fleet
from eugenie_cli.training.registered_version import CHAMPION
from eugenie_cli.training.registry import Registry

VERSION_TAG, RUN_TAG = "eugenie.parent_version", "eugenie.parent_run"
"""MLflow tags of a run and version that a warm start produced."""


@dataclass(frozen=True)
class Ancestor:
    """The version whose network a warm start begins with."""

    version: int
    run_id: str
    network: Mapping[str, Floats]
    """By `network.WEIGHTS`."""

    @property
    def tags(self) -> dict[str, str]:
        """Tags for the run and version that begin with its network."""
        return {VERSION_TAG: str(self.version), RUN_TAG: self.run_id}


def ancestor_of(registry: Registry, fleet: Fleet) -> Ancestor:
    """The class's champion.

    Raises EugenieError when the class has no champion, and REFUSED with all differences when its network does not fit
    the class.
    """
    class_name, equipment = fleet.name, fleet.equipment
    champion = registry.resolve(class_name, CHAMPION)
    detector = registry.load(champion)
    settings = equipment.model
    if (
        not isinstance(settings, ForecasterSettings)
        or not isinstance(detector, ForecasterDetector)
        or settings.type != detector.type
    ):
        raise EugenieError(
            f"{class_name} version {champion.version} is of type {detector.type}, and the site file sets "
            f"{settings.type}: a warm start needs the same forecaster on both sides ({' or '.join(FORECASTERS)})",
            f"train it from scratch: `eugenie train --class {class_name}`",
            ExitCode.REFUSED,
        )
    pairs: dict[str, tuple[object, object]] = {
        "sensors": (detector.sensors, equipment.sensor_names),
        "units of sensors": (detector.units, tuple(sensor.unit for sensor in equipment.sensors)),
        "horizons": (detector.horizons, settings.horizons),
        "units of the memory": (detector.memory_units, settings.units),
        "step in ms": (detector.step_ms, equipment.step),
    }
    different = [f"{what} ({_text(old)}, now {_text(new)})" for what, (old, new) in pairs.items() if old != new]
    if different:
        raise EugenieError(
            f"{class_name} version {champion.version} cannot be used for a warm start; these have changed: "
            f"{', '.join(different)}",
            f"train it from scratch: `eugenie train --class {class_name}`",
            ExitCode.REFUSED,
        )
    return Ancestor(champion.version, champion.run_id, detector.network)


def _text(value: object) -> str:
    return ", ".join(str(item) or "none" for item in value) if isinstance(value, tuple) else str(value)
