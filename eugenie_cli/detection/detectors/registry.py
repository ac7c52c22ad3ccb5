"""The types of detectors by the names that site files have for them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eugenie_cli.detection.detectors.interfaces import DetectorType

LSTM = "lstm"
CLASSICAL: Mapping[str, tuple[str, str]] = {
    "pca-q": ("pca", "PcaQ"),
    "pca-t2": ("pca", "PcaT2"),
    "mewma": ("mewma", "Mewma"),
    "isolation-forest": ("isolation_forest", "IsolationForest"),
    "last-value": ("last_value", "LastValue"),
}
"""Module and class of each statistic; they bring TensorFlow, so they are imported when asked for."""
NAMES = (LSTM, *CLASSICAL)


def of(name: str) -> DetectorType:
    """The type of that name. Raises KeyError for any other."""
    if name == LSTM:
        from eugenie_cli.detection.detectors.lstm import Lstm

        return Lstm()
    from eugenie_cli.detection.detectors.classical import Classical

    return Classical(statistic_of(name))


def statistic_of(name: str) -> Any:
    """The class of the statistic of one of the types beside the forecaster. Raises KeyError for any other."""
    module, statistic = CLASSICAL[name]
    return getattr(import_module(f"{__package__}.{module}"), statistic)
