"""When a few windows run at once, and when they wait for more."""

from __future__ import annotations

from eugenie_cli.model_server.batch_delay import CROWDED, PATIENCE, WORTH_A_RUN, BatchDelay


def crowd(windows: int, waiting: int, took: float = 0.5, now: float = 100.0) -> BatchDelay:
    delay = BatchDelay()
    for _ in range(CROWDED):
        delay.ran(windows, waiting, took, now)
    return delay


def test_a_caller_alone_never_waits() -> None:
    delay = BatchDelay()
    for run in range(10):
        assert delay.wait_s(1, float(run)) == 0
        delay.ran(1, 0, 0.5, float(run))


def test_a_burst_never_waits() -> None:
    """The first runs at once, the rest together when it ends."""
    delay = BatchDelay()
    for burst in range(10):
        assert delay.wait_s(1, burst * 10.0) == 0
        delay.ran(1, 7, 0.5, burst * 10.0 + 1)
        assert delay.wait_s(7, burst * 10.0 + 1) == 0
        delay.ran(7, 0, 0.5, burst * 10.0 + 2)


def test_in_a_crowd_a_run_waits_until_as_many_are_there_as_were_seen() -> None:
    delay = crowd(windows=3, waiting=5)
    assert delay.wait_s(5, 100.0) == PATIENCE * 0.5
    assert delay.wait_s(7, 101.0) == PATIENCE * 0.5 - 1
    assert delay.wait_s(8, 101.0) == 0


def test_and_no_longer_than_a_few_times_what_the_last_run_took() -> None:
    delay = crowd(windows=3, waiting=5)
    assert delay.wait_s(5, 100.0 + PATIENCE * 0.5) == 0
    assert delay.wait_s(5, 200.0) == 0


def test_what_is_worth_a_run_is_not_exceeded() -> None:
    assert crowd(windows=30, waiting=34).wait_s(WORTH_A_RUN, 100.0) == 0


def test_a_crowd_that_has_gone_is_forgotten() -> None:
    delay = crowd(windows=3, waiting=5)
    for run in range(CROWDED + 1):
        delay.ran(1, 0, 0.5, 101.0 + run)
    assert delay.wait_s(0, 101.0 + CROWDED) == 0


def test_a_crowd_of_which_all_were_in_one_run_is_still_one() -> None:
    delay = crowd(windows=3, waiting=5)
    delay.ran(8, 5, 0.5, 100.0)
    delay.ran(13, 0, 0.5, 101.0)
    assert delay.wait_s(1, 101.0) > 0
    assert delay.wait_s(13, 101.0) == 0
