"""What ends a process from outside ends it as Ctrl-C does, is noted, or waits: for the length of a block."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from eugenie_cli import signals

ALL = (signal.SIGINT, *signals.ENDING)


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
def test_what_is_noted_ends_nothing(number):
    before = handlers()
    with signals.noted() as stop:
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


def test_another_thread_changes_nothing():
    before, seen = handlers(), []

    def look():
        with signals.interrupting(), signals.ignored(), signals.noted():
            seen.append(handlers())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]
