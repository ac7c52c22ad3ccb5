"""Classical detectors that run beside the model, as they may win: same rows, same episodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eugenie_cli.detection.baselines.detector import Detector, Statistic, fit
from eugenie_cli.detection.baselines.mewma import Mewma
from eugenie_cli.detection.baselines.pca import PcaQ, PcaT2
from eugenie_cli.detection.baselines.trivial import AllPositive, Random

__all__ = ["BASELINES", "AllPositive", "Detector", "Mewma", "PcaQ", "PcaT2", "Random", "Statistic", "fit"]

BASELINES: Mapping[str, Callable[[], Statistic]] = {
    "pca-q": PcaQ,
    "pca-t2": PcaT2,
    "mewma": Mewma,
    "all-positive": AllPositive,
    "random": Random,
}
"""By the name in reports, in the order of reports."""
