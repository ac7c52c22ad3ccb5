"""Columns as indices into their distinct texts, so that each name or code is processed once, not once per record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

LARGEST_TABLE = 1 << 20
"""The largest number of combinations for which a table is used; above, the column is sorted."""

Coded = tuple[list[Any], "NDArray[np.int64]"]
"""D distinct values, and the index int64 [N] of each record's."""


def distinct(column: pa.Array) -> Coded:
    """A column's distinct values, unchanged; if it has nulls, None is the first."""
    if pa.types.is_string(column.type) and (same := _only_text(column)) is not None:
        return [same], np.zeros(len(column), np.int64)
    encoded = column.dictionary_encode()
    values, codes = encoded.dictionary.to_pylist(), encoded.indices
    if codes.null_count:
        return [None, *values], codes.fill_null(-1).to_numpy().astype(np.int64) + 1
    return values, codes.to_numpy().astype(np.int64)


def _only_text(column: pa.StringArray) -> str | None:
    """The text of a column in which all are the same, such as the asset of an export; else None."""
    count = len(column)
    if count < 2 or column.null_count or column[0] != column[count - 1]:
        return None
    _, places, characters = column.buffers()
    starts = np.frombuffer(places, np.int32, count + 1, 4 * column.offset)
    first, length = int(starts[0]), int(starts[1] - starts[0])
    if int(starts[-1]) - first != count * length or not bool((np.diff(starts) == length).all()):
        return None
    if length:
        texts = np.frombuffer(characters, np.uint8, count * length, first).reshape(count, length)
        if not bool((texts == texts[0]).all()):
            return None
    return str(column[0].as_py())


def combined(columns: Sequence[Coded]) -> tuple[list[tuple[Any, ...]], NDArray[np.int64]]:
    """Several columns -> the C combinations of values that occur, and the index int64 [N] of each record's."""
    size = 1
    code = np.zeros(len(columns[0][1]), np.int64)
    for values, codes in columns:
        size *= len(values)
        code = code * len(values) + codes
    if size <= LARGEST_TABLE:
        present = np.flatnonzero(np.bincount(code, minlength=1))
        places = np.zeros(size, np.int64)
        places[present] = np.arange(len(present))
        index = places[code]
    else:
        present, index = np.unique(code, return_inverse=True)
    combinations = []
    for rest in present.tolist():
        combination = []
        for values, _ in reversed(columns):
            rest, place = divmod(rest, len(values))
            combination.append(values[place])
        combinations.append(tuple(reversed(combination)))
    return combinations, index
