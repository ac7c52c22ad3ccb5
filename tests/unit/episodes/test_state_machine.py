"""The state machine of episodes, as an operator would describe it. One row per second, two sensors."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.episodes.state_machine import AlarmRule, Episode, ScoredRow, close_silent, deadline, step

STEP = 1_000
RULE = AlarmRule(on_delay=3, off_delay=2, cooldown=0, silence_ms=10 * STEP)
NAN = math.nan


def row(index: int, score: float, share: float = 0.75, version: int = 7) -> ScoredRow:
    return ScoredRow(index * STEP, score, version, (share, 1 - share), (1.0, 2.0), (1.5, NAN))


def run(scores, rule=RULE, episode=None, first=0):
    episode = episode or Episode()
    rows = [row(first + index, score) for index, score in enumerate(scores)]
    return [event for scored in rows for event in step(rule, episode, scored)]


def summary(events):
    return [(event.kind, event.at // STEP, event.reason) for event in events]


def test_opens_after_on_delay_consecutive_anomalous_rows():
    (event,) = run([0.5, 2, 3, 1.5])
    assert event.kind == "open"
    assert (event.start, event.detected, event.at) == (1 * STEP, 3 * STEP, 3 * STEP)
    assert (event.score, event.peak, event.end, event.reason, event.version) == (1.5, 3, None, None, 7)


def test_one_normal_row_restarts_the_count():
    assert run([2, 2, 0.9, 2, 2, 1.0, 2]) == []


def test_unscored_rows_neither_count_nor_reset():
    (event,) = run([2, NAN, 2, NAN, NAN, 2])
    assert (event.start, event.detected) == (0, 5 * STEP)


def test_closes_after_off_delay_normal_rows_and_ends_at_the_first_of_them():
    events = run([2, 2, 2, 0.5, 2, 0.5, 1.0])
    assert summary(events) == [("open", 2, None), ("closed", 6, "recovered")]
    assert (events[-1].end, events[-1].score) == (5 * STEP, 1.0)


def test_an_unscored_row_does_not_interrupt_a_recovery():
    assert summary(run([2, 2, 2, 0.5, NAN, 0.5])) == [("open", 2, None), ("closed", 5, "recovered")]


def test_an_update_reports_a_peak_20_percent_higher_or_a_higher_severity():
    events = run([1.1, 1.1, 1.1, 1.3, 1.4, 1.9, 2.0, 2.1, 2.39, 2.4])
    assert summary(events) == [
        ("open", 2, None), ("update", 4, None), ("update", 5, None),
        ("update", 6, None), ("update", 9, None),
    ]  # fmt: skip
    assert [event.peak for event in events] == [1.1, 1.4, 1.9, 2.0, 2.4]


def test_contributions_are_averaged_over_the_anomalous_rows_only():
    episode = Episode()
    for index, (score, share) in enumerate([(2, 1.0), (2, 0.0), (2, 0.5)]):
        step(RULE, episode, row(index, score, share))
    step(RULE, episode, row(3, 0.1, 1.0))
    (closed,) = step(RULE, episode, row(4, 0.1, 1.0))
    assert closed.contribution == pytest.approx((0.5, 0.5))


def test_rows_are_weighted_by_their_squared_scores():
    episode = Episode()
    events = [event for index, (score, share) in enumerate([(2, 1.0), (2, 1.0), (4, 0.0)])
              for event in step(RULE, episode, row(index, score, share))]  # fmt: skip
    assert events[-1].contribution == pytest.approx((8 / 24, 16 / 24))


def test_silence_closes_at_the_last_scored_row():
    episode = Episode()
    run([2, 2, 2, 5, NAN, NAN], episode=episode)
    due = deadline(RULE, episode)
    assert due == 3 * STEP + RULE.silence_ms + 1
    assert close_silent(RULE, episode, due - 1) == []
    (closed,) = close_silent(RULE, episode, due)
    assert (closed.kind, closed.reason, closed.end, closed.at) == ("closed", "silent", 3 * STEP, due)
    assert (closed.score, closed.peak) == (5, 5)
    assert close_silent(RULE, episode, due + STEP) == []
    assert deadline(RULE, episode) is None


def test_without_an_open_anomaly_no_deadline_exists():
    episode = Episode()
    assert deadline(RULE, episode) is None
    run([2, 2], episode=episode)
    assert deadline(RULE, episode) is None


def test_the_first_row_after_a_silence_closes_the_old_episode_before_counting():
    episode = Episode()
    run([2, 2, 2], episode=episode)
    events = run([2, 2, 2], episode=episode, first=100)
    assert summary(events) == [("closed", 12, "silent"), ("open", 102, None)]
    assert events[1].start == 100 * STEP


def test_a_silence_resets_the_count():
    episode = Episode()
    run([2, 2], episode=episode)
    assert run([2, 2], episode=episode, first=50) == []


def test_nothing_opens_or_counts_during_the_cooldown():
    rule = AlarmRule(on_delay=2, off_delay=1, cooldown=3, silence_ms=RULE.silence_ms)
    events = run([2, 2, 0.5, 2, NAN, 2, 2, 2, 2], rule)
    assert summary(events) == [("open", 1, None), ("closed", 2, "recovered"), ("open", 8, None)]
    assert events[-1].start == 7 * STEP


def test_the_state_of_an_idle_asset_is_two_numbers():
    episode = Episode()
    run([0.5, 0.5], episode=episode)
    assert episode.to_state() == [STEP, 0]


# -- properties ------------------------------------------------------------------------------------------

rules = st.builds(
    AlarmRule, on_delay=st.integers(1, 4), off_delay=st.integers(1, 4), cooldown=st.integers(0, 4),
    silence_ms=st.integers(0, 5).map(lambda steps: steps * STEP),
)  # fmt: skip
gaps = st.sampled_from([1, 1, 1, 2, 7])
scores = st.sampled_from([NAN, 0.2, 1.0, 1.1, 1.5, 3.0, 8.0])
traces = st.lists(st.tuples(gaps, scores, st.floats(0, 1)), max_size=60)


def rows_of(trace):
    index = 0
    for gap, score, share in trace:
        index += gap
        yield row(index, score, share)


def events_of(rule, trace):
    episode = Episode()
    return [event for scored in rows_of(trace) for event in step(rule, episode, scored)]


@pytest.mark.slow
@settings(deadline=None)  # a busy machine is not a failure
@given(rules, traces)
def test_a_state_round_trip_at_every_row_changes_nothing(rule, trace):
    episode, events = Episode(), []
    for scored in rows_of(trace):
        episode = Episode.from_state(json.loads(json.dumps(episode.to_state(), allow_nan=False)))
        events += step(rule, episode, scored)
    assert repr(events) == repr(events_of(rule, trace))  # repr: NaN equals itself


@pytest.mark.slow
@settings(deadline=None)  # a busy machine is not a failure
@given(rules, traces)
def test_events_do_not_depend_on_whether_timers_fire(rule, trace):
    episode, events = Episode(), []
    for scored in rows_of(trace):
        due = deadline(rule, episode)
        if due is not None and due <= scored.ts:
            events += close_silent(rule, episode, due)
        events += step(rule, episode, scored)
    assert repr(events) == repr(events_of(rule, trace))


@settings(deadline=None)  # a busy machine is not a failure
@given(rules, traces)
def test_every_anomaly_opens_once_closes_before_the_next_and_has_ordered_instants(rule, trace):
    open_start, last_at = None, 0
    for event in events_of(rule, trace):
        assert event.start <= event.detected <= event.at
        assert last_at <= event.at
        last_at = event.at
        assert event.peak > 1
        assert sum(event.contribution) == pytest.approx(1)
        if event.kind == "open":
            assert open_start is None
            open_start = event.start
        else:
            assert event.start == open_start
        if event.kind == "closed":
            assert event.detected <= event.end <= event.at
            open_start = None


# -- events show the row of the peak -----------------------------------------------------------------------


def identified_row(index: int, score: float) -> ScoredRow:
    """A row whose values identify it."""
    return ScoredRow(index * STEP, score, 7, (0.75, 0.25), (index + 0.5, NAN), (float(index), NAN))


@pytest.mark.slow
@settings(deadline=None)  # a busy machine is not a failure
@given(rules, traces)
def test_every_event_shows_the_row_of_the_peak_so_far_and_never_a_normal_one(rule, trace):
    episode, rows, index = Episode(), [], 0
    for gap, score, _ in trace:
        index += gap
        rows.append(identified_row(index, score))
        for event in step(rule, episode, rows[-1]):
            anomalous = [row for row in rows if event.start <= row.ts <= (event.end or event.at) and row.score > 1]
            worst = max(anomalous, key=lambda row: row.score)  # the first maximum
            at = worst.ts / STEP
            assert (event.values[0], event.expected[0], event.peak) == (at, at + 0.5, worst.score)


def test_a_closed_anomaly_shows_its_peak_and_not_the_recovery():
    hot, normal = (55.9, 1.0), (46.52, 1.0)
    scored_values = [(2, (50.0, 1.0)), (2, (52.0, 1.0)), (3, hot), (0.4, normal), (0.2, normal)]
    rows = [
        ScoredRow(index * STEP, score, 7, (1.0, 0.0), (46.93, 1.0), values)
        for index, (score, values) in enumerate(scored_values)
    ]
    episode = Episode()
    opened, closed = [event for scored in rows for event in step(RULE, episode, scored)]
    assert (closed.kind, closed.values, closed.score, closed.peak) == ("closed", hot, 0.2, 3)
    assert opened.values == hot


COUNTING = [1_000, 0, 2, 0, 0, 3.0, 13.0, [9.75, 3.25]]
OPEN = [2_000, 0, 0, 0, 0, 3.0, 17.0, [12.75, 4.25], 2_000, 3.0, 2.0, 7, [2.0, None], [2.5, None]]
RECOVERING = [3_000, 0, 1, 3_000, 0, 3.0, 17.0, [12.75, 4.25], 2_000, 3.0, 0.5, 7, [3.0, None], [3.5, None]]
"""States written by the release that stored the last row; the last row of RECOVERING is normal."""


@pytest.mark.parametrize(
    ("state", "next_scores", "value"),
    [
        (COUNTING, [2.0, 0.5, 0.5], 2.0),
        (OPEN, [0.5, 0.5], 2.0),
        (OPEN, [2.5, 0.5, 0.5], 2.0),
        (OPEN, [9.0, 0.5, 0.5], 3.0),
        (RECOVERING, [0.5], NAN),
        (RECOVERING, [1.5, 0.5, 0.5], 4.0),
        (RECOVERING, [9.0, 0.5, 0.5], 4.0),
    ],
)
def test_an_episode_of_an_earlier_release_continues_and_shows_no_normal_row_as_its_peak(state, next_scores, value):
    episode = Episode.from_state(state)
    first = state[0] // STEP + 1
    events = []
    for index, score in enumerate(next_scores):
        episode = Episode.from_state(json.loads(json.dumps(episode.to_state(), allow_nan=False)))
        events += step(RULE, episode, identified_row(first + index, score))
    closed = events[-1]
    assert (closed.kind, closed.start, closed.peak) == ("closed", 0, max(3.0, *next_scores))
    assert repr(closed.values[0]) == repr(value) and len(closed.values) == len(closed.expected) == 2


def test_an_idle_episode_of_an_earlier_release_continues():
    assert Episode.from_state([1_000, 3]).to_state() == [1_000, 3]
