"""For the length of a block, signals that end a process raise KeyboardInterrupt, set an event or are ignored."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from eugenie_cli import signals

ALL = (signal.SIGINT, *signals.ENDING)


@pytest.fixture(autouse=True)
def default_handlers():
    """Under nohup, or in the background of a script, SIGHUP and SIGINT are ignored in the tests' process, too."""
    before = {number: signal.getsignal(number) for number in ALL}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def handlers():
    return [signal.getsignal(number) for number in ALL]


@pytest.mark.parametrize("number", signals.ENDING)
def test_term_and_hup_are_as_ctrl_c(number):
    before = handlers()
    with pytest.raises(KeyboardInterrupt), signals.interrupting():
        os.kill(os.getpid(), number)
        signal.pause()
    assert handlers() == before


@pytest.mark.parametrize("number", ALL)
def test_a_signal_that_sets_the_stop_event_ends_nothing(number):
    before = handlers()
    with signals.stop_event() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5)
    assert handlers() == before


@pytest.mark.parametrize("number", ALL)
def test_what_is_ignored_is_lost(number):
    before = handlers()
    with signals.ignored():
        os.kill(os.getpid(), number)
    assert handlers() == before


@pytest.mark.parametrize("block", [signals.interrupting, signals.ignored, signals.stop_event])
def test_under_nohup_a_closed_terminal_ends_nothing(block):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with block() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop is None or not stop.wait(0.2)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_changes_nothing():
    before, seen = handlers(), []

    def look():
        with signals.interrupting(), signals.ignored(), signals.stop_event():
            seen.append(handlers())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]
