"""Event time of several sources: no source is awaited indefinitely, and none that sends readings is left behind."""

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
    """Every second, each partition sends an instant at its offset from the wall clock."""
    for second in seconds:
        wall = START + 1_000 * second
        clock.advance({number: wall + offset for number, offset in instants.items()}, wall)
    return clock


@pytest.mark.parametrize("reset_to", [YEAR_1970, YEAR_2000, START - 365 * DAY, START - DAY, START - 2 * HOUR])
@pytest.mark.parametrize("was_right_before", [False, True])
def test_a_partition_with_past_instants_holds_up_no_other(reset_to, was_right_before):
    clock = clock_of()
    if was_right_before:
        run(clock, range(100), {0: 0, 1: 0})
    run(clock, range(100, 400), {0: 0, 1: reset_to - START})
    assert clock.now == START + 399_000 - BOUND - 1


@pytest.mark.parametrize("reset_by", [11_000, MINUTE, 30 * MINUTE])
def test_a_clock_set_back_holds_up_the_others_for_the_idle_time_out_at_most(reset_by):
    clock = run(clock_of(), range(100), {0: 0, 1: 0})
    run(clock, range(100, 160), {0: 0, 1: -reset_by})
    assert clock.now >= START + 159_000 - BOUND - 1 - max(IDLE, min(reset_by, 15_000))


@pytest.mark.parametrize("since", [0, MINUTE, 30 * MINUTE])
@pytest.mark.parametrize("jitter", [1, 3_000])
def test_a_partition_that_only_repeats_instants_holds_up_no_other(since, jitter):
    """An unchanged value, sent each second with the instant of its last change; and a clock that keeps jumping back."""
    clock = run(clock_of(), range(100), {0: 0, 1: 0})
    for second in range(100, 200):
        wall = START + 1_000 * second
        clock.advance({0: wall, 1: START + 99_000 - since + 500 * second % jitter}, wall)
    assert clock.now == START + 199_000 - BOUND - 1


def test_a_partition_that_repeats_instants_and_then_advances_is_awaited_again():
    clock = run(clock_of(), range(100), {0: 0, 1: 0})
    for second in range(100, 200):
        wall = START + 1_000 * second
        clock.advance({0: wall, 1: START + 99_000}, wall)
    run(clock, range(200, 260), {0: 0, 1: -5_000})
    assert clock.now == START + 259_000 - 5_000 - BOUND - 1


@pytest.mark.parametrize("delay", [MINUTE, 10 * MINUTE, 50 * MINUTE])
def test_a_partition_delayed_from_the_start_is_awaited(delay):
    clock = run(clock_of(), range(300), {0: 0, 1: -delay})
    assert clock.now == START + 299_000 - delay - BOUND - 1


@pytest.mark.parametrize("speed", [2, 10, 1_000])
def test_a_partition_whose_backlog_is_being_read_is_awaited(speed):
    """Partition 0 is small and read at once; partition 1 has a backlog of days."""
    clock, begin = clock_of(), START - 5 * DAY
    for second in range(600):
        wall = START + 1_000 * second
        reached = min(begin + 1_000 * second * speed, wall)
        assert clock.advance({0: wall, 1: reached}, wall) <= reached


@pytest.mark.parametrize("pause", [11_000, MINUTE, DAY])
def test_a_pause_of_all_sources_makes_none_idle(pause):
    """The model server was unreachable, or it was night; afterwards partition 0 is polled first, for some batches."""
    clock = run(clock_of(), range(60), {0: 0, 1: 0})
    before = clock.now
    wall = START + 60_000 + pause
    for batch in range(3):
        assert clock.advance({0: wall + batch * 1_000}, wall + batch * 1_000) == before
    assert clock.advance({1: START + 61_000}, wall + 3_000) == START + 61_000 - BOUND - 1


@pytest.mark.parametrize("every_s", [1, 10, 60, 600])
def test_an_unused_partition_is_ignored_however_rarely_the_others_send(every_s):
    clock = clock_of()
    for round_ in range(12):
        wall = START + 1_000 * every_s * round_
        clock.advance({0: wall}, wall)
    assert clock.now == wall - BOUND - 1


def test_an_ignored_partition_is_awaited_again_once_it_sends():
    clock = run(clock_of(), range(60), {0: 0})
    run(clock, range(60, 120), {0: 0, 1: -5_000})
    assert clock.now == START + 119_000 - 5_000 - BOUND - 1


def test_it_never_decreases_and_never_passes_the_bound_of_all_sources():
    rng = np.random.default_rng(3)
    clock, wall, before = clock_of(3), START, NOT_YET
    for _ in range(2_000):
        wall += int(rng.integers(0, 3_000))
        instants = {int(number): wall - int(rng.integers(0, 20_000)) for number in rng.integers(0, 3, 2)}
        now = clock.advance(instants, wall)
        assert before <= now <= wall - BOUND - 1
        before = now


def test_a_wall_clock_set_back_does_no_harm():
    clock = run(clock_of(), range(60), {0: 0, 1: 0})
    run(clock, range(20, 100), {0: 0, 1: 0})
    assert clock.now == START + 99_000 - BOUND - 1


class TestOfDecoders:
    def test_it_is_that_of_the_slowest_decoder(self):
        clock = Watermark.of_decoders(2, IDLE)
        assert clock.advance({7: START}, START) == NOT_YET
        assert clock.advance({9: START - 5_000}, START) == START - 5_000
        assert clock.advance({9: START + 9_000}, START) == START

    @pytest.mark.parametrize("other", [None, YEAR_2000])
    def test_a_decoder_without_readings_or_in_the_past_holds_up_no_other(self, other):
        clock = Watermark.of_decoders(2, IDLE)
        for second in range(60):
            now = START + 1_000 * second
            instants = {7: now} if other is None else {7: now, 9: other + 1_000 * second}
            clock.advance(instants, now)
        assert clock.now == now

    def test_a_decoder_whose_partitions_only_repeat_instants_holds_up_no_other(self):
        clock = Watermark.of_decoders(2, IDLE)
        for second in range(120):
            clock.advance({7: START + 1_000 * second, 9: START}, START + 1_000 * second)
        assert clock.now == START + 119_000

    @pytest.mark.parametrize("idle", [IDLE, DECODERS_IDLE_MS, 2 * MINUTE])
    def test_a_decoder_held_up_by_an_idle_partition_is_awaited(self, idle):
        clock, tenths = Watermark.of_decoders(2, idle), range(0, idle + 1_000, 100)
        for at in tenths:
            assert clock.advance({7: START + at, 9: START}, START + at) <= START
        assert clock.advance({9: START + idle}, START + idle + 1_000) == START + idle

    def test_a_decoder_that_waits_for_its_partition_is_awaited(self):
        clock = Watermark.of_decoders(2, IDLE)
        for second in range(60):
            assert clock.advance({7: START + 1_000 * second, 9: NOT_YET}, START + 1_000 * second) == NOT_YET
        assert clock.advance({9: START - 100}, START + 60_000) == START - 100

    def test_a_decoder_that_starts_seconds_after_the_others_is_awaited(self):
        clock = Watermark.of_decoders(2, 2_000)
        for tenth in range(DECODERS_IDLE_MS // 200):
            assert clock.advance({7: START + 100 * tenth}, START + 100 * tenth) == NOT_YET

    def test_former_decoders_are_forgotten(self):
        clock = Watermark.of_decoders(1, IDLE)
        for number in range(1_000):
            clock.advance({number: START + 60_000 * number}, START + 60_000 * number)
        assert len(clock._sources) < 20
