"""Kinds of traps in normal rows, and what right looks like: the pressure's fault is found with few false alarms, or
training says what is wrong. A trap is laid in every asset; the first one has the fault."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from support.trapped_plant import (
    NORMAL,
    PRESSURE,
    QUIET,
    SENSORS,
    TRAP,
    Trap,
    fault,
    grids_of,
    live,
    messages,
    plant,
    trained,
)

from eugenie_cli.detection.scoring import ScoringModule

pytestmark = pytest.mark.slow

CURRENT = 1
CALIBRATING = 2000


def cells(column: int, first: int, last: int | None, value: float) -> Trap:
    def trap(rows: np.ndarray) -> None:
        rows[first:last, column] = value

    return trap


def changed(column: int, change, first: int = 0, last: int | None = None) -> Trap:
    def trap(rows: np.ndarray) -> None:
        rows[first:last, column] = change(rows[first:last, column].astype(np.float64))

    return trap


def each(*traps: Trap) -> Trap:
    def trap(rows: np.ndarray) -> None:
        for one_of_them in traps:
            one_of_them(rows)

    return trap


def counter(limit: float) -> Trap:
    def trap(rows: np.ndarray) -> None:
        rows[:, TRAP] = np.cumsum(1 + rows[:, 0] / 50, dtype=np.float64) % limit

    return trap


def mode(*states: float, rows_each: int = 150) -> Trap:
    def trap(rows: np.ndarray) -> None:
        rows[:, TRAP] = np.array(states)[np.arange(len(rows)) // rows_each % len(states)]

    return trap


class Right(NamedTuple):
    """`said`: a part of a message about the trap; `found`: whether the fault of the usual size must be found;
    `quiet`: the largest share of quiet rows above 1."""

    trap: Trap
    said: str = ""
    found: bool = True
    quiet: float = 0.05


TRAPS = {
    "a wild run among the rows that calibrate": Right(cells(PRESSURE, 2100, 2108, 1e5), "8 values (1e+05"),
    "two wild runs, each with a code of its own": Right(
        each(cells(PRESSURE, 500, 510, -9999), cells(PRESSURE, 1500, 1508, 65535)), "18 values (-9999 to 6.554e+04"
    ),
    "both runs among the rows that calibrate": Right(
        each(cells(PRESSURE, 2100, 2105, -9999), cells(PRESSURE, 2300, 2305, 65535)), "10 values"
    ),
    "zeros while a logger is down": Right(
        each(cells(PRESSURE, 500, 512, 0.0), cells(PRESSURE, 2200, 2206, 0.0)), "18 values (0,"
    ),
    "a spike in two sensors at once": Right(
        each(cells(PRESSURE, 700, 702, 1e6), cells(CURRENT, 700, 702, 1e6)), "current: 2 values (1e+06"
    ),
    "frozen for a quarter": Right(cells(PRESSURE, 600, 1200, 75.0), "pressure stands still at 75 from"),
    "frozen at the end": Right(cells(PRESSURE, CALIBRATING, NORMAL, 75.0), "pressure stands still at 75 from"),
    "another sensor frozen nearly always": Right(cells(TRAP, 0, 2200, 5.0), "trap never moves"),
    "another sensor frozen since before calibration": Right(
        cells(TRAP, 1700, NORMAL, 5.0), "trap stands still at 5 from", quiet=0.15
    ),
    "another sensor missing since before calibration": Right(
        cells(TRAP, 1700, NORMAL, np.nan), "trap has no value from", quiet=0.15
    ),
    "another sensor that comes late": Right(cells(TRAP, 0, 1700, np.nan), "trap has no value from"),
    "two sensors that are missing later": Right(
        each(cells(CURRENT, NORMAL + 50, None, np.nan), cells(TRAP, NORMAL + 50, None, np.nan))
    ),
    "a unit changed and changed back": Right(
        changed(PRESSURE, lambda bar: bar * 14.5, 600, 1200), "pressure changes its unit or range"
    ),
    "a unit changed and changed back twice": Right(
        each(*(changed(PRESSURE, lambda bar: bar * 14.5, *when) for when in ((600, 1200), (1500, 1900)))),
        "pressure changes its unit or range",
    ),
    "°C to °F": Right(
        changed(PRESSURE, lambda celsius: celsius * 1.8 + 32, 1200), "1.8 times the earlier ones plus 32"
    ),
    "a sign turned round": Right(changed(PRESSURE, np.negative, 1200), "-1 times the earlier ones"),
    "an offset after maintenance": Right(
        changed(PRESSURE, lambda bar: bar + 20, 1200), "pressure steps from 72.04 to 94.25", found=False
    ),
    "an offset just before the end": Right(changed(TRAP, lambda bar: bar + 20, 2300), "trap steps from", found=False),
    "saturated high": Right(changed(TRAP, lambda value: np.minimum(value, 5.0))),
    "saturated low": Right(changed(TRAP, lambda value: np.maximum(value, 5.5))),
    "its own range ends low": Right(changed(PRESSURE, lambda bar: np.maximum(bar, 74.0))),
    "whole numbers": Right(each(changed(PRESSURE, np.round), changed(TRAP, np.round))),
    "steps of four": Right(changed(PRESSURE, lambda bar: np.round(bar / 4) * 4)),
    "a counter that starts again": Right(counter(500)),
    "a counter that rarely starts again": Right(counter(2000)),
    "a counter that never starts again": Right(counter(1e9)),
    "a mode": Right(mode(0, 1, 2)),
    "a mode that was on once": Right(mode(*[0] * 7, 1)),
    "vacuum": Right(changed(PRESSURE, lambda bar: bar * 1e-9)),
    "very large values": Right(changed(PRESSURE, lambda bar: bar * 1e12)),
    "a small movement of a large value": Right(changed(PRESSURE, lambda bar: bar / 100 + 1000)),
    "a large value at single precision": Right(changed(TRAP, lambda value: value + 1e6)),
    "a last digit that flickers": Right(changed(TRAP, lambda value: np.where(value > 5, 5.001, 5.0))),
    "decades": Right(changed(TRAP, lambda value: 10 ** (3 * (value - 5))), "some values are far from the usual range"),
}


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_withstood_or_named(name: str) -> None:
    right = TRAPS[name]
    assets = [plant(number) for number in range(2)]
    for rows in assets:
        right.trap(rows)
    fault(assets[0], 1.5)
    said = [*grids_of("mewma", assets)[0].doubts, *messages(assets)]
    assert not right.said or any(right.said in message for message in said), said
    quiet, faulty = live(trained("mewma", assets), assets[0])
    assert np.nanmean(quiet > 1) <= right.quiet
    assert not right.found or np.mean(faulty > 1) > 0.5


def test_plain_rows_are_not_talked_about() -> None:
    assets = [plant(number) for number in range(2)]
    assert grids_of("mewma", assets)[0].doubts == ()
    assert messages(assets) == []


@pytest.mark.parametrize(
    ("name", "trap"),
    [
        ("a state never seen", each(mode(0, 1), cells(TRAP, NORMAL + 100, None, 2.0))),
        ("an offset in live rows", changed(TRAP, lambda value: value + 20, NORMAL + 100)),
        ("a unit in live rows", changed(TRAP, lambda value: value * 14.5, NORMAL + 100)),
    ],
)
def test_what_was_never_learnt_is_blamed_on_its_sensor(name: str, trap: Trap) -> None:
    assets = [plant(number) for number in range(2)]
    for rows in assets:
        trap(rows)
    detector = trained("mewma", assets)
    answer = ScoringModule(detector).serving_default(
        tf.constant(["pump-0"]), tf.constant(assets[0][None, NORMAL : NORMAL + QUIET])
    )
    late = answer["score"].numpy()[0] > 1
    assert late[-100:].mean() > 0.9, name
    assert (answer["contribution"].numpy()[0][late].argmax(axis=1) == TRAP).mean() > 0.9


def test_a_sensor_that_only_one_asset_has_costs_neither_its_alarms() -> None:
    assets = [plant(number) for number in range(3)]
    for rows in assets[1:]:
        rows[:, TRAP] = np.nan
    fault(assets[0], 1.5)
    (message,) = messages(assets)
    assert message == "trap never moves in the normal rows of pump-1, pump-2: not scored there"
    detector = trained("mewma", assets)
    quiet, faulty = live(detector, assets[0])
    assert np.nanmean(quiet > 1) <= 0.05
    assert np.mean(faulty > 1) > 0.5
    assert detector.sensors == SENSORS
    score = (
        ScoringModule(detector)
        .serving_default(
            tf.constant(["pump-1"]), tf.constant(assets[1][None, NORMAL - detector.window + 1 : NORMAL + QUIET])
        )["score"]
        .numpy()[0]
    )
    assert np.isfinite(score).all()
    assert np.mean(score > 1) <= 0.05
