"""Episodes of a series, counted in arrays, are those of the state machine."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eugenie_cli.detection.episode_counts import after_silence, count, lowest_of, peaks
from eugenie_cli.episodes.delays import Delays
from eugenie_cli.episodes.state_machine import AlarmRule
from eugenie_cli.evaluation.episodes import replay

STEP = 1_000
SILENCE_ROWS = 4

scores = st.lists(st.sampled_from([0.5, 0.9, 1.1, 1.5, 2.0, np.nan]), max_size=60)


def opened(values: list[float], on_delay: int, off_delay: int, level: float = 1.0) -> int:
    """Episodes that the state machine raises."""
    score = np.array(values) / level
    rule = AlarmRule(on_delay, off_delay, cooldown=0, silence_ms=SILENCE_ROWS * STEP)
    blank = np.zeros((len(score), 1))
    events = replay(rule, np.arange(len(score)) * STEP, score, blank, values=blank)
    return sum(event.kind == "open" for event in events)


@given(scores, st.integers(1, 6), st.integers(1, 6))
def test_they_are_those_of_the_state_machine(values: list[float], on_delay: int, off_delay: int) -> None:
    rows = np.flatnonzero(np.isfinite(values))
    kept = np.array(values, float)[rows]
    assert count(kept, after_silence(rows, SILENCE_ROWS), 1.0, Delays(on_delay, off_delay)) == opened(
        values, on_delay, off_delay
    )


@given(scores, st.integers(1, 6), st.integers(1, 6))
def test_an_episode_has_the_peak_up_to_which_it_would_have_been_raised(
    values: list[float], on_delay: int, off_delay: int
) -> None:
    rows = np.flatnonzero(np.isfinite(values))
    kept, silences = np.array(values, float)[rows], after_silence(rows, SILENCE_ROWS)
    highest = peaks(kept, silences, 1.0, Delays(on_delay, off_delay))
    if len(highest):
        assert (highest > 1.0).all()
        assert opened(values, on_delay, off_delay, level=float(highest.max())) == 0
        assert opened(values, on_delay, off_delay, level=float(highest.max()) * (1 - 1e-9)) > 0


def test_the_lowest_of_the_last_rows_does_not_reach_across_a_silence() -> None:
    values, silences = np.array([3.0, 2, 4, 5, 1]), np.array([True, False, False, True, False])
    assert lowest_of(values, silences, 2).tolist() == [-np.inf, 2, 2, -np.inf, 1]


def test_no_row_is_no_episode() -> None:
    none = np.zeros(0)
    assert count(none, after_silence(none, SILENCE_ROWS), 1.0, Delays(1, 1)) == 0
