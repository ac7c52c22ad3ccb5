"""Texts of one length as a matrix of characters: position by position, each a contiguous row of bytes.

Reading such a matrix is three times as fast as reading text by text. Texts longer than `LONGEST_TEXT` are in no
block. Non-ASCII texts are in no block either, or match no layout: both are left to the scalar rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LONGEST_TEXT = 80
"""Characters: JavaScript's timestamps have 63; a longer text is not worth a column of the matrix."""

SAMPLE, SHORTEST_RUN = 256, 4
"""Neighbours that are compared, and how many texts a run must have among them, before runs are looked for."""

Blocks = Iterator[tuple["NDArray[np.int64] | None", "NDArray[np.uint8]"]]
"""(rows int64 [n], characters uint8 [length, n]) of the texts of each length; rows None: all N texts."""


def blocks_of_members(texts: Sequence[str]) -> Blocks:
    """The blocks of N texts; an empty text is in none."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    if not len(texts) or not lengths.any():
        return
    joined = "".join(texts) if lengths.max() <= LONGEST_TEXT else None
    if joined is None or not joined.isascii():
        texts = [text if len(text) <= LONGEST_TEXT and text.isascii() else "" for text in texts]
        yield from blocks_of_members(texts)
        return
    if (lengths == lengths[0]).all():
        matrix = np.frombuffer(joined.encode("ascii"), np.uint8).reshape(len(texts), lengths[0])
        yield None, np.ascontiguousarray(matrix.T)
        return
    matrix = np.array(texts, f"S{lengths.max()}").view(np.uint8).reshape(len(texts), -1)
    for length, rows in _rows_by_length(lengths):
        yield rows, np.ascontiguousarray(matrix[rows, :length].T)


def blocks_of_column(texts: pa.StringArray) -> Blocks:
    """The blocks of an Arrow column; a null is in none."""
    if not len(texts):
        return
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    buffer = texts.buffers()[2]
    characters = np.frombuffer(buffer, np.uint8) if buffer is not None else np.zeros(0, np.uint8)
    lengths = np.diff(offsets)
    if 0 < lengths[0] <= LONGEST_TEXT and (lengths == lengths[0]).all():
        matrix = characters[offsets[0] : offsets[-1]].reshape(len(texts), lengths[0])
        yield None, np.ascontiguousarray(matrix.T)
        return
    for length, rows in _rows_by_length(lengths):
        yield rows, characters[np.arange(length)[:, None] + offsets[rows]]


def has_runs(texts: pa.StringArray) -> bool:
    """Whether most texts equal the one before, judging by a few; false where there are nulls."""
    count = len(texts)
    if count < 2 * SAMPLE or texts.null_count:
        return False
    middle = texts.slice(count // 2, SAMPLE)
    changes = pc.not_equal(middle.slice(1), middle.slice(0, SAMPLE - 1))
    return changes.true_count * SHORTEST_RUN <= SAMPLE


def run_starts(texts: pa.StringArray) -> NDArray[np.int64] | None:
    """Where each run of equal texts begins, from 0; None if their lengths differ. There are no nulls."""
    count = len(texts)
    _, places, buffer = texts.buffers()
    offsets = np.frombuffer(places, np.int32, count + 1, 4 * texts.offset)
    begin, length = int(offsets[0]), int(offsets[1] - offsets[0])
    if not 0 < length <= LONGEST_TEXT or not bool((np.diff(offsets) == length).all()):
        return None
    characters = np.frombuffer(buffer, np.uint8, count * length, begin)
    differ = np.zeros(-(-len(characters) // 8) * 8, bool)
    np.not_equal(characters[length:], characters[:-length], out=differ[: len(characters) - length])
    words = np.flatnonzero(differ.view(np.int64) != 0)  # eight characters at a time: nearly all are equal
    word, place = np.nonzero(differ.reshape(-1, 8)[words])
    rows = (words[word] * 8 + place) // length + 1
    return np.concatenate([[0], rows[:1], rows[1:][rows[1:] != rows[:-1]]])


def _rows_by_length(lengths: NDArray[np.integer]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    counts = np.bincount(np.minimum(lengths, LONGEST_TEXT + 1), minlength=LONGEST_TEXT + 2)
    for length in np.flatnonzero(counts[: LONGEST_TEXT + 1]).tolist():
        if length:
            yield length, np.flatnonzero(lengths == length)
