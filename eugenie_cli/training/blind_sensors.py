"""Sensors whose deviation is dominated by a few values far from all others, which stay among the normal rows.

Such values may be normal operation, such as a standby pump's weekly test, or a fault code that appears too often, or
together with those of too many other sensors, to be recognised as one (see `outliers`). The rows alone cannot tell. In
either case normal movement is small compared with the deviation, so the sensor is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.training.outliers import ROUNDING, thinned

# A deviation is reported from this many times the interquartile range of the values: for a normal distribution the
# ratio is 0.74, for two alternating levels at most 1, for bursts (a squared exponential distribution) 2.4.
WIDE = 5.0
# Fewer values do not establish a usual range.
LEAST_VALUES = 50
# Sensors named in the message.
NAMED = 5


@dataclass(frozen=True)
class BlindSensor:
    """The sensor in column `sensor`: `share` of its values lie more than `WIDE` interquartile ranges from the median,
    up to the value `furthest`; `low` and `high` are the quartiles."""

    sensor: int
    share: float
    low: float
    high: float
    furthest: float
    deviation: float


def blinded(rows: Floats, part: Ints) -> tuple[BlindSensor, ...]:
    """The blind sensors of the usable rows, those of float [T, S] where `part` int [T] is not 0, after repair."""
    _, sample = thinned(rows, part)
    blind = []
    for sensor, column in enumerate(sample.T):
        known = column[np.isfinite(column)]
        if known.size < LEAST_VALUES:
            continue
        low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
        usual, deviation = high - low, float(known.std())
        if usual <= ROUNDING * abs(middle) or deviation < WIDE * usual:
            continue  # a sensor that (nearly) never moves has no usual range
        away = np.abs(known - middle)
        far = away > WIDE * usual
        furthest = float(known[away.argmax()])
        blind.append(BlindSensor(sensor, float(far.mean()), float(low), float(high), furthest, deviation))
    return tuple(blind)


def describe(sensors: Sequence[BlindSensor], names: Sequence[str]) -> Iterator[str]:
    """One message about all blind sensors; none without any."""
    if not sensors:
        return
    described = [
        f"{names[blind.sensor]} ({blind.share:.1%} of its values, up to {blind.furthest:.4g}; usual range "
        f"{blind.low:.4g} to {blind.high:.4g}, deviation {blind.deviation:.3g})"
        for blind in sensors[:NAMED]
    ]
    more = f" and {len(sensors) - NAMED} more" if len(sensors) > NAMED else ""
    yield (
        f"some values are far from the usual range and count as normal: {', '.join(described)}{more}; anomalies "
        "smaller than that deviation are hard to detect. If these values are not measurements, set `low` and `high` of "
        "the sensor, or exclude that time"
    )
