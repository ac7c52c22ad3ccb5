"""Handling of SIGINT, SIGTERM and SIGHUP for the duration of a `with` block."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a process, in addition to Ctrl-C: from a service manager, or when a terminal closes."""

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """A handler that ends the process as Ctrl-C does, so that unfinished work is cleaned up."""
    raise KeyboardInterrupt


@contextmanager
def interrupting() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt in the block."""
    with _handled(ENDING, interrupt):
        yield


@contextmanager
def ignored() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP are ignored: for work of a few seconds that must be completed."""
    with _handled((signal.SIGINT, *ENDING), signal.SIG_IGN):
        yield


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """Yields an event that SIGINT, SIGTERM and SIGHUP set instead of ending the process."""
    stop = threading.Event()
    with _handled((signal.SIGINT, *ENDING), lambda _signal, _frame: stop.set()):
        yield stop


@contextmanager
def stop_once() -> Iterator[threading.Event]:
    """Yields an event that the first signal sets, so that work can end at a good place; another one interrupts it."""
    stop = threading.Event()

    def first_or_next(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            interrupt(number, frame)
        stop.set()

    with _handled((signal.SIGINT, *ENDING), first_or_next):
        yield stop


@contextmanager
def _handled(numbers: Collection[signal.Signals], handler: Handler) -> Iterator[None]:
    """Outside the main thread nothing changes: Python handles signals in the main thread only.

    A SIGHUP that is ignored stays ignored: nohup keeps the process alive after its terminal closes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    left_ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
    before = {number: signal.signal(number, handler) for number in {*numbers} - left_ignored}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
