"""Scores any number of rows of an asset with a scoring graph, a segment at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from eugenie_cli.detection.arrays import Floats

SEGMENT_ROWS = 4096
"""Rows scored in one call: hours at a step of seconds; the response is a few MB."""

Predict = Callable[[str, Floats], Mapping[str, Any]]
"""(asset, rows float32 [1, L, S]) -> the outputs of the signature `serving_default`."""


class RowScores(NamedTuple):
    """T rows: score [T] (NaN: not scored), contribution [T, S], expected [T, S] in engineering units."""

    score: Floats
    contribution: Floats
    expected: Floats


def score_rows(
    predict: Predict, window: int, asset: str, rows: Floats, advance: Callable[[float], None] = lambda _: None
) -> RowScores:
    """Score every row of `rows` float32 [T, S], grid rows of `asset` in time order. Gaps may be shortened to
    `window` - 1 rows.

    Rows before the first one count as missing, as they do in the stream. Segments overlap by `window` - 1 rows, so the
    result does not depend on where they are cut.
    """
    before = window - 1
    padded = np.concatenate([np.full((before, rows.shape[1]), np.nan, np.float32), rows.astype(np.float32)])
    score = np.full(len(rows), np.nan, np.float32)
    contribution = np.zeros(rows.shape, np.float32)
    expected = np.full(rows.shape, np.nan, np.float32)
    for first in range(0, len(rows), SEGMENT_ROWS):
        last = min(first + SEGMENT_ROWS, len(rows))
        if not np.isnan(rows[first:last]).all():  # no row of a long gap can have a score
            response = predict(asset, padded[None, first : last + before])
            score[first:last] = response["score"].numpy()[0]
            contribution[first:last] = response["contribution"].numpy()[0]
            expected[first:last] = response["expected"].numpy()[0]
        advance(last - first)
    return RowScores(score, contribution, expected)
