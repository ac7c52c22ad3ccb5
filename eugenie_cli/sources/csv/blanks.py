"""Columns that are separated by any number of blanks -> columns that are separated by tabs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLANK, _TAB, _QUOTE = b' \t"'


def tabbed(data: bytes) -> bytes:
    """Each run of blanks and tabs as one tab; none at the edges of a line. Runs in quotes are kept as they are.

    The data may end within a line, so a run at its end is kept, as one tab.
    """
    codes = np.frombuffer(data, np.uint8)
    blank = (codes == _BLANK) | (codes == _TAB)
    line_end = (codes == ord("\n")) | (codes == ord("\r"))
    if b'"' in data:
        blank &= ~_quoted(codes == _QUOTE, line_end)
    before = np.ones(len(codes), bool)  # whether the byte continues a run or begins a line
    before[1:] = blank[:-1] | line_end[:-1]
    after = np.zeros(len(codes), bool)
    after[:-1] = line_end[1:]
    result = np.where(blank, np.uint8(_TAB), codes)
    kept = ~(blank & before)
    first = np.flatnonzero(blank & ~before)  # the first blank of each run: dropped where the run ends the line
    if len(first):
        last = np.flatnonzero(blank & ~np.append(blank[1:], False))
        last = last[np.searchsorted(last, first)]
        kept[first[after[last]]] = False
    return result[kept].tobytes()


def _quoted(quote: NDArray[np.bool_], line_end: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool [bytes]: whether a byte is inside quotes; a quote that is not closed ends with its line."""
    count = np.cumsum(quote)
    at_start = np.maximum.accumulate(np.where(np.append(True, line_end[:-1]), count - quote, 0))
    return np.asarray((count - at_start) % 2 == 1)
