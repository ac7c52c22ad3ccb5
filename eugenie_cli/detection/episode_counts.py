"""The episodes that the alarm's state machine would raise on a series of scores, as arrays.

The rules are those of `episodes.state_machine`, except for the cooldown, which can only make episodes fewer: an episode
opens on the `on_delay`-th consecutive row above a level, and ends on the `off_delay`-th consecutive row at or below it
or with a silence. All N rows of a series are scored; `silences` bool [N] marks rows that follow a silence.
"""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.episodes.delays import Delays


def after_silence(rows: Ints, silence_rows: float) -> Bools:
    """bool [N]: rows (their numbers on the grid, int [N]) that begin a series or follow more than `silence_rows`."""
    return np.diff(rows, prepend=-np.inf) > silence_rows


def lowest_of(values: Floats, silences: Bools, rows: int) -> Floats:
    """float [N]: the lowest of the last `rows` values, -inf where a silence interrupts them.

    It exceeds a level where an alarm with that on-delay would be on, or about to open.
    """
    lowest = values.astype(np.float64)
    for shift in range(1, min(rows, len(values))):
        np.minimum(lowest[shift:], values[:-shift], out=lowest[shift:])
    place = np.arange(len(values))
    begun = np.maximum.accumulate(np.where(silences, place, 0)) if len(values) else place
    lowest[place - begun < rows - 1] = -np.inf
    return lowest


def peaks(values: Floats, silences: Bools, level: float, delays: Delays) -> Floats:
    """The peak of each episode above `level`, float [E], in time order: the highest level at which an alarm with that
    on-delay would still have been raised in it."""
    if not len(values):
        return np.zeros(0)
    above = values > level
    starts = np.flatnonzero(silences | np.diff(above, prepend=~above[:1]))
    lengths = np.diff(starts, append=len(values))
    is_end = (~above[starts] & (lengths >= delays.off)) | silences[starts]
    episode = np.repeat(np.cumsum(is_end), lengths)
    lowest = lowest_of(values, silences, delays.on)
    raised = lowest > level
    numbers, which = np.unique(episode[raised], return_inverse=True)
    highest = np.full(len(numbers), -np.inf)
    np.maximum.at(highest, which, lowest[raised])
    return highest


def count(values: Floats, silences: Bools, level: float, delays: Delays) -> int:
    """The number of episodes above `level`."""
    return len(peaks(values, silences, level, delays))
