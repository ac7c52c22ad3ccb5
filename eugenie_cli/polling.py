"""Waiting for what tells nobody that it has happened."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(reached: Callable[[], object], within_s: float, every_s: float) -> bool:
    """Ask `reached` every `every_s` seconds until it is true; False when it still is not after `within_s` seconds.

    It is asked at least once, and what it raises is raised here.
    """
    deadline = time.monotonic() + within_s
    while not reached():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True
