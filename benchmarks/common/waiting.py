"""Waiting that ends as soon as there is nothing left to wait for: a `check` raises when a process has died."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.5

Check = Callable[[], None]
"""Returns while all is well, and raises what is not."""


def sleep(seconds: float, check: Check, poll_s: float = POLL_S) -> None:
    """Return after `seconds`. Raises what `check` does."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        check()
        time.sleep(min(poll_s, left))
    check()


def until(condition: Callable[[], bool], within_s: float, what: str, check: Check, poll_s: float = POLL_S) -> None:
    """Return once `condition` holds. Raises TimeoutError, which says `what` is not so, and what `check` does."""
    deadline = time.monotonic() + within_s
    while not condition():
        check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} within {within_s:.0f} s")
        time.sleep(poll_s)
