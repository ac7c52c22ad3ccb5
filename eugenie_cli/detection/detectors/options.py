"""Options of the detector types except the forecaster, with defaults that the site file and `evaluate` share."""

from __future__ import annotations

from dataclasses import dataclass

ROW_WINDOW = 10
"""Window of a type that judges each row by itself: eight of the last ten rows must be present, so the first rows after
a gap are not judged."""
CHART_WINDOW = 60
"""Window of a moving average with weight .1: the rows that it drops would weigh .9 ** 60 = .2 %."""

BURN_IN = 20
"""First rows of a window, at which a forecaster has seen too little for its errors to count. It learns from the rows
after them, so its window must be longer."""


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
    """A chart of the errors of a forecast that nothing changes."""

    horizons: tuple[int, ...] = (1,)
    """Forecast horizons in rows; a row's error is the mean over them."""


@dataclass(frozen=True)
class ForestOptions(ChartOptions):
    """An isolation forest, by default of the size that its authors found sufficient; depths are averaged over rows."""

    trees: int = 100
    samples: int = 256
    """Rows that each tree is grown on."""
    seed: int = 0


Options = PcaOptions | ChartOptions
