"""Columns as indices into their distinct texts, so that each name or code is processed once, not once per record."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

LARGEST_TABLE = 1 << 20
"""The largest number of combinations for which a table is used; above, the column is sorted."""

LONGEST_CYCLE = 1024
"""The largest number of rows after which a column of texts is tried to begin again."""

Coded = tuple[list[Any], "NDArray[np.int64]"]
"""D distinct values, and the index int64 [N] of each record's."""


def distinct(column: pa.Array) -> Coded:
    """A column's distinct values, unchanged; if it has nulls, None is the first."""
    if pa.types.is_string(column.type) and (repeating := _repeating(column)) is not None:
        return repeating
    encoded = column.dictionary_encode()
    values, codes = encoded.dictionary.to_pylist(), encoded.indices
    if codes.null_count:
        return [None, *values], codes.fill_null(-1).to_numpy().astype(np.int64) + 1
    return values, codes.to_numpy().astype(np.int64)


def _repeating(column: pa.StringArray) -> Coded | None:
    """The distinct values of texts that come in the same order again and again, such as the tags of an export by time,
    or that are all the same, such as its asset; None for others.
    """
    count = len(column)
    if count < 2 or column.null_count:
        return None
    head = column.slice(0, LONGEST_CYCLE + 1).dictionary_encode()
    codes = head.indices.to_numpy().astype(np.int64)
    again = np.flatnonzero(codes[1:] == codes[0])
    if not len(again):
        return None
    period = int(again[0]) + 1
    if not np.array_equal(codes[period:], codes[:-period]) or not _repeats(column, period):
        return None
    whole = np.tile(codes[:period], -(-count // period)) if period > 1 else np.zeros(count, np.int64)
    return head.dictionary.to_pylist(), whole[:count]


def _repeats(column: pa.StringArray, period: int) -> bool:
    """Whether each text without the first `period` is the one that many before it."""
    _, places, characters = column.buffers()
    starts = np.frombuffer(places, np.int32, len(column) + 1, 4 * column.offset)
    begin, end = int(starts[0]), int(starts[-1])
    length = int(starts[period]) - begin
    if not bool((starts[period:] - starts[:-period] == length).all()):
        return False
    if not length:
        return True
    texts = np.frombuffer(characters, np.uint8, end - begin, begin)
    return np.array_equal(texts[length:], texts[:-length])


def combined(columns: Sequence[Coded]) -> tuple[list[tuple[Any, ...]], NDArray[np.int64]]:
    """Several columns -> the C combinations of values that occur, and the index int64 [N] of each record's."""
    several = [column for column in columns if len(column[0]) != 1]
    if len(several) <= 1 and all(values for values, _ in columns):
        _, codes = several[0] if several else columns[0]
        return list(product(*(values for values, _ in columns))), codes
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
