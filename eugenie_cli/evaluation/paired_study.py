"""Watches an evaluation of one version, or of two that are judged side by side."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Bools
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.evaluation.collector import Collector
from eugenie_cli.evaluation.findings import Findings
from eugenie_cli.evaluation.labels import Labels
from eugenie_cli.site.schema import Site


class PairStudy:
    """`add` each asset once, then ask for the findings of the version, and of the candidate beside it."""

    def __init__(self, site: Site, class_name: str, labels: Labels | None) -> None:
        self._site, self._class_name, self._labels = site, class_name, labels
        self._own = Collector(site, class_name, labels)
        self._candidate: Collector | None = None

    def add(self, one: Backtest, judged: Bools, beside: Backtest | None = None) -> None:
        """An asset's rows as the version scored them, which are judged, bool [T], and as the candidate scored them."""
        self._own.add(one, judged, beside)
        if beside is None:
            return
        if self._candidate is None:
            # the pictures of faults are the version's own, with both scores
            self._candidate = Collector(self._site, self._class_name, self._labels, event_pictures=0)
        self._candidate.add(beside, np.isin(beside.edges, one.edges[judged]), one)

    def findings(self) -> Findings:
        """Of the version."""
        return self._own.findings()

    def candidate(self) -> Findings | None:
        """Of the candidate; None where none was judged."""
        return None if self._candidate is None else self._candidate.findings()
