"""Listened time: what counts as the silence of an asset, and what does not."""

from __future__ import annotations

import pytest

from eugenie_cli.flink_job.listening import CONFIRMED_MS, PAUSE_DIVISOR, PROMPT_MS, Listening

IDLE, SILENT = 10_000, 300_000


def listening(partitions: int = 2) -> Listening:
    return Listening(partitions, IDLE, SILENT)


@pytest.mark.parametrize("every_ms", [20, 500, 1_000, 2_500])
def test_it_follows_the_wall_clock_while_all_partitions_are_heard(every_ms):
    clock = listening()
    for wall in range(0, 60_000, every_ms):
        clock.hear([0, 1], wall)
    assert wall - clock.now == max(0, every_ms - PROMPT_MS)


@pytest.mark.parametrize("pause_s", [1, 3, 30, 86_400])
def test_a_pause_of_all_partitions_counts_as_a_fraction_of_the_idle_time_out_and_afterwards(pause_s):
    clock = listening()
    clock.hear([0, 1], 0)
    pause = 1_000 * pause_s
    for passed in range(0, 10_000, 20):
        clock.hear([0, 1], pause + passed)
        assert clock.now == passed + min(PROMPT_MS + passed, IDLE / PAUSE_DIVISOR, pause)


def test_it_waits_for_a_partition_until_that_is_idle():
    clock = listening()
    clock.hear([0, 1], 0)
    for wall in range(500, 10_001, 500):
        clock.hear([0], wall)
        assert clock.now == 0
    clock.hear([0], 10_500)
    assert clock.now == 10_500
    clock.hear([1], 11_000)
    assert clock.now == 11_000 - 500  # partition 0 was heard half a second ago
    clock.hear([0, 1], 11_500)
    assert clock.now == 11_500


def test_it_does_not_start_before_every_partition_was_heard_or_is_idle():
    clock = listening(3)
    for wall in range(0, 10_000, 500):
        clock.hear([0, 1], wall)
        assert clock.now == 0
    clock.hear([2], 10_000)
    assert clock.now == 9_500
    alone = listening(3)
    for wall in range(0, 11_001, 500):
        alone.hear([0], wall)
    assert alone.now == 11_000


def test_a_rare_partition_delays_it_and_never_stops_it():
    clock, lags = listening(), []
    for second in range(300):
        clock.hear([0, 1] if second % 7 == 0 else [0], 1_000 * second)
        lags.append(1_000 * second - clock.now)
    assert max(lags) == 6_000 + PROMPT_MS


def test_it_never_decreases_when_the_wall_clock_is_set_back():
    clock = listening(1)
    for wall in (3_600_000, 3_600_500, 0, 500):
        clock.hear([0], wall)
    assert clock.now == 1_000


def test_the_plant_is_silent_when_no_partition_sends():
    clock = listening()
    assert not clock.is_plant_silent(10**12)  # nothing has been heard yet: it may be starting
    clock.hear([0], 5_000)
    assert not clock.is_plant_silent(5_000 + SILENT)  # the job may have been held up: it is still at work
    clock.done(900_000)
    assert not clock.is_plant_silent(900_000 + SILENT - 1) and not clock.is_in_doubt
    assert not clock.is_plant_silent(900_000 + SILENT) and clock.is_in_doubt
    assert not clock.is_plant_silent(900_000 + SILENT + CONFIRMED_MS - 1)
    assert clock.is_plant_silent(900_000 + SILENT + CONFIRMED_MS) and not clock.is_in_doubt
    clock.done(900_000 + SILENT + CONFIRMED_MS)
    assert not clock.is_plant_silent(900_000 + SILENT + CONFIRMED_MS + 1)


@pytest.mark.parametrize("leap_ms", [SILENT, 86_400_000, -86_400_000])
def test_a_leap_of_the_machines_clock_is_no_silence_of_the_plant(leap_ms):
    """Nor is a machine that stood still: what has arrived meanwhile is read at once."""
    clock = listening()
    clock.hear([0], 86_400_000)
    clock.done(86_400_000)
    now = 86_400_000 + leap_ms
    assert not any(clock.is_plant_silent(now + ms) for ms in range(0, CONFIRMED_MS, 1_000))
    clock.hear([0], now + 20_000)
    clock.done(now + 20_000)
    assert not clock.is_plant_silent(now + SILENT)
    assert not clock.is_plant_silent(now + 20_000 + SILENT)
    assert clock.is_plant_silent(now + 20_000 + SILENT + CONFIRMED_MS)
