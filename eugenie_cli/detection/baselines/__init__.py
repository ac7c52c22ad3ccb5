"""Detectors that run beside a class's own, as they may win: same rows, same thresholds, same episodes.

Those that a class may also take as its own (`model: {type: ...}`) are the very same code here as there.
"""

from __future__ import annotations

from collections.abc import Mapping

from eugenie_cli.detection.baselines.detector import Baseline, Classical, Detector, Trivial, fit
from eugenie_cli.detection.baselines.trivial import all_positive, random
from eugenie_cli.detection.detectors.options import ChartOptions, ForestOptions, LastValueOptions, PcaOptions

__all__ = ["BASELINES", "Baseline", "Classical", "Detector", "Trivial", "fit"]

BASELINES: Mapping[str, Baseline] = {
    "pca-q": Classical("pca-q", PcaOptions()),
    "pca-t2": Classical("pca-t2", PcaOptions()),
    "mewma": Classical("mewma", ChartOptions()),
    "isolation-forest": Classical("isolation-forest", ForestOptions()),
    "last-value": Classical("last-value", LastValueOptions()),
    "all-positive": Trivial(all_positive),
    "random": Trivial(random),
}
"""By the name in reports, in the order of reports; the types with what they have when nothing is set."""
