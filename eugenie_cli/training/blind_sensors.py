"""Sensors whose deviation comes from a few values far from all others, which stay among the normal rows.

They may be operation, as a standby pump's weekly test, or a fault code that came too often, or with those of too many
other sensors, to be taken for one (see `outliers`). Nobody can tell from the rows; either way the usual movement is
small beside such a deviation, and that is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.training.outliers import ROUNDING, thinned

# A deviation is told that is so many times the range of the middle half of the values: of a normal distribution it is
# 0.74 times, of two levels that take turns at most 1, of bursts (a squared exponential distribution) 2.4 times.
WIDE = 5.0
# Fewer values have no usual range.
LEAST_VALUES = 50
# Sensors that a sentence names.
NAMED = 5


@dataclass(frozen=True)
class BlindSensor:
    """The sensor in column `sensor`: `share` of its values lie up to `furthest` from the usual ones, low to high."""

    sensor: int
    share: float
    low: float
    high: float
    furthest: float
    deviation: float


def blinded(rows: Floats, part: Ints) -> tuple[BlindSensor, ...]:
    """Of usable rows, those of float [T, S] where `part` int [T] is not 0, as they are learnt from."""
    _, sample = thinned(rows, part)
    found = []
    for sensor, column in enumerate(sample.T):
        known = column[np.isfinite(column)]
        if known.size < LEAST_VALUES:
            continue
        low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
        usual, deviation = high - low, float(known.std())
        if usual <= ROUNDING * abs(middle) or deviation < WIDE * usual:
            continue  # one that (nearly) never moves has no usual range
        away = np.abs(known - middle)
        far = away > WIDE * usual
        furthest = float(known[away.argmax()])
        found.append(BlindSensor(sensor, float(far.mean()), float(low), float(high), furthest, deviation))
    return tuple(found)


def told(found: Sequence[BlindSensor], names: Sequence[str]) -> Iterator[str]:
    """They in words: one sentence, or none."""
    if not found:
        return
    each = [
        f"{names[one.sensor]} ({one.share:.1%} of its values, up to {one.furthest:.4g}; usual are {one.low:.4g} to "
        f"{one.high:.4g}, its deviation is {one.deviation:.3g})"
        for one in found[:NAMED]
    ]
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    yield (
        f"some values are far from the usual ones and count as normal: {', '.join(each)}{more}; what differs by less "
        "than that deviation is hard to see. If no measurement made them, say so by `low` and `high` of the sensor, "
        "or exclude that time"
    )
