"""How often a detector will alarm with nothing wrong, from rows that neither trained nor calibrated it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.episode_counts import count, peaks
from eugenie_cli.detection.rate_interval import Interval, rate_interval
from eugenie_cli.episodes.delays import Delays

# Level at which the length of excursions is measured where no row is above 1.
_USUAL_EXCURSION = 0.99


@dataclass(frozen=True)
class Rates:
    """Of normal rows: the share above 1, and alarms of an asset and day."""

    rows: Interval
    alarms: Interval

    def joined(self, other: Rates) -> Rates:
        """The range that contains both."""
        return Rates(
            *(
                Interval(min(own.low, others.low), max(own.high, others.high))
                for own, others in ((self.rows, other.rows), (self.alarms, other.alarms))
            )
        )


@dataclass(frozen=True)
class AlarmForecast:
    """The rates to expect, of the class and of each asset."""

    all: Rates
    assets: Mapping[str, Rates]

    def joined(self, others: Sequence[AlarmForecast]) -> AlarmForecast:
        """The range over several forecasts; an asset that another does not know keeps its own."""
        joined = self
        for other in others:
            joined = AlarmForecast(
                joined.all.joined(other.all),
                {
                    asset: rates.joined(other.assets[asset]) if asset in other.assets else rates
                    for asset, rates in joined.assets.items()
                },
            )
        return joined


def forecast(scores: Mapping[str, tuple[Floats, Bools]], delays: Delays, days_per_row: float) -> AlarmForecast:
    """From each asset's scores on held-out rows and the silences before them, as in `episode_counts`.

    90 % intervals. Rows above 1 come in excursions: these are counted, not the rows, which would claim to know many
    times more.
    """
    known = {asset: of_asset for asset, of_asset in scores.items() if len(of_asset[0])}
    together = tuple(np.concatenate(column) for column in zip(*known.values(), strict=True))
    return AlarmForecast(
        _rates(together[0], together[1], delays, days_per_row),
        {asset: _rates(*of_asset, delays, days_per_row) for asset, of_asset in known.items()},
    )


def _rates(score: Floats, silences: Bools, delays: Delays, days_per_row: float) -> Rates:
    level = 1.0 if (score > 1.0).any() else float(np.quantile(score, _USUAL_EXCURSION))
    excursions = len(peaks(score, silences, level, Delays(1, delays.off)))
    length = max(1.0, np.count_nonzero(score > level) / max(1, excursions))
    seen = excursions if level == 1.0 else 0
    rows = rate_interval(seen, len(score) / length)
    alarms = rate_interval(count(score, silences, 1.0, delays), len(score) * days_per_row)
    return Rates(Interval(rows.low, min(rows.high, 1.0)), alarms)
