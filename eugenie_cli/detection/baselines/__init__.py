"""Baseline detectors that are compared with a class's own detector on the same rows, thresholds and episode rules.

Baselines that a class may also use as its own detector (`model: {type: ...}`) run the same code in both roles.
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
"""Baselines by their name in reports, in the order of reports; the types have their default options."""
