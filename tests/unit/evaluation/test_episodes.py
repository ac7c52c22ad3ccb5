"""Replaying arrays gives the same events as the stream's row-by-row machine, only faster."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.episodes.state_machine import AlarmRule, Episode, ScoredRow, close_silent, deadline, step
from eugenie_cli.evaluation.episodes import replay

scores = st.sampled_from([math.nan, math.nan, 0.2, 0.2, 0.5, 1.0, 1.1, 3.0, 8.0])


def row_by_row(rule, edges, score, contribution, values, expected):
    episode, events = Episode(), []
    for index, ts in enumerate(edges):
        row = ScoredRow(
            int(ts), float(score[index]), 3, *(array[index].tolist() for array in (contribution, expected, values))
        )
        events += step(rule, episode, row)
    due = deadline(rule, episode)
    return events + (close_silent(rule, episode, due) if due is not None else [])


@settings(deadline=None)  # a busy machine is no failure
@given(
    rule=st.builds(
        AlarmRule,
        on_delay=st.integers(1, 3),
        off_delay=st.integers(1, 3),
        cooldown=st.integers(0, 4),
        silence_ms=st.integers(0, 4).map(lambda rows: rows * 1000),
    ),
    score=st.lists(scores, max_size=80),
)
def test_arrays_give_the_events_of_the_row_by_row_machine(rule, score):
    generator = np.random.default_rng(0)
    edges = np.arange(len(score), dtype=np.int64) * 1000
    contribution, values, expected = generator.random((3, len(score), 2)).astype(np.float32)
    score = np.array(score, np.float32)
    events = replay(rule, edges, score, contribution, values=values, expected=expected, version=3)
    assert events == row_by_row(rule, edges, score, contribution, values, expected)


def test_an_anomaly_that_is_still_on_at_the_end_is_closed_by_its_silence():
    rule = AlarmRule(on_delay=1, off_delay=3, cooldown=0, silence_ms=5_000)
    ones = np.ones((4, 1), np.float32)
    events = replay(rule, np.arange(4) * 1000, np.array([0.5, 2, 2, 0.5], np.float32), ones, values=ones)
    assert [(event.kind, event.reason) for event in events] == [("open", None), ("closed", "silent")]
    assert events[-1].end == 3000


def test_history_without_any_row_has_no_events():
    nothing = np.zeros((0, 2), np.float32)
    rule = AlarmRule(1, 1, 0, 1000)
    assert replay(rule, np.zeros(0, np.int64), np.zeros(0, np.float32), nothing, values=nothing) == []
