"""Usual delays, and which rows are delayed."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.flink_job.arrival_delays import DELAYED_MS, EPOCH_MS, ArrivalDelays
from eugenie_cli.flink_job.instants import FOREVER, NEVER

START = 1_767_225_600_000


def heard(delays: ArrivalDelays, seconds: range, delay_ms: int) -> None:
    """A reading of asset 0 per second, each `delay_ms` after its instant."""
    ts = START + 1_000 * np.array(seconds)
    for instant in ts:
        delays.hear(np.zeros(1, np.int64), np.array([instant]), np.array([instant + delay_ms]))


@pytest.mark.parametrize("delay_ms", [-20_000, 0, 300, 45_000, 7_200_000, 8 * 10**11])
def test_the_usual_delay_is_known_at_once(delay_ms):
    delays = ArrivalDelays(2)
    heard(delays, range(100), delay_ms)
    assert delays.usual().tolist() == [delay_ms, FOREVER] and delays.delayed_until.tolist() == [NEVER, NEVER]


def test_a_corrected_clock_is_known_within_two_periods():
    delays = ArrivalDelays(1)
    heard(delays, range(100), -20_000)
    heard(delays, range(100, 100 + 2 * EPOCH_MS // 1_000), 100)
    assert delays.usual().tolist() == [100]


def test_stored_readings_are_delayed_up_to_the_last_one_that_is_late():
    delays = ArrivalDelays(1)
    heard(delays, range(100), 200)
    back = START + 7_200_000
    ts = START + 1_000 * np.arange(100, 7_200)
    delays.hear(np.zeros(len(ts), np.int64), ts, np.full(len(ts), back))
    last = int(delays.delayed_until[0])
    assert back - DELAYED_MS - 1_200 <= last <= back - DELAYED_MS
    heard(delays, range(7_201, 7_300), 200)
    assert delays.delayed_until.tolist() == [last] and delays.usual().tolist() == [200]


def test_nothing_is_delayed_in_a_replay():
    delays, year = ArrivalDelays(1), 31_536_000_000
    heard(delays, range(100), year)
    heard(delays, range(100, 200), year + 10 * DELAYED_MS)
    assert delays.delayed_until.tolist() == [NEVER]


def test_the_state_is_taken_over_asset_by_asset():
    delays = ArrivalDelays(2)
    heard(delays, range(100), 500)
    later = ArrivalDelays(3)
    later.restore(delays.state(np.array([0])), np.array([0]), np.array([2]))
    assert later.usual().tolist() == [FOREVER, FOREVER, 500]
