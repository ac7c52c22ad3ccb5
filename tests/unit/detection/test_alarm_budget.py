"""Thresholds that keep an alarm budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from eugenie_cli.detection.alarm_budget import MARGINS, AlarmPolicy, CalibrationSeries, thresholds


def each(*statistics: Sequence[float] | np.ndarray) -> list[CalibrationSeries]:
    """A series for each asset, of consecutive rows."""
    return [
        CalibrationSeries(f"asset-{number}", np.asarray(statistic, float), np.arange(len(statistic)))
        for number, statistic in enumerate(statistics)
    ]


def test_the_margin_is_the_smallest_that_stays_within_the_budget() -> None:
    random = np.random.default_rng(1)
    statistic = [np.abs(random.normal(size=2000)) * scale for scale in (1.0, 5.0)]
    threshold, calibration = thresholds(each(*statistic), AlarmPolicy(0.01))
    assert calibration.margin == 1.0
    assert calibration.rehearsal <= 0.01
    assert threshold[1] / threshold[0] == pytest.approx(5, rel=0.3)
    assert not any(asset.pooled for asset in calibration.assets)


def test_a_block_that_keeps_rising_asks_for_a_margin() -> None:
    rising = np.concatenate(
        [np.random.default_rng(2).uniform(0.9, 1.0, 400) * level for level in (1, 1.2, 1.4, 1.6, 2.4)]
    )
    _, calibration = thresholds(each(rising), AlarmPolicy(0.01))
    assert 1.0 < calibration.margin < MARGINS[-1]
    assert calibration.rehearsal <= 0.01
    _, strict = thresholds(each(rising), AlarmPolicy(0.3))
    assert strict.margin < calibration.margin


@pytest.mark.parametrize("rows", [[0.0] * 4000, [0.0] * 3999 + [70.0], [70.0] + [0.0] * 3999, [0.0] * 20])
def test_a_statistic_that_is_0_on_normal_rows_leaves_a_score_that_is_a_number(rows: list[float]) -> None:
    with np.errstate(all="raise"):
        threshold, calibration = thresholds(each(rows), AlarmPolicy(0.01))
        assert np.isfinite(np.float32(1e3) / threshold).all()
    assert calibration.margin == 1.0
    assert calibration.assets[0].exceeding == pytest.approx(np.mean(np.array(rows) > 0))


def test_an_asset_with_few_rows_takes_the_threshold_of_its_class_and_says_so() -> None:
    random = np.random.default_rng(3)
    threshold, calibration = thresholds(each(random.random(3000), random.random(5)), AlarmPolicy(0.01))
    assert [asset.pooled for asset in calibration.assets] == [False, True]
    assert threshold[1] == pytest.approx(threshold[0], rel=0.01)
    assert calibration.assets[1].rows == 5
