"""How long to wait before the next attempt, after attempts that failed one after another."""

from __future__ import annotations


def pause_s(failures: int, first_s: float, longest_s: float) -> float:
    """Seconds to wait after so many failures: none, `first_s` after the first, then twice as long each, at most
    `longest_s`. It may be asked for years.
    """
    if failures <= 0:
        return 0.0
    # beyond 2**64 times the first pause a float overflows some day, and nobody waits that long
    return float(min(first_s * 2.0 ** min(failures - 1, 64), longest_s))
