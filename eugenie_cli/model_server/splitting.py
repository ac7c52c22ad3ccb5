"""Splits a request into pieces of a run's size, and joins their outputs. Pure functions.

A request is split along its batch, and also along its rows if one segment is longer than a run: a score depends only on
the last M rows, so pieces that overlap by M - 1 rows give the same scores as the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Arrays = Mapping[str, np.ndarray]

ROWS = "rows"
"""The input that holds segments: [B, L, S]."""


@dataclass(frozen=True)
class Cut:
    """The pieces of a request, in order, and the windows of each. `row_pieces`: pieces per item; 0: rows stay whole."""

    pieces: Sequence[Arrays]
    windows: list[int]
    row_pieces: int = 0

    def joined(self, answers: Sequence[Arrays]) -> Arrays:
        """The outputs of the whole request, from those of its pieces."""
        if len(answers) == 1:
            return answers[0]
        if not self.row_pieces:
            return join(answers)
        per_item = [answers[at : at + self.row_pieces] for at in range(0, len(answers), self.row_pieces)]
        return join([join(outputs, axis=1) for outputs in per_item])


def cut(inputs: Arrays, windows_per_item: int, most: int, window: int | None) -> Cut:
    """Pieces of at most `most` windows, or of one item. `window`: M if the rows of segments may be split, or None."""
    items = size(inputs)
    if items and windows_per_item > most and window is not None:
        parts = -(-windows_per_item // most)
        bounds = [windows_per_item * part // parts for part in range(parts + 1)]
        pieces = [
            {
                name: array[item : item + 1, begin : end + window - 1] if name == ROWS else array[item : item + 1]
                for name, array in inputs.items()
            }
            for item in range(items)
            for begin, end in pairwise(bounds)
        ]
        return Cut(pieces, [end - begin for begin, end in pairwise(bounds)] * items, parts)
    together = max(1, most // windows_per_item)
    if items <= together:
        return Cut([inputs], [windows_per_item * max(1, items)])
    pieces = [{name: array[at : at + together] for name, array in inputs.items()} for at in range(0, items, together)]
    return Cut(pieces, [windows_per_item * size(piece) for piece in pieces])


def size(arrays: Arrays) -> int:
    """Number of items in the batch; 1 for arrays without a batch dimension."""
    first = next(iter(arrays.values()))
    return len(first) if first.ndim else 1


def memory(arrays: Arrays) -> int:
    """Bytes that a waiting request holds."""
    return sum(
        sum(map(len, array.ravel().tolist())) + array.nbytes if array.dtype.kind == "O" else array.nbytes
        for array in arrays.values()
    )


def join(parts: Sequence[Arrays], axis: int = 0) -> Arrays:
    """Concatenate the arrays of each name along `axis`."""
    return {name: np.concatenate([part[name] for part in parts], axis) for name in parts[0]}
