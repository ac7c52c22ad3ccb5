"""Dates without a time of day among texts with one: midnight, or a total of the day that is no reading.

Spreadsheets and .NET leave out 00:00:00, so such a text is midnight. Reports write totals and means of a day below its
rows, with the date alone: such a row is earlier than the one above it, and is not in the order of the others.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LONE_DATE = (
    "a date without a time of day, which would be midnight, but is out of order here: if it is a total or mean of the"
    " day, it is no reading; leave such rows out, or export midnight with its time"
)
_SHORTER = 4
"""Characters that a time of day has at least, with its separator."""
_MOST_DIGITS = 8


def lone_dates(
    texts: pa.StringArray, keys: NDArray[np.integer], ts: NDArray[np.int64], read: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """bool [N]: dates alone that are not between the instants before and after them.

    `keys` [N]: what each row is about; `ts`, `read` [N]: the instants, and whether they could be read.
    """
    none = np.zeros(len(texts), bool)
    length = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
    alone = read & (length <= length.max(initial=0) - _SHORTER)
    if not alone.any():
        return none
    rows = np.flatnonzero(alone)
    digits = pc.count_substring_regex(texts.take(pa.array(rows)), "[0-9]").to_numpy(zero_copy_only=False)
    alone[rows] = digits <= _MOST_DIGITS
    order = np.argsort(keys[read], kind="stable")
    rows = np.flatnonzero(read)[order]
    instants, about = ts[rows], keys[rows]
    same = about[1:] == about[:-1]
    ahead = np.where(same, np.sign(np.diff(instants)), 0)  # of each row from the one before
    others = ~(alone[rows][1:] | alone[rows][:-1])
    direction = int(np.sign((ahead * others).sum()))
    before = np.concatenate([[0], ahead]) * direction
    after = np.concatenate([ahead, [0]]) * direction
    found = none.copy()
    # at the beginning or end of a block, one neighbour tells
    found[rows] = alone[rows] & (before < 0) & (after >= 0)
    return found
