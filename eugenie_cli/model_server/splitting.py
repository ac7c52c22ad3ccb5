"""A request is cut into pieces of a run's size, and their answers are put together again. Pure.

It is cut along its batch, and where one segment is longer than a run, along its rows too: a score depends on the last M
rows alone, so pieces that overlap by M - 1 rows give what the whole gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Arrays = Mapping[str, np.ndarray]

ROWS = "rows"
"""The input that has segments: [B, L, S]."""


@dataclass(frozen=True)
class Cut:
    """The pieces of a request, in order. `windows`: of each. `row_pieces`: of each item, 0 where rows are not cut."""

    pieces: Sequence[Arrays]
    windows: list[int]
    row_pieces: int = 0

    def joined(self, answers: Sequence[Arrays]) -> Arrays:
        """The whole request's outputs from those of its pieces."""
        if len(answers) == 1:
            return answers[0]
        if not self.row_pieces:
            return join(answers)
        per_item = [answers[at : at + self.row_pieces] for at in range(0, len(answers), self.row_pieces)]
        return join([join(each, axis=1) for each in per_item])


def cut(inputs: Arrays, windows_per_item: int, most: int, window: int | None) -> Cut:
    """Pieces of at most `most` windows, or of one item. `window`: M of segments whose rows may be cut, or None."""
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
    """Items of the batch; 1 where there is none."""
    first = next(iter(arrays.values()))
    return len(first) if first.ndim else 1


def memory(arrays: Arrays) -> int:
    """Bytes that a request keeps while it waits."""
    return sum(
        sum(map(len, array.ravel().tolist())) + array.nbytes if array.dtype.kind == "O" else array.nbytes
        for array in arrays.values()
    )


def join(parts: Sequence[Arrays], axis: int = 0) -> Arrays:
    """One after the other."""
    return {name: np.concatenate([part[name] for part in parts], axis) for name in parts[0]}
