"""Waiting for conditions that send no notification."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(reached: Callable[[], object], within_s: float, every_s: float) -> bool:
    """Call `reached` every `every_s` seconds until it returns a true value; False after `within_s` seconds.

    It is called at least once, and its exceptions are passed on.
    """
    deadline = time.monotonic() + within_s
    while not reached():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True
