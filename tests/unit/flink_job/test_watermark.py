"""Event time of several sources: nobody is waited for without end, and nobody is left behind whose readings come."""

from __future__ import annotations

import numpy as np
import pytest

from eugenie_cli.flink_job.watermark import DECODERS_IDLE_MS, NOT_YET, Watermark

START = 1_772_323_200_000
BOUND, IDLE = 2_000, 10_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
YEAR_1970, YEAR_2000 = 5_000, 946_684_800_000


def clock_of(partitions: int = 2) -> Watermark:
    return Watermark(partitions, 1, BOUND, IDLE)


def run(clock: Watermark, seconds: range, instants: dict[int, object]) -> Watermark:
    """Each second every partition says an instant: its offset from the wall clock, or what a function makes of it."""
    for second in seconds:
        wall = START + 1_000 * second
        clock.advance({number: wall + offset for number, offset in instants.items()}, wall)
    return clock


@pytest.mark.parametrize("reset_to", [YEAR_1970, YEAR_2000, START - 365 * DAY, START - DAY, START - 2 * HOUR])
@pytest.mark.parametrize("was_right_before", [False, True])
def test_a_partition_that_lies_in_the_past_holds_nobody(reset_to, was_right_before):
    clock = clock_of()
    if was_right_before:
        run(clock, range(100), {0: 0, 1: 0})
    run(clock, range(100, 400), {0: 0, 1: reset_to - START})
    assert clock.now == START + 399_000 - BOUND - 1


@pytest.mark.parametrize("reset_by", [11_000, MINUTE, 30 * MINUTE])
def test_a_clock_that_is_set_back_holds_nobody_for_longer_than_the_idle_time_out(reset_by):
    clock = run(clock_of(), range(100), {0: 0, 1: 0})
    run(clock, range(100, 160), {0: 0, 1: -reset_by})
    assert clock.now >= START + 159_000 - BOUND - 1 - max(IDLE, min(reset_by, 15_000))


@pytest.mark.parametrize("since", [0, MINUTE, 30 * MINUTE])
@pytest.mark.parametrize("jitter", [1, 3_000])
def test_a_partition_that_only_repeats_itself_holds_nobody(since, jitter):
    """A value that stands, sent each second with the instant of its last change; and a clock that ticks in a circle."""
    clock = run(clock_of(), range(100), {0: 0, 1: 0})
    for second in range(100, 200):
        wall = START + 1_000 * second
        clock.advance({0: wall, 1: START + 99_000 - since + 500 * second % jitter}, wall)
    assert clock.now == START + 199_000 - BOUND - 1


def test_a_partition_that_repeats_itself_and_then_moves_on_is_waited_for_again():
    clock = run(clock_of(), range(100), {0: 0, 1: 0})
    for second in range(100, 200):
        wall = START + 1_000 * second
        clock.advance({0: wall, 1: START + 99_000}, wall)
    run(clock, range(200, 260), {0: 0, 1: -5_000})
    assert clock.now == START + 259_000 - 5_000 - BOUND - 1


@pytest.mark.parametrize("delay", [MINUTE, 10 * MINUTE, 50 * MINUTE])
def test_a_partition_that_is_delayed_from_the_start_is_waited_for(delay):
    clock = run(clock_of(), range(300), {0: 0, 1: -delay})
    assert clock.now == START + 299_000 - delay - BOUND - 1


@pytest.mark.parametrize("speed", [2, 10, 1_000])
def test_a_partition_whose_backlog_is_being_read_is_waited_for(speed):
    """Partition 0 is small and read at once; partition 1 has days to go."""
    clock, begin = clock_of(), START - 5 * DAY
    for second in range(600):
        wall = START + 1_000 * second
        reached = min(begin + 1_000 * second * speed, wall)
        assert clock.advance({0: wall, 1: reached}, wall) <= reached


@pytest.mark.parametrize("pause", [11_000, MINUTE, DAY])
def test_a_pause_of_all_makes_nobody_idle(pause):
    """The model server was away, or it was night: afterwards partition 0 is polled first, some batches long."""
    clock = run(clock_of(), range(60), {0: 0, 1: 0})
    before = clock.now
    wall = START + 60_000 + pause
    for batch in range(3):
        assert clock.advance({0: wall + batch * 1_000}, wall + batch * 1_000) == before
    assert clock.advance({1: START + 61_000}, wall + 3_000) == START + 61_000 - BOUND - 1


@pytest.mark.parametrize("every_s", [1, 10, 60, 600])
def test_a_partition_that_nobody_writes_to_is_left_out_however_seldom_the_others_speak(every_s):
    clock = clock_of()
    for round_ in range(12):
        wall = START + 1_000 * every_s * round_
        clock.advance({0: wall}, wall)
    assert clock.now == wall - BOUND - 1


def test_one_that_was_left_out_is_waited_for_again_when_it_is_back():
    clock = run(clock_of(), range(60), {0: 0})
    run(clock, range(60, 120), {0: 0, 1: -5_000})
    assert clock.now == START + 119_000 - 5_000 - BOUND - 1


def test_it_never_falls_and_never_passes_what_is_heard_of_all():
    rng = np.random.default_rng(3)
    clock, wall, before = clock_of(3), START, NOT_YET
    for _ in range(2_000):
        wall += int(rng.integers(0, 3_000))
        said = {int(one): wall - int(rng.integers(0, 20_000)) for one in rng.integers(0, 3, 2)}
        now = clock.advance(said, wall)
        assert before <= now <= wall - BOUND - 1
        before = now


def test_a_wall_clock_that_is_set_back_does_no_harm():
    clock = run(clock_of(), range(60), {0: 0, 1: 0})
    run(clock, range(20, 100), {0: 0, 1: 0})
    assert clock.now == START + 99_000 - BOUND - 1


class TestOfDecoders:
    def test_it_is_the_slowest_decoders(self):
        clock = Watermark.of_decoders(2, IDLE)
        assert clock.advance({7: START}, START) == NOT_YET
        assert clock.advance({9: START - 5_000}, START) == START - 5_000
        assert clock.advance({9: START + 9_000}, START) == START

    @pytest.mark.parametrize("other", [None, YEAR_2000])
    def test_one_without_readings_and_one_in_the_past_hold_nobody(self, other):
        clock = Watermark.of_decoders(2, IDLE)
        for second in range(60):
            now = START + 1_000 * second
            said = {7: now} if other is None else {7: now, 9: other + 1_000 * second}
            clock.advance(said, now)
        assert clock.now == now

    def test_one_whose_partitions_only_repeat_themselves_holds_nobody(self):
        clock = Watermark.of_decoders(2, IDLE)
        for second in range(120):
            clock.advance({7: START + 1_000 * second, 9: START}, START + 1_000 * second)
        assert clock.now == START + 119_000

    @pytest.mark.parametrize("idle", [IDLE, DECODERS_IDLE_MS, 2 * MINUTE])
    def test_one_that_stands_still_for_an_idle_partition_is_waited_for(self, idle):
        clock, tenths = Watermark.of_decoders(2, idle), range(0, idle + 1_000, 100)
        for at in tenths:
            assert clock.advance({7: START + at, 9: START}, START + at) <= START
        assert clock.advance({9: START + idle}, START + idle + 1_000) == START + idle

    def test_one_that_waits_for_a_partition_of_its_own_is_waited_for(self):
        clock = Watermark.of_decoders(2, IDLE)
        for second in range(60):
            assert clock.advance({7: START + 1_000 * second, 9: NOT_YET}, START + 1_000 * second) == NOT_YET
        assert clock.advance({9: START - 100}, START + 60_000) == START - 100

    def test_one_that_starts_seconds_after_the_others_is_waited_for(self):
        clock = Watermark.of_decoders(2, 2_000)
        for tenth in range(DECODERS_IDLE_MS // 200):
            assert clock.advance({7: START + 100 * tenth}, START + 100 * tenth) == NOT_YET

    def test_decoders_that_are_opened_anew_are_not_remembered_for_ever(self):
        clock = Watermark.of_decoders(1, IDLE)
        for number in range(1_000):
            clock.advance({number: START + 60_000 * number}, START + 60_000 * number)
        assert len(clock._sources) < 20
