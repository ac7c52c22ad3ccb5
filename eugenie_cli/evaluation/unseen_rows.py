"""The rows by which versions are judged: those that none of them learnt from, where the period has any."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eugenie_cli.detection.arrays import Bools
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.evaluation.judged_rows import judged_rows
from eugenie_cli.evaluation.training_rows import TrainingRowCount, learnt_by, leaves_something
from eugenie_cli.site.schema import Site


class UnseenRows:
    """Which rows the versions of an evaluation learnt from, and so which are judged."""

    def __init__(
        self, site: Site, class_name: str, start_ms: int | None, end_ms: int | None, *versions: str | int | None
    ) -> None:
        self._site = site
        self._learnt = [learnt_by(site, class_name, one) for one in versions if one is not None]
        self._rows = [0] * len(self._learnt)
        self._apart = len(self._learnt) > 1 and leaves_something(site, class_name, start_ms, end_ms, self._learnt)
        self.left_out = 0

    def judged(self, one: Backtest) -> Bools:
        """bool [T]; asked once of each asset."""
        whole = judged_rows(self._site.assets[one.asset], one)
        learnt = [each.among(one.asset, one.edges) for each in self._learnt]
        judged = whole & ~np.any(learnt, axis=0) if self._apart else whole
        self.left_out += int(np.count_nonzero(whole)) - int(np.count_nonzero(judged))
        for place, own in enumerate(learnt):
            self._rows[place] += int(np.count_nonzero(judged & own))
        return judged

    def count(self, place: int) -> TrainingRowCount:
        """Of the judged rows, by the version (0) or the candidate (1)."""
        return TrainingRowCount(self._rows[place], self._learnt[place].unknown)

    def notes(self) -> Iterator[str]:
        if self.left_out:
            yield f"{self.left_out:,} rows are left out, because one of the two versions learnt from them."
        elif len(self._learnt) > 1 and any(self._rows):
            yield (
                "Every row of this period was learnt by one of the two versions, so nothing here says which is better "
                "on new rows: judge them on a later period."
            )
        for which, learnt in zip(("the version", "the candidate"), self._learnt, strict=False):
            if learnt.unknown and len(self._learnt) > 1:
                yield f"Which rows {which} learnt from is not known: {learnt.unknown}"
