"""Selects the rows to judge versions by: those not used to train any of them, if the period has any."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eugenie_cli.detection.arrays import Bools
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.evaluation.judged_rows import judged_rows
from eugenie_cli.evaluation.options import EvaluationOptions
from eugenie_cli.evaluation.training_rows import TrainingRowCount, learnt_by, leaves_something
from eugenie_cli.training.open_class import OpenClass


class UnseenRows:
    """Tracks which rows were used to train the versions of an evaluation, and so which rows are judged."""

    def __init__(self, opened: OpenClass, options: EvaluationOptions) -> None:
        self._assets = opened.fleet.assets
        versions = [version for version in (options.version, options.candidate) if version is not None]
        self._learnt = [learnt_by(opened.registry, opened.name, version) for version in versions]
        self._rows = [0] * len(self._learnt)
        self._apart = len(self._learnt) > 1 and leaves_something(
            opened.fleet, opened.history, options.start_ms, options.end_ms, self._learnt
        )
        self.left_out = 0

    def judged(self, backtest: Backtest) -> Bools:
        """bool [T]: the rows to judge. Call once for each asset."""
        judgeable = judged_rows(self._assets[backtest.asset], backtest)
        learnt = [rows.among(backtest.asset, backtest.edges) for rows in self._learnt]
        judged = judgeable & ~np.any(learnt, axis=0) if self._apart else judgeable
        self.left_out += int(np.count_nonzero(judgeable)) - int(np.count_nonzero(judged))
        for index, learnt_by_version in enumerate(learnt):
            self._rows[index] += int(np.count_nonzero(judged & learnt_by_version))
        return judged

    def count(self, index: int) -> TrainingRowCount:
        """Judged rows used to train the version (0) or the candidate (1)."""
        return TrainingRowCount(self._rows[index], self._learnt[index].unknown)

    def notes(self) -> Iterator[str]:
        if self.left_out:
            yield f"{self.left_out:,} rows are left out because one of the two versions was trained on them."
        elif len(self._learnt) > 1 and any(self._rows):
            yield (
                "Every row of this period was used to train at least one of the two versions, so the figures do not "
                "show which is better on new rows: judge them on a later period."
            )
        for name, learnt in zip(("the version", "the candidate"), self._learnt, strict=False):
            if learnt.unknown and len(self._learnt) > 1:
                yield f"The rows used to train {name} are unknown: {learnt.unknown}"
