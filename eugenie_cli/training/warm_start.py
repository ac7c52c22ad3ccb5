"""The champion as the beginning of a new fit: what it has learnt need not be learnt again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detector import LstmDetector
from eugenie_cli.detection.detectors.registry import LSTM
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.detectors import ModelSettings
from eugenie_cli.site.schema import Site
from eugenie_cli.training.registry import CHAMPION, Registry

VERSION_TAG, RUN_TAG = "eugenie.parent_version", "eugenie.parent_run"
"""MLflow tags of a run and version whose network began as another version's."""


@dataclass(frozen=True)
class Ancestor:
    """A version from whose network a fit goes on."""

    version: int
    run_id: str
    network: Mapping[str, Floats]
    """By `network.WEIGHTS`."""

    @property
    def tags(self) -> dict[str, str]:
        """Of the run and version that go on from it."""
        return {VERSION_TAG: str(self.version), RUN_TAG: self.run_id}


def ancestor_of(site: Site, class_name: str) -> Ancestor:
    """The class's champion.

    Raises EugenieError: no champion; REFUSED with every difference in words where its network does not fit the class.
    """
    registry = Registry(site)
    champion = registry.resolve(class_name, CHAMPION)
    detector, equipment = registry.load(champion), site.classes[class_name]
    settings = equipment.model
    if not isinstance(settings, ModelSettings) or not isinstance(detector, LstmDetector):
        raise EugenieError(
            f"{class_name} version {champion.version} is of type {detector.type}, and the site file says "
            f"{settings.type}: only the network of an {LSTM} can be gone on from by another",
            f"train it from the beginning: `eugenie train --class {class_name}`",
            ExitCode.REFUSED,
        )
    pairs: dict[str, tuple[object, object]] = {
        "sensors": (detector.sensors, equipment.sensor_names),
        "units of sensors": (detector.units, tuple(sensor.unit for sensor in equipment.sensors)),
        "horizons": (detector.horizons, settings.horizons),
        "LSTM units": (detector.lstm_units, settings.units),
        "step in ms": (detector.step_ms, equipment.step),
    }
    other = [f"{what}: {_told(old)}, now {_told(new)}" for what, (old, new) in pairs.items() if old != new]
    if other:
        raise EugenieError(
            f"{class_name} version {champion.version} cannot be gone on from, it has other {'; other '.join(other)}",
            f"train it from the beginning: `eugenie train --class {class_name}`",
            ExitCode.REFUSED,
        )
    return Ancestor(champion.version, champion.run_id, detector.network)


def _told(value: object) -> str:
    return ", ".join(str(one) or "none" for one in value) if isinstance(value, tuple) else str(value)
