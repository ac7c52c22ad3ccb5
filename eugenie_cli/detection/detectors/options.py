"""What can be set of each type beside the forecaster, with its default, which the site file and `evaluate` share."""

from __future__ import annotations

from dataclasses import dataclass

ROW_WINDOW = 10
"""Rows of a type that judges each row by itself: eight of the last ten must be there, so that the first rows after a
gap are not judged."""
CHART_WINDOW = 60
"""Rows that a moving average with weight .1 remembers: what it drops weighs .9 ** 60 = .2 %."""

BURN_IN = 20
"""The first rows of a window, at which a forecaster has seen too little to be blamed for its forecasts: it learns from
those after them, so its window must be longer."""


@dataclass(frozen=True)
class PcaOptions:
    """Principal components."""

    window: int = ROW_WINDOW
    explained: float = 0.9
    """Share of the variance that the kept components explain."""


@dataclass(frozen=True)
class ChartOptions:
    """A control chart of moving averages."""

    window: int = CHART_WINDOW
    smoothing: float = 0.1
    """Weight of the newest row, as Lowry et al. advise for small shifts."""


@dataclass(frozen=True)
class LastValueOptions(ChartOptions):
    """The chart of the errors of a forecast that nothing changes."""

    horizons: tuple[int, ...] = (1,)
    """Rows ahead; a row's error is the mean over them."""


@dataclass(frozen=True)
class ForestOptions(ChartOptions):
    """An isolation forest, by default of the size that its authors found enough; depths are averaged over rows."""

    trees: int = 100
    samples: int = 256
    """Rows that each tree is grown on."""
    seed: int = 0


Options = PcaOptions | ChartOptions
