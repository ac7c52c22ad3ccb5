"""External influences on the plant: the daily load, its operators, the weather. Faults do not change them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eugenie_cli.demo.plant.equipment import BOOSTER_PUMPS, FEED_PUMPS
from eugenie_cli.demo.plant.randomness import Floats, generator, lag, set_points, wander

TICK_MS = 5_000  # hydraulics settle within seconds; everything slower is resolved
TICK_S = TICK_MS / 1_000


@dataclass(frozen=True)
class Operation:
    """Time series of one span, one row per tick.

    ts int64 [T] ms; speed [T, 4] share of rated; valve [T, 4] opening 0..1; consumers [T] m3/h per sqrt(bar);
    ambient, tank_temperature [T] degC; tank_level [T] m.
    """

    ts: np.ndarray
    speed: Floats
    valve: Floats
    consumers: Floats
    ambient: Floats
    tank_temperature: Floats
    tank_level: Floats


def operate(seed: int, start_ms: int, end_ms: int) -> Operation:
    """The operation of [start, end]; a later `end_ms` continues the same operation."""
    ts = np.arange(start_ms, end_ms + TICK_MS, TICK_MS, dtype=np.int64)
    ticks = len(ts)
    hour: Floats = ts / 3_600_000 % 24

    # production follows the shifts; operators change it every half hour, consumers every minute
    day = 0.74 + 0.06 * np.sin(2 * np.pi * (hour - 8) / 24) + 0.02 * np.sin(4 * np.pi * (hour - 10) / 24)
    orders = set_points(generator(seed, "orders"), ticks, 1, 0.12, 1_500, TICK_S)[:, 0]
    load = lag(np.clip(day + orders, 0.45, 1.0), 120, TICK_S)
    restless = wander(generator(seed, "consumers"), ticks, 1, 0.02, 60, TICK_S)[:, 0]
    draw = load * (1 + restless)

    feed_trim = set_points(generator(seed, "feed-trim"), ticks, len(FEED_PUMPS), 0.015, 2_400, TICK_S)
    governor = wander(generator(seed, "governor"), ticks, len(FEED_PUMPS), 0.0015, 30, TICK_S)
    speed = np.clip(lag(0.72 + 0.27 * load[:, None] + feed_trim, 45, TICK_S) + governor, 0.6, 1.05)

    valve_trim = set_points(generator(seed, "valve-trim"), ticks, len(BOOSTER_PUMPS), 0.06, 1_800, TICK_S)
    control = wander(generator(seed, "valve-control"), ticks, len(BOOSTER_PUMPS), 0.006, 45, TICK_S)
    valve = np.clip(lag(0.46 + 0.34 * load[:, None] + valve_trim, 30, TICK_S) + control, 0.3, 0.95)

    weather = wander(generator(seed, "weather"), ticks, 1, 1.2, 4 * 3_600, TICK_S)[:, 0]
    ambient = 19 + 4.5 * np.sin(2 * np.pi * (hour - 9) / 24) + weather
    # the tank is heated by the process it cools; a slow make-up control, which load disturbs, holds its level
    tank_temperature = lag(10 + 0.7 * ambient + 14 * load, 2_400, TICK_S)
    filling = wander(generator(seed, "filling"), ticks, 1, 0.05, 900, TICK_S)[:, 0]
    tank_level = 4.0 + filling - 1.5 * (load - lag(load, 1_800, TICK_S))
    consumers: Floats = 235.0 * draw
    return Operation(ts, speed, valve, consumers, ambient, tank_temperature, tank_level)
