"""Detector types by their names in site files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from eugenie_cli.detection.network import WEIGHTS

if TYPE_CHECKING:
    from eugenie_cli.detection.detectors.interfaces import DetectorType

AUTO = "auto"
FORECASTERS = (AUTO, *WEIGHTS)
"""Networks that forecast rows, alone (see `network.WEIGHTS`) or as the correction of a linear forecast (auto)."""
CLASSICAL: Mapping[str, tuple[str, str]] = {
    "pca-q": ("pca", "PcaQ"),
    "pca-t2": ("pca", "PcaT2"),
    "mewma": ("mewma", "Mewma"),
    "isolation-forest": ("isolation_forest", "IsolationForest"),
    "last-value": ("last_value", "LastValue"),
}
"""Module and class of each statistic; they import TensorFlow, so they are loaded on demand."""
NAMES = (*FORECASTERS, *CLASSICAL)


def of(name: str) -> DetectorType:
    """The detector type with this name. Raises KeyError for an unknown name."""
    if name in FORECASTERS:
        from eugenie_cli.detection.detectors.forecaster import Forecaster

        return Forecaster()
    from eugenie_cli.detection.detectors.classical import Classical

    return Classical(statistic_of(name))


def statistic_of(name: str) -> Any:
    """The statistic's class of a type other than the forecasters. Raises KeyError for an unknown name."""
    module, statistic = CLASSICAL[name]
    return getattr(import_module(f"{__package__}.{module}"), statistic)
