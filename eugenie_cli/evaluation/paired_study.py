"""Watches an evaluation of one version, or of two versions side by side."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Bools
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.evaluation.collector import Collector
from eugenie_cli.evaluation.findings import Findings
from eugenie_cli.site.labels import Labels
from eugenie_cli.site.schema import Fleet


class PairStudy:
    """`add` each asset once, then ask for the findings of the version and of its candidate."""

    def __init__(self, fleet: Fleet, labels: Labels | None) -> None:
        self._fleet, self._labels = fleet, labels
        self._own = Collector(fleet, labels)
        self._candidate: Collector | None = None

    def add(self, backtest: Backtest, judged: Bools, beside: Backtest | None = None) -> None:
        """Add an asset: its rows as scored by the version, those judged (bool [T]), and as scored by the candidate."""
        self._own.add(backtest, judged, beside)
        if beside is None:
            return
        if self._candidate is None:
            # the version's own pictures of faults show both scores
            self._candidate = Collector(self._fleet, self._labels, event_pictures=0)
        self._candidate.add(beside, np.isin(beside.edges, backtest.edges[judged]), backtest)

    def findings(self) -> Findings:
        """The version's findings."""
        return self._own.findings()

    def candidate(self) -> Findings | None:
        """The candidate's findings; None if none was judged."""
        return None if self._candidate is None else self._candidate.findings()
