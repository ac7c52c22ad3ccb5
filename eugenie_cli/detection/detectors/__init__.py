"""Types of detectors: what each learns, stores, scores and says of itself. One module a type.

A site file chooses with `model: {type: ...}`. Everything else (scoring graph, export, server, stream, evaluation)
is written against `DetectorType`, and asks `of` for the type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

    from eugenie_cli.detection.arrays import Floats
    from eugenie_cli.detection.detector import TrainedDetector
    from eugenie_cli.detection.detectors.graph import Graph
    from eugenie_cli.detection.detectors.measured import Measured

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


class DetectorType(Protocol):
    """A type. `detector` is always what `restore` gives: a `TrainedDetector` of this type."""

    def graph(self, detector: Any) -> Graph:
        """The detector's part of the scoring graph."""

    def measure(self, detector: Any, index: int, rows: Floats) -> Measured:
        """The same in numpy, slowly: asset number `index`, rows float32 [L, S] -> its K windows."""

    def arrays(self, detector: Any) -> dict[str, np.ndarray]:
        """The arrays that only this type has, by name."""

    def plain(self, detector: Any) -> dict[str, Any]:
        """The other values that only this type has, as JSON can hold them."""

    def restore(
        self, common: Mapping[str, Any], arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]
    ) -> TrainedDetector:
        """The detector again. `common`: the fields that every type has."""

    def describe(self, detector: Any) -> Sequence[str]:
        """Lines for the model card: how it judges, and what its `expected` is."""


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
    return getattr(import_module(f"{__name__}.{module}"), statistic)
