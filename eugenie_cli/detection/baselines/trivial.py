"""What a detector scores that looks at nothing. Any figure must be read beside these."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Floats

ALWAYS = 2.0
"""Any score above 1."""
RATE = 0.5
"""Share of rows that the random detector flags."""


class AllPositive:
    """Flags every row that has a value."""

    fixed = True

    def learn(self, rows: Floats) -> None:
        """Nothing to learn."""

    def measure(self, rows: Floats) -> tuple[Floats, Floats]:
        """See `detector.Statistic.measure`."""
        return _where_present(rows, np.full(len(rows), ALWAYS)), np.full(rows.shape, 1.0 / rows.shape[1])


class Random:
    """Flags every other row by chance, the same ones each time, and blames sensors by chance."""

    fixed = True

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def learn(self, rows: Floats) -> None:
        """Nothing to learn."""

    def measure(self, rows: Floats) -> tuple[Floats, Floats]:
        """See `detector.Statistic.measure`."""
        generator = np.random.default_rng(self._seed)
        score = generator.random((len(rows),)) / (1.0 - RATE)
        parts: Floats = np.asarray(generator.random(rows.shape))
        return _where_present(rows, np.asarray(score)), parts / parts.sum(axis=1, keepdims=True)


def _where_present(rows: Floats, score: Floats) -> Floats:
    return np.where(np.isnan(rows).all(axis=1), np.nan, score)
