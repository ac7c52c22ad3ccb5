"""Interval of the rate behind a count."""

from __future__ import annotations

from typing import NamedTuple

# Normal quantile of a two-sided 90 % interval.
_Z = 1.645


class Interval(NamedTuple):
    """A range of a rate or share, both ends included."""

    low: float
    high: float


def rate_interval(count: float, exposure: float) -> Interval:
    """90 % interval of the rate of independent events of which `count` happened in `exposure`.

    Jeffreys' prior gives a gamma distribution of shape `count` + 1/2; by the approximation of Wilson and Hilferty
    (1931), the upper end is within 3 %.
    """
    shape = count + 0.5
    low, high = (
        shape * max(0.0, 1 - 1 / (9 * shape) + sign * _Z / (3 * shape**0.5)) ** 3 / exposure for sign in (-1, 1)
    )
    return Interval(low if count else 0.0, high)
