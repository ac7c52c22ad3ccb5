"""What INT, TERM and HUP do to this process, for as long as a `with` block lasts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""What ends a process beside Ctrl-C: a service manager, a terminal that closes."""

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """A handler: the signal ends the process as Ctrl-C does, so that what it had begun is cleaned up."""
    raise KeyboardInterrupt


@contextmanager
def interrupting() -> Iterator[None]:
    """TERM and HUP raise KeyboardInterrupt in the block."""
    with _handled(ENDING, interrupt):
        yield


@contextmanager
def ignored() -> Iterator[None]:
    """INT, TERM and HUP do nothing: for what takes seconds and must be finished."""
    with _handled((signal.SIGINT, *ENDING), signal.SIG_IGN):
        yield


@contextmanager
def noted() -> Iterator[threading.Event]:
    """An event that INT, TERM and HUP set, instead of ending the process."""
    stop = threading.Event()
    with _handled((signal.SIGINT, *ENDING), lambda _signal, _frame: stop.set()):
        yield stop


@contextmanager
def _handled(numbers: Collection[signal.Signals], handler: Handler) -> Iterator[None]:
    """Nothing changes on another thread than the main one: Python hears signals on that one alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
