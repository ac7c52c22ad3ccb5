"""The newest instant of an asset that counts: a single leap needs a second reading, gaps and set clocks have one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.flink_job.instants import NEVER
from eugenie_cli.flink_job.newest_instants import NewestInstants

BOUND = 2_000


def that_counts(instants: list[int]) -> int:
    """Of readings in this order, by the definition."""
    largest, is_leap = NEVER, True
    for ts in instants:
        if ts // 1_000 > largest // 1_000:
            is_leap = ts - largest > BOUND
        largest = max(largest, ts)
    second = max((ts for ts in instants if ts // 1_000 < largest // 1_000), default=NEVER)
    return second if is_leap else largest


instants = st.one_of(st.integers(0, 20_000), st.sampled_from([0, 946_684_800_000, 1_790_000_000_000]))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), instants), max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_it_depends_on_the_order_of_the_readings_of_the_asset_only(sent, cuts):
    newest = NewestInstants(3, BOUND)
    bounds = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    for begin, end in itertools.pairwise(bounds):
        asset, ts = (np.array(column, np.int64) for column in zip(*sent[begin:end], strict=True))
        expected = [
            that_counts([ts for name, ts in sent[:number] if name == sent[number][0]]) for number in range(begin, end)
        ]
        assert newest.before(asset, ts).tolist() == expected
        after = newest.after(asset, ts).tolist()
        newest.hear(asset, ts, float(end))
        assert newest.supported.tolist() == after
        assert after == [that_counts([ts for name, ts in sent[:end] if name == asset]) for asset in range(3)]


@pytest.mark.parametrize(
    ("seconds", "newest"),
    [
        pytest.param([7], 7, id="a single reading"),
        pytest.param([0, 1, 2, 52], 2, id="a leap"),
        pytest.param([0, 1, 2, 52, 52.2, 52.9], 2, id="a leap of several sensors, in one second"),
        pytest.param([0, 1, 2, 52, 3, 4, 5], 5, id="the right readings after it"),
        pytest.param([52, 0, 1], 1, id="the first reading"),
        pytest.param([0, 1, 2, 52, 53], 53, id="a clock that was set forward, or a gap"),
        pytest.param([0, 10, 20, 30], 20, id="readings far apart"),
        pytest.param([0, 1, 2, 52, *range(3, 52)], 51, id="a leap that has nearly been reached"),
        pytest.param([0, 1, 2, 52, *range(3, 56)], 55, id="what has been overtaken"),
        pytest.param([2_000, 2_001, 10**9, 10**9 + 1], 10**9 + 1, id="decades"),
    ],
)
def test_which_one_counts(seconds, newest):
    known = NewestInstants(1, BOUND)
    for at, second in enumerate(seconds):
        known.hear(np.array([0]), np.array([int(second * 1_000)]), float(at))
    assert known.newest.tolist() == [newest * 1_000]
    assert known.heard.tolist() == [seconds.index(newest)] and known.last_heard.tolist() == [len(seconds) - 1]


def test_it_is_taken_over_also_from_a_state_that_has_only_the_newest_one():
    known, later = NewestInstants(3, BOUND), NewestInstants(2, BOUND)
    known.hear(np.array([0, 0, 1]), np.array([1_000, 60_000, 5_000]), 0.0)
    both, positions, assets = np.array([0, 1]), np.array([1, 0]), np.array([0, 1])
    later.restore(known.state(both), positions, assets)
    assert (later.newest.tolist(), later.largest.tolist()) == ([5_000, 1_000], [5_000, 60_000])
    later.restore({"newest": np.array([9_000, 8_000])}, positions, assets)
    assert later.supported.tolist() == [8_000, 9_000]
