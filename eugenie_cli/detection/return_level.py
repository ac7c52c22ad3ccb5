"""How high the peaks of normal operation go: the level that they exceed at a given rate.

Peaks over a base level, one for each episode so that they are independent, have an exponential tail in the limit
(Pickands, 1975; Davison and Smith, 1990, with shape 0). So a level that is exceeded more rarely than the rows can show
is found by extrapolation: a few thousand rows say more about their tail than their largest value does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.episode_counts import peaks
from eugenie_cli.episodes.delays import Delays

# Base levels to choose from, as quantiles of the values: the highest with enough episodes above it. Higher ones are
# closer to the tail of interest, and have too few episodes to be known well.
BASE_QUANTILES = (0.9998, 0.9995, 0.999, 0.998, 0.995, 0.99, 0.98, 0.95, 0.9)
ENOUGH_PEAKS = 30
# Beyond the observed time, the mean excess is taken at its one-sided 90 % bound, in standard errors: with few peaks,
# levels are set higher.
BOUND = 1.28
# The longest time, as a multiple of the observed one, in which one episode can be promised is that of the peaks to
# ENOUGH_PEAKS, within these limits. On the public data, going further mainly missed faults.
LEAST_EXTRAPOLATION, MOST_EXTRAPOLATION = 0.5, 4.0


@dataclass(frozen=True)
class Tail:
    """Episodes above a base level."""

    base: float
    episodes: int
    mean_excess: float
    """Of their peaks over the base level."""
    time: float
    """Observed time, in any unit; rates are by the same unit."""

    @property
    def rarest(self) -> float:
        """The lowest rate for which these episodes can give a level."""
        supported = np.clip(self.episodes / ENOUGH_PEAKS, LEAST_EXTRAPOLATION, MOST_EXTRAPOLATION)
        return 1.0 / (self.time * float(supported))

    def level(self, rate: float) -> float:
        """The level that episodes exceed at `rate`, or at the `rarest` one that is known."""
        expected = self.time * max(rate, self.rarest)
        within = float(np.log(max(self.episodes / max(expected, 1.0), 1.0)))
        beyond = float(np.log(max(1.0 / expected, 1.0))) if self.episodes else 0.0
        bound = 1.0 + BOUND / np.sqrt(max(self.episodes, 1))
        return self.base + self.mean_excess * (within + bound * beyond)

    def rate(self, level: float) -> float:
        """The rate of episodes above a level that is not below the base."""
        if not self.episodes or not self.mean_excess:
            return 0.0
        return self.episodes / self.time * float(np.exp(-max(level - self.base, 0.0) / self.mean_excess))


def tail(values: Floats, silences: Bools, delays: Delays, *, time: float) -> Tail:
    """The tail of a series (float64 [N], as in `episode_counts`) that took `time`, for an alarm with these delays."""
    bases = [float(base) for base in np.quantile(values, BASE_QUANTILES)]
    best = bases[-1], np.zeros(0)
    for base in bases:
        highest = peaks(values, silences, base, delays)
        if len(highest) > len(best[1]):
            best = base, highest
        if len(highest) >= ENOUGH_PEAKS:
            break
    base, highest = best
    if not len(highest):
        return Tail(base, 0, 0.0, time)
    return Tail(base, len(highest), float(np.mean(highest - base)), time)
