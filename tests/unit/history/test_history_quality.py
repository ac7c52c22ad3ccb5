"""The quality summary, on readings whose quality is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.quality import assess, assess_series
from eugenie_cli.history.store import History
from eugenie_cli.sources.tables import duration, share

NAN = math.nan


def series(ts: list[int], value: list[float], low=-math.inf, high=math.inf):
    return assess_series("a", "x", np.array(ts, np.int64), np.array(value, float), low, high)


def test_shares_period_and_gap():
    found = series([0, 1000, 2000, 3000, 20_000], [1.0, NAN, 99.0, 2.0, 3.0], 0.0, 10.0)
    assert (found.readings, found.start_ms, found.end_ms, found.median_period_ms) == (5, 0, 20_000, 1000)
    assert (found.bad, found.out_of_range) == (0.2, 0.2)
    assert (found.longest_gap_ms, found.longest_gap_start_ms) == (17_000, 3000)


def test_a_gap_is_time_without_a_good_reading():
    found = series([0, 1000, 2000, 3000], [1.0, NAN, NAN, 2.0])
    assert found.longest_gap_ms == 3000


def test_a_stuck_sensor_is_flat_a_noisy_one_is_not_and_missing_values_are_not_flat():
    assert series(list(range(100)), [5.0] * 60 + [float(k) for k in range(40)]).flat == 0.6
    assert series(list(range(100)), [float(k % 2) for k in range(100)]).flat == 0.0
    assert series(list(range(100)), [NAN] * 100).flat == 0.0
    assert series(list(range(29)), [5.0] * 29).flat == 0.0


def test_nothing_and_one_reading():
    assert series([], []).readings == 0
    one = series([5], [1.0])
    assert (one.median_period_ms, one.longest_gap_ms) == (None, None)


def test_every_sensor_of_the_chosen_assets_is_listed(tmp_path):
    site, history = pump_site(tmp_path), History(tmp_path)
    history.commit("s", [Batch.of([("p1", "pressure", 0, 20.0), ("p1", "pressure", 1000, 5.0)])])
    found = {sensor.sensor: sensor for sensor in assess(site, history, ["p1"])}
    assert list(found) == ["flow", "pressure", "motor current"]
    assert found["flow"].readings == 0
    assert found["pressure"].out_of_range == 0.5
    assert len(assess(site, history)) == 6
    with pytest.raises(EugenieError, match="no asset p7"):
        assess(site, history, ["p7"])


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, ""), (0, "0 ms"), (999, "999 ms"), (1000, "1 s"), (90_000, "1.5 min"), (7_200_000, "2 h")],
)
def test_durations_for_people(milliseconds, text):
    assert duration(milliseconds) == text


@pytest.mark.parametrize(("fraction", "text"), [(0.0, "0"), (0.0001, "<0.1 %"), (0.049, "4.9 %"), (1.0, "100.0 %")])
def test_shares_for_people(fraction, text):
    assert share(fraction) == text
