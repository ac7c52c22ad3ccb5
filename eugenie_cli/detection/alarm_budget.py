"""Thresholds that keep an alarm budget, from each asset's statistic on normal rows. Numpy only: any detector type, and
any combination of them, is calibrated by the same function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.alarm_forecast import AlarmForecast, forecast
from eugenie_cli.detection.alarm_policy import DELAYS, USUAL_SHARE, AlarmBudget, AlarmDecision, AlarmPolicy
from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.detection.detector import AssetCalibration, Calibration
from eugenie_cli.detection.episode_counts import after_silence
from eugenie_cli.detection.return_level import tail
from eugenie_cli.episodes.delays import Delays

# The quantile of the statistic that one normal row in a thousand exceeds. Threshold = margin x quantile.
QUANTILE = 0.999
# Floor of that quantile. Where it is 0, as with forecasts that are always right, any statistic above 0 raises an alarm;
# below this floor, its score would be infinite and could not serve as a weight of rows.
LEAST_QUANTILE = 1e-20
# The rehearsal leaves out each of this many consecutive parts of the calibration rows in turn; five is the usual
# number of folds. On simulated normal operation (averages of noise, blocks of 105 to 2,160 rows, 1 to 16 assets), it
# made later rows exceed the threshold about as often as the budget allows, and less often with several assets.
REHEARSAL_PARTS = 5
MARGINS = np.arange(1.0, 4.0001, 0.05)
# An asset with fewer calibration rows uses the class's threshold.
MIN_CALIBRATION_ROWS = 60
# How much higher than the lowest the margin of the chosen delays may be.
HIGHER_MARGIN = 1.25


@dataclass(frozen=True)
class CalibrationSeries:
    """An asset's statistic on its calibration rows, in time order."""

    asset: str
    statistic: Floats
    """float64 [N], finite: one value for each row that can be scored."""
    rows: Ints
    """int64 [N], increasing: the rows' numbers on the asset's grid. Rows that are not consecutive have others, or
    silence, between them."""


@dataclass(frozen=True)
class _Rehearsal:
    """Held-out rows of all assets, each over the quantile that the asset's other rows give."""

    ratios: tuple[Floats, ...]
    silences: tuple[Bools, ...]
    days: float

    def above(self, margin: float) -> float:
        """Share of the rows above a margin."""
        return float(np.mean(np.concatenate(self.ratios) > margin))


def thresholds(series: Sequence[CalibrationSeries], policy: AlarmPolicy) -> tuple[Floats, Calibration]:
    """Thresholds float32 [A] of the assets, in order, and where they come from.

    threshold = margin x quantile. The class has one margin: the smallest that keeps the budget when each part of an
    asset's rows is left out in turn and judged by the quantile of the other parts. A budget of episodes is kept at the
    rate that the rows suffice to promise (`return_level.Tail.rarest`), with at most `USUAL_SHARE` of the rows above 1;
    delays that the policy leaves open are chosen: the shortest of `DELAYS` whose margin is near the lowest.
    """
    statistic = [of_asset.statistic for of_asset in series]
    enough = [len(part) >= MIN_CALIBRATION_ROWS for part in statistic]
    pooled = _quantile(np.concatenate(statistic))
    quantile = np.array([_quantile(part) if own else pooled for part, own in zip(statistic, enough, strict=True)])
    rehearsal = _Rehearsal(
        tuple(_rehearse(part) if own else part / pooled for part, own in zip(statistic, enough, strict=True)),
        tuple(after_silence(of_asset.rows, policy.silence_rows) for of_asset in series),
        policy.days(sum(map(len, statistic))),
    )
    margin, decision = _decide(rehearsal, policy)
    exceeding = rehearsal.above(margin)
    threshold = (margin * quantile).astype(np.float32)
    notes = tuple(
        AssetCalibration(
            of_asset.asset,
            len(part),
            not own,
            float(quantile[i]),
            float(np.mean(part > threshold[i])) if part.size else 0.0,
        )
        for i, (of_asset, part, own) in enumerate(zip(series, statistic, enough, strict=True))
    )
    budget = exceeding if isinstance(policy.budget, AlarmBudget) else policy.budget
    return threshold, Calibration(
        budget, margin, exceeding, notes, decision, _forecast(series, rehearsal, margin, decision, policy)
    )


def _forecast(
    series: Sequence[CalibrationSeries],
    rehearsal: _Rehearsal,
    margin: float,
    decision: AlarmDecision,
    policy: AlarmPolicy,
) -> AlarmForecast:
    scores = {
        of_asset.asset: (ratios / margin, silences)
        for of_asset, ratios, silences in zip(series, rehearsal.ratios, rehearsal.silences, strict=True)
    }
    return forecast(scores, decision.delays, policy.days(1))


def _decide(rehearsal: _Rehearsal, policy: AlarmPolicy) -> tuple[float, AlarmDecision]:
    """The margin and the alarm that keep the budget in the rehearsal, or come closest to it."""
    if isinstance(policy.budget, AlarmBudget):
        return _keep_episodes(rehearsal, policy, policy.budget.per_day)
    usual = Delays()
    delays = Delays(policy.on_delay or usual.on, policy.off_delay or usual.off)
    return _keep_share(rehearsal, policy.budget), AlarmDecision(delays, None, None, rehearsal.days)


def _keep_share(rehearsal: _Rehearsal, share: float) -> float:
    within = [margin for margin in map(float, MARGINS) if rehearsal.above(margin) <= share]
    return within[0] if within else float(MARGINS[-1])


def _keep_episodes(rehearsal: _Rehearsal, policy: AlarmPolicy, per_day: float) -> tuple[float, AlarmDecision]:
    ratios, silences = np.concatenate(rehearsal.ratios), np.concatenate(rehearsal.silences)
    least = _keep_share(rehearsal, USUAL_SHARE)
    candidates = []
    for usual in DELAYS:
        delays = Delays(policy.on_delay or usual.on, policy.off_delay or usual.off)
        fitted = tail(ratios, silences, delays, time=rehearsal.days)
        margin = float(np.clip(fitted.level(per_day), least, MARGINS[-1]))
        promised = max(per_day, fitted.rarest, fitted.rate(margin) if margin == MARGINS[-1] else 0.0)
        candidates.append((margin, AlarmDecision(delays, per_day, promised, rehearsal.days)))
    lowest = min(margin for margin, _ in candidates)
    return next(candidate for candidate in candidates if candidate[0] <= lowest * HIGHER_MARGIN)


def _rehearse(statistic: Floats) -> Floats:
    """Each row's statistic over the quantile of the parts that do not contain it."""
    parts = np.array_split(statistic, REHEARSAL_PARTS)
    others = [np.concatenate(parts[:i] + parts[i + 1 :]) for i in range(len(parts))]
    return np.concatenate([part / _quantile(other) for part, other in zip(parts, others, strict=True)])


def _quantile(statistic: Floats) -> float:
    return max(float(np.quantile(statistic, QUANTILE)), LEAST_QUANTILE)
