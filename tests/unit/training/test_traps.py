"""Normal rows with a trap: every detector type still finds the fault, and raises no standing alarm."""

from __future__ import annotations

import numpy as np
import pytest
from support.trapped_plant import (
    NORMAL,
    PRESSURE,
    SENSORS,
    TRAP,
    Trap,
    fault,
    live,
    messages,
    plant,
    trained,
)

from eugenie_cli.detection.detectors import registry
from eugenie_cli.errors import EugenieError

pytestmark = pytest.mark.slow


def wild(value: float, *places: int) -> Trap:
    def trap(rows: np.ndarray) -> None:
        rows[list(places), PRESSURE] = value

    return trap


def unit(since: int) -> Trap:
    def trap(rows: np.ndarray) -> None:
        rows[since:, PRESSURE] *= 14.5

    return trap


def still(before: float, after: float) -> Trap:
    def trap(rows: np.ndarray) -> None:
        rows[:NORMAL, TRAP], rows[NORMAL:, TRAP] = before, after

    return trap


TRAPS: dict[str, Trap] = {
    "nothing": lambda _: None,
    "a spike": wild(1e6, 700),
    "a spike among the rows that calibrate": wild(-1e6, 2100),
    "the largest number": wild(3.4e38, 700),
    "infinity": wild(np.inf, 700, 2100),
    "a run of fault codes": wild(-9999.0, *range(900, 910), *range(2000, 2010)),
    "another unit for half of the time": unit(1200),
    "another unit of late": unit(NORMAL - 200),
    "a constant that moves by its last digit": still(5.0, 5.001),
    "a constant that moves": still(5.0, 5.02),
    "a valve that opens first": still(0.0, 1.0),
    "a sensor that comes later": still(np.nan, 5.0),
    "a sensor that is never there": still(np.nan, np.nan),
}


def check(kind: str, trap: Trap, size: float, share: float = 0.5) -> None:
    assets = [plant(number) for number in range(2)]
    for rows in assets:
        trap(rows)
    fault(assets[0], size)
    quiet, faulty = live(trained(kind, assets), assets[0])
    assert np.nanmean(quiet > 1) <= 0.05
    assert np.mean(faulty > 1) > share


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [*(("mewma", name) for name in TRAPS), *(("pca-q", name) for name in TRAPS if "constant" in name)],
)
def test_a_trap_neither_blinds_a_detector_nor_causes_a_standing_alarm(kind: str, name: str) -> None:
    check(kind, TRAPS[name], 1.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("pca-t2", "a run of fault codes"),
        ("isolation-forest", "a valve that opens first"),
        ("lstm", "another unit of late"),
        ("lstm", "a constant that moves"),
        ("minlstm", "another unit of late"),
        ("minlstm", "a constant that moves"),
    ],
)
def test_the_other_types_withstand_traps_too(kind: str, name: str) -> None:
    check(kind, TRAPS[name], 3.0, 0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "second"),
    [
        ("pca-t2", "none"),
        ("pca-t2", "missing"),
        ("mewma", "constant"),
        ("mewma", "missing"),
        ("isolation-forest", "none"),
    ],
)
def test_a_class_of_one_sensor_is_a_class(kind: str, second: str) -> None:
    assets = [plant(number) for number in range(2)]
    fault(assets[0], 3.0)
    columns = [PRESSURE] if second == "none" else [PRESSURE, TRAP]
    for rows in assets:
        rows[:, TRAP] = np.nan if second == "missing" else 7.0
    few = [rows[:, columns] for rows in assets]
    quiet, faulty = live(trained(kind, few, tuple(SENSORS[column] for column in columns)), few[0])
    assert np.nanmean(quiet > 1) <= 0.05
    assert np.mean(faulty > 1) > 0.5


def test_a_sensor_that_never_moved_is_named_and_a_class_of_such_sensors_is_refused() -> None:
    assets = [plant(number) for number in range(2)]
    assets[1][:, TRAP] = 5.0
    (message,) = messages(assets)
    assert message.startswith("trap never moves in the normal rows of pump-1: a difference of a few per cent")
    for rows in assets:
        rows[:, TRAP] = 0.0
    assert messages(assets) == ["trap never moves in the normal rows of pump-0, pump-1: not scored there"]
    frozen = [np.zeros((NORMAL, 1), np.float32)] * 2
    for kind in ("mewma", *registry.FORECASTERS):
        with pytest.raises(EugenieError, match=r"never moves|ever moves"):
            trained(kind, frozen, ("a",))


@pytest.mark.slow
def test_a_sensor_that_was_stuck_during_training_may_move_like_those_of_other_assets() -> None:
    assets = [plant(number) for number in range(3)]
    assets[0][:NORMAL, TRAP] = 5.0
    quiet, _ = live(trained("mewma", assets), assets[0])
    assert np.nanmean(quiet > 1) <= 0.05
    assets[0][NORMAL:, TRAP] += 8
    quiet, _ = live(trained("mewma", assets), assets[0])
    assert np.mean(quiet[30:] > 1) > 0.9
