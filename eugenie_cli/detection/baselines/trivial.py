"""Detectors that ignore the data: reference points for every figure."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Floats

ALWAYS = 2.0
"""Any score above 1."""
RATE = 0.5
"""Share of rows that the random detector flags."""
SEED = 0


def all_positive(rows: Floats) -> tuple[Floats, Floats]:
    """Flags every row that has a value. See `detector.Judge`."""
    return _where_present(rows, np.full(len(rows), ALWAYS)), np.full(rows.shape, 1.0 / rows.shape[1])


def random(rows: Floats) -> tuple[Floats, Floats]:
    """Flags half of the rows at random, the same ones each time, and blames sensors at random. See `detector.Judge`."""
    generator = np.random.default_rng(SEED)
    score = generator.random((len(rows),)) / (1.0 - RATE)
    parts: Floats = np.asarray(generator.random(rows.shape))
    return _where_present(rows, np.asarray(score)), parts / parts.sum(axis=1, keepdims=True)


def _where_present(rows: Floats, score: Floats) -> Floats:
    return np.where(np.isnan(rows).all(axis=1), np.nan, score)
