"""Wild values are distinguished from rare ones, and a change of unit from a change of the plant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eugenie_cli.history.grid import Grid
from eugenie_cli.site.schema import Sensor
from eugenie_cli.training import blind_sensors, datasets, outliers, rescaled

ROWS = 4000
SENSORS = tuple(Sensor(name=name) for name in ("load", "current", "pressure"))


def plant(seed: int = 0) -> np.ndarray:
    """One load drives three sensors, float32 [ROWS, 3]."""
    random = np.random.default_rng(seed)
    load = 50 + 10 * np.sin(2 * np.pi * np.arange(ROWS) / 700) + random.normal(0, 1, ROWS)
    noise = random.normal(size=(ROWS, 3))
    return (np.stack([load, 0.2 * load, 60 + 0.3 * load], axis=1) + noise * [0.5, 0.2, 0.3]).astype(np.float32)


def at(count: int, together: bool = False) -> np.ndarray:
    random = np.random.default_rng(1)
    return 1500 + np.arange(count) if together else np.sort(random.choice(ROWS, count, replace=False))


def drop(rows: np.ndarray, **limits: Any) -> tuple[outliers.Wild, ...]:
    limited = [(False, False), (False, False), (limits.get("low", False), limits.get("high", False))]
    return outliers.drop(rows, np.ones(len(rows), np.int8), limited)


@pytest.mark.parametrize("value", [1e6, -1e9, -9999.0, 0.0, 200.0, 3.4e38, np.inf, -np.inf])
@pytest.mark.parametrize(("count", "together"), [(1, False), (3, False), (10, True), (ROWS // 200, False)])
def test_wild_values_and_no_others_are_removed(value: float, count: int, together: bool) -> None:
    clean = plant()
    rows, places = clean.copy(), at(count, together)
    rows[places, 2] = value
    wild_values = drop(rows)
    assert np.isnan(rows[places, 2]).all()
    assert np.isnan(rows).sum() == count
    np.testing.assert_array_equal(rows[~np.isnan(rows)], clean[~np.isnan(rows)])
    removed = [(wild.sensor, wild.rows.tolist()) for wild in wild_values]
    assert removed == ([(2, places.tolist())] if np.isfinite(value) else [])


def test_wild_values_of_many_sizes_and_signs_are_found_together() -> None:
    rows, places = plant(), at(20)
    rows[places, 2] += np.geomspace(200, 1e12, 20) * np.where(np.arange(20) % 2, 1, -1)
    (wild,) = drop(rows)
    assert wild.rows.tolist() == places.tolist()
    assert 60 < wild.least < wild.most < 90


def test_a_logger_that_writes_nonsense_for_all_sensors_writes_wild_values() -> None:
    for values in (-9999.0, [1e6, 2e7, 3e5]):
        rows = plant()
        rows[1500:1510] = values
        assert {wild.sensor for wild in drop(rows)} == {0, 1, 2}
        assert np.isnan(rows[1500:1510]).all()


def still(level: float, other: float, count: int) -> np.ndarray:
    return np.where(np.isin(np.arange(ROWS), at(count)), other, level)


STANDBY = np.where(np.arange(ROWS) % 1000 < 9, 1.0, 0.0)  # a weekly test, .9 % of the time
RARE = {
    "a valve that opens rarely": still(0, 1, 7),
    "a pump that starts rarely": still(0, 37.8, 40),
    "a set point that differs rarely": still(5, 8, 20),
    "a constant": np.full(ROWS, 5.0),
    "bursts": np.random.default_rng(2).exponential(1.0, ROWS) ** 2,
    "long tails": np.random.default_rng(3).standard_t(3, ROWS),
    "two levels": np.where(np.arange(ROWS) // 500 % 2, 100.0, 1.0) + np.random.default_rng(4).normal(0, 0.1, ROWS),
    "whole numbers": np.round(np.random.default_rng(5).normal(3, 0.4, ROWS)),
}


@pytest.mark.parametrize("name", RARE)
def test_rare_values_stay(name: str) -> None:
    rows = plant()
    rows[:, 1] = RARE[name]
    assert drop(rows) == ()
    assert rescaled.convert(rows, np.ones(ROWS, np.int8)) == ()


def test_a_test_run_that_other_sensors_share_is_operation() -> None:
    random = np.random.default_rng(6)
    flow = 0.01 + 0.005 * random.normal(size=ROWS) + STANDBY * 100
    rows = np.stack([flow, STANDBY, 20 + random.normal(size=ROWS)], axis=1).astype(np.float32)
    assert drop(rows) == ()
    alone = rows.copy()
    alone[:, 1] = 0
    assert [wild.sensor for wild in drop(alone)] == [0]


def test_limits_of_the_site_file_take_precedence() -> None:
    rows = plant()
    rows[at(5), 2] = 500
    assert drop(rows.copy(), high=True) == ()
    assert len(drop(rows, low=True)) == 1


FACTORS = {
    "bar to psi": (14.5038, 0.0),
    "kPa to MPa": (1e-3, 0.0),
    "m3/h to l/s": (1 / 3.6, 0.0),
    "kg to lb": (2.2046, 0.0),
    "an odd range": (5.3, 0.0),
    "°C to °F": (1.8, 32.0),
    "°F to °C": (1 / 1.8, -32 / 1.8),
    "°C to K": (1.0, 273.15),
    "another sign": (-1.0, 0.0),
}


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("since", [600, 2000, ROWS - 300])
def test_values_before_a_change_of_unit_are_converted(name: str, since: int) -> None:
    factor, offset = FACTORS[name]
    clean = plant()
    converted = clean[:, 2] * factor + offset
    rows = clean.copy()
    rows[since:, 2] = converted[since:]
    (change,) = rescaled.convert(rows, np.ones(ROWS, np.int8))
    assert (change.sensor, change.row) == (2, since)
    assert change.factor == pytest.approx(factor, rel=0.05 if name == "an odd range" else 1e-3)
    # the rest of the step is small compared with the sensor's own movement
    assert np.abs(rows[:, 2] - converted).mean() < (0.5 if name == "an odd range" else 0.1) * converted.std()
    np.testing.assert_array_equal(rows[:, :2], clean[:, :2])


def test_a_unit_that_was_wrong_for_a_while_is_converted_too() -> None:
    rows = plant()
    clean = rows.copy()
    rows[1000:1800, 2] *= 100
    (change,) = rescaled.convert(rows, np.ones(ROWS, np.int8))
    assert change.factor == pytest.approx(0.01)
    np.testing.assert_allclose(rows, clean, rtol=1e-5)


def test_a_new_operating_level_is_reported_and_not_converted() -> None:
    rows = plant()
    rows[2000:, 1] += 25  # the level, not the noise
    alone = rows.copy()
    (change,) = rescaled.convert(alone, np.ones(ROWS, np.int8))
    assert change.factor is None
    np.testing.assert_array_equal(alone, rows)
    assert "does not return" in rescaled.describe(change, "current", "2026-01-01")
    rows[2000:, 2] *= 3  # two sensors, by different factors: another operation, not another unit
    rows[2000:, 1] *= 2
    assert all(other.factor is None for other in rescaled.convert(rows.copy(), np.ones(ROWS, np.int8)))


def test_rows_are_mended_before_they_are_divided_and_each_change_is_reported() -> None:
    values = plant()
    values[at(10), 2] = 1e6
    values[2000:, 2] *= 10
    values[7] = np.nan
    grid = Grid("pump", np.arange(ROWS, dtype=np.int64) * 1000, values)
    mended = datasets.split(grid, np.ones(ROWS, bool), 0.25, SENSORS)
    assert np.nanmax(mended.rows[:, 2]) < 1000
    assert mended.rows[:2000, 2][np.isfinite(mended.rows[:2000, 2])].mean() > 500
    assert mended.part[7] == datasets.UNUSED
    spike, unit = mended.doubts
    assert spike.startswith("pressure: 10 values (1e+06") and "`low` and `high`" in spike
    assert unit.startswith("pressure changes its unit or range at 1970-01-01T00:33:20") and "10 times" in unit
    alone = datasets.split(Grid("pump", grid.edges, values[:, 2:]), np.ones(ROWS, bool), 0.25, SENSORS[2:])
    assert (alone.part[at(10)] == datasets.UNUSED).all()  # rows of one sensor are empty without it


def codes(share: float, value: float) -> np.ndarray:
    rows = plant()
    rows[at(int(share * ROWS)), 2] = value
    return rows


def nonsense_together() -> np.ndarray:
    rows = plant()
    rows[1500:1530] = [-9999.0, 1e6, 65535.0]
    return rows


@pytest.mark.parametrize("rows", [codes(0.02, -9999.0), codes(0.1, 65535.0), codes(0.03, 1e6), nonsense_together()])
def test_far_values_that_may_be_operation_are_kept_and_reported(rows: np.ndarray) -> None:
    assert drop(rows.copy()) == ()
    grid = Grid("pump", np.arange(ROWS, dtype=np.int64) * 1000, rows)
    (message,) = datasets.split(grid, np.ones(ROWS, bool), 0.25, SENSORS).doubts
    assert message.startswith("some values are far from the usual range and count as normal: ")
    assert "pressure (" in message and "`low` and `high`" in message and "exclude" in message


@pytest.mark.parametrize("name", RARE)
def test_nothing_is_reported_about_usual_rows(name: str) -> None:
    rows = plant()
    rows[:, 1] = RARE[name]
    assert blind_sensors.blinded(rows, np.ones(ROWS, np.int8)) == ()
