"""The quality summary, on readings of known quality."""

from __future__ import annotations

import math

import pytest
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.assessment.findings import lasting
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.quality import SensorQuality, assess
from eugenie_cli.history.quality_tables import share
from eugenie_cli.history.store import History

NAN = math.nan


@pytest.fixture
def series(tmp_path):
    """The quality of the pressure (limits 0 and 16) of a pump from these readings."""

    def quality(ts: list[int], value: list[float]) -> SensorQuality:
        history = History(tmp_path / str(len(list(tmp_path.iterdir()))))
        history.commit("s", [Batch.of([("p1", "pressure", *pair) for pair in zip(ts, value, strict=True)])])
        return next(one for one in assess(pump_site(tmp_path), history, ["p1"]).sensors if one.sensor == "pressure")

    return quality


def test_shares_period_and_gap(series):
    quality = series([0, 1000, 2000, 3000, 20_000], [1.0, NAN, 99.0, 2.0, 3.0])
    assert (quality.readings, quality.start_ms, quality.end_ms, quality.median_period_ms) == (5, 0, 20_000, 1000)
    assert (quality.bad, quality.out_of_range) == (0.2, 0.2)
    assert (quality.longest_gap_ms, quality.longest_gap_start_ms) == (17_000, 3000)


def test_a_gap_is_time_without_a_good_reading(series):
    quality = series([0, 1000, 2000, 3000], [1.0, NAN, NAN, 2.0])
    assert quality.longest_gap_ms == 3000


def test_a_stuck_sensor_is_flat_but_a_noisy_or_missing_one_is_not(series):
    assert series(list(range(100)), [5.0] * 60 + [k / 10 for k in range(40)]).flat == 0.6
    assert series(list(range(100)), [float(k % 2) for k in range(100)]).flat == 0.0
    assert series(list(range(100)), [NAN] * 100).flat == 0.0
    assert series(list(range(29)), [5.0] * 29).flat == 0.0


def test_no_reading_and_one_reading(series):
    assert series([], []).readings == 0
    single = series([5], [1.0])
    assert (single.median_period_ms, single.longest_gap_ms) == (None, None)


def test_every_sensor_of_the_chosen_assets_is_listed(tmp_path):
    site, history = pump_site(tmp_path), History(tmp_path)
    history.commit("s", [Batch.of([("p1", "pressure", 0, 20.0), ("p1", "pressure", 1000, 5.0)])])
    by_sensor = {sensor.sensor: sensor for sensor in assess(site, history, ["p1"]).sensors}
    assert list(by_sensor) == ["flow", "pressure", "motor current"]
    assert by_sensor["flow"].readings == 0
    assert by_sensor["pressure"].out_of_range == 0.5
    assert len(assess(site, history).sensors) == 6
    with pytest.raises(EugenieError, match="no asset p7"):
        assess(site, history, ["p7"])


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (999, "999 ms"), (1000, "1 s"), (90_000, "1.5 min"), (7_200_000, "2 h")],
)
def test_durations_are_readable(milliseconds, text):
    assert lasting(milliseconds) == text


@pytest.mark.parametrize(("fraction", "text"), [(0.0, "0"), (0.0001, "<0.1 %"), (0.049, "4.9 %"), (1.0, "100.0 %")])
def test_shares_are_readable(fraction, text):
    assert share(fraction) == text
