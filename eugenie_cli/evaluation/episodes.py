"""Runs the stream's episode machine over arrays of scores."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.episodes.state_machine import AlarmRule, Episode, Event, ScoredRow, close_silent, deadline, step


def replay(
    rule: AlarmRule,
    edges: Ints,
    score: Floats,
    contribution: Floats,
    *,
    values: Floats,
    expected: Floats | None = None,
    version: int = 0,
) -> list[Event]:
    """The events of one asset from its edges [T], score [T] and [T, S] arrays, closed as if all timers had fired.

    Rows that cannot change the state are skipped: rows without a score and, while no anomaly is open, counting or
    cooling down, rows at or below 1.
    """
    scored = np.flatnonzero(~np.isnan(score))
    next_anomalous = _next_true(score[scored] > 1.0)
    blank = np.full(values.shape[1], np.nan)
    episode, events, position = Episode(), [], 0
    while position < len(scored):
        if episode.start is None and episode.cooldown == 0:
            position = int(next_anomalous[position])
            if position == len(scored):
                break
        index = scored[position]
        row = ScoredRow(
            ts=int(edges[index]),
            score=float(score[index]),
            version=version,
            contribution=contribution[index].tolist(),
            expected=(blank if expected is None else expected[index]).tolist(),
            values=values[index].tolist(),
        )
        events += step(rule, episode, row)
        position += 1
    due = deadline(rule, episode)
    if due is not None:
        events += close_silent(rule, episode, due)
    return events


def _next_true(flags: np.ndarray) -> Ints:
    """int [N]: for each position, the first true position at or after it; N if there is none."""
    count = len(flags)
    positions = np.where(flags, np.arange(count), count)
    return np.minimum.accumulate(positions[::-1])[::-1] if count else positions
