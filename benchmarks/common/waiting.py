"""Waiting that stops as soon as waiting is pointless: a `check` raises an error if a process has died."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.5

Check = Callable[[], None]
"""Returns while all is well; raises an error otherwise."""


def sleep(seconds: float, check: Check, poll_s: float = POLL_S) -> None:
    """Return after `seconds`. Raises whatever `check` raises."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        check()
        time.sleep(min(poll_s, left))
    check()


def until(condition: Callable[[], bool], within_s: float, what: str, check: Check, poll_s: float = POLL_S) -> None:
    """Return once `condition` holds. Raises TimeoutError, with `what` did not happen, and whatever `check` raises."""
    deadline = time.monotonic() + within_s
    while not condition():
        check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} within {within_s:.0f} s")
        time.sleep(poll_s)
