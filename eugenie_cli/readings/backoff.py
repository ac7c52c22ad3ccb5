"""Exponential backoff: how long to wait after consecutive failures."""

from __future__ import annotations


def pause_s(failures: int, first_s: float, longest_s: float) -> float:
    """Seconds to wait after `failures` consecutive failures: 0 for none, `first_s` after the first, then doubled each
    time, at most `longest_s`. Any number of failures is allowed.
    """
    if failures <= 0:
        return 0.0
    # limited to 2**64 times the first pause: larger powers would overflow a float
    return float(min(first_s * 2.0 ** min(failures - 1, 64), longest_s))
