"""The plant's physics, tick by tick: hydraulics in equilibrium, power, heat with thermal lag, vibration.

Pump curve and affinity laws: head = a s^2 - b Q^2, s = speed / rated (Gülich, Centrifugal Pumps, ch. 4).
Valves and strainers: dp = Q^2 / Cv^2 (IEC 60534-2-1, turbulent, water). NPSH: ISO 17769-1..
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eugenie_cli.demo.plant.equipment import BOOSTER_PUMPS, FEED_PUMPS, Pump
from eugenie_cli.demo.plant.operation import TICK_S, Operation
from eugenie_cli.demo.plant.randomness import Floats, lag

# feed pumps, rated 205 m3/h at 6.3 bar and 2950 rpm
FEED_SHUT_OFF_BAR = 8.4
FEED_CURVE = 5.0e-5  # bar per (m3/h)^2
FEED_BEST_FLOW = 205.0
FEED_RATED_RPM = 2_950.0
STRAINER = 3.6e-6  # bar per (m3/h)^2: 0.15 bar at rated flow
DISCHARGE_LINE = 1.0e-5
SUCTION_ELEVATION_BAR = -0.25  # the pumps stand above the tank
# booster pumps, rated 90 m3/h at 3.0 bar
BOOSTER_HEAD_BAR = 3.6
BOOSTER_CURVE = 7.0e-5
BOOSTER_BEST_FLOW = 90.0
RETURN_BAR = 0.5
COOLER_LINE = 3.2e-4
VALVE_CV = 70.0  # m3/h per sqrt(bar), fully open; equal percentage
VALVE_RANGE = 30.0

ATMOSPHERE_BAR = 1.013
BAR_PER_METRE = 0.0981
MOTOR_KW_PER_A = np.sqrt(3) * 0.4 * 0.86 * 0.93
NEWTON_STEPS = 7
CAVITATION_ROUNDS = 3  # cavitation changes the flow that causes it


@dataclass(frozen=True)
class Wear:
    """The state of the machines, all zero when healthy: float [T, pumps of the class].

    npsh_loss: metres of additional NPSH that the damaged inlet requires; blockage: relative increase of the strainer's
    resistance; leak: conductance past a closed bypass valve, m3/h per sqrt(bar); *_bearing: relative increase of
    friction.
    """

    npsh_loss: Floats
    blockage: Floats
    feed_bearing: Floats
    leak: Floats
    booster_bearing: Floats

    @staticmethod
    def none(ticks: int) -> Wear:
        feed, booster = np.zeros((ticks, len(FEED_PUMPS))), np.zeros((ticks, len(BOOSTER_PUMPS)))
        return Wear(feed.copy(), feed.copy(), feed.copy(), booster.copy(), booster.copy())


def simulate(operation: Operation, wear: Wear) -> dict[str, dict[str, Floats]]:
    """True values: asset -> sensor -> float [T], in the instruments' units."""
    suction_bar = SUCTION_ELEVATION_BAR + BAR_PER_METRE * operation.tank_level
    vapour_bar = vapour_pressure_bar(operation.tank_temperature)
    head = _column(FEED_PUMPS, "head") * FEED_SHUT_OFF_BAR * operation.speed**2
    strainer = STRAINER * (1 + wear.blockage)
    bypass_and_valve = _booster_conductance(operation.valve) + wear.leak

    cavitation = np.zeros_like(head)
    for _ in range(CAVITATION_ROUNDS):
        header = _header_pressure(operation, head * (1 - 0.10 * cavitation), strainer, suction_bar, bypass_and_valve)
        flow = _feed_flow(header, head * (1 - 0.10 * cavitation), strainer, suction_bar)
        eye_bar = suction_bar[:, None] - strainer * flow**2
        available = (eye_bar + ATMOSPHERE_BAR - vapour_bar[:, None]) / BAR_PER_METRE
        required = 3.0 + 3.0 * (flow / FEED_BEST_FLOW) ** 2 + wear.npsh_loss
        cavitation = _cavitation(available - required)
    values = _feed(operation, wear, header, flow, eye_bar, strainer, cavitation)
    values.update(_boosters(operation, wear, header, bypass_and_valve))
    return values


def vapour_pressure_bar(temperature: Floats) -> Floats:
    """Vapour pressure of water, bar absolute (Magnus formula)."""
    return 6.112e-3 * np.exp(17.62 * temperature / (243.12 + temperature))


def efficiency(flow: Floats, speed: Floats | float, best_flow: float) -> Floats:
    """Pump efficiency: a parabola over the flow coefficient, which by affinity is valid at any speed."""
    return 0.79 * (1 - 0.9 * (flow / speed / best_flow - 1) ** 2)


def _column(pumps: tuple[Pump, ...], name: str) -> Floats:
    return np.array([getattr(pump, name) for pump in pumps])


def _feed_flow(header: Floats, head: Floats, strainer: Floats, suction_bar: Floats) -> Floats:
    drive = suction_bar[:, None] + head - header[:, None]
    return np.sqrt(np.maximum(drive, 1e-3) / (FEED_CURVE + strainer + DISCHARGE_LINE))


def _booster_conductance(valve: Floats) -> Floats:
    """The conductance of the control valve and the cooler in series, m3/h per sqrt(bar)."""
    cv = VALVE_CV * VALVE_RANGE ** (valve - 1)
    return 1 / np.sqrt(COOLER_LINE + 1 / cv**2)


def _booster_flow(header: Floats, conductance: Floats) -> Floats:
    head = _column(BOOSTER_PUMPS, "head") * BOOSTER_HEAD_BAR
    return np.sqrt(np.maximum(header[:, None] + head - RETURN_BAR, 1e-3) / (BOOSTER_CURVE + 1 / conductance**2))


def _header_pressure(
    operation: Operation, head: Floats, strainer: Floats, suction_bar: Floats, conductance: Floats
) -> Floats:
    """The pressure at which the feed pumps deliver exactly the demand, by Newton's method: the balance is monotone."""
    pressure = np.full(len(operation.ts), 5.0)
    width = 1e-4
    for _ in range(NEWTON_STEPS):
        here, there = (
            _feed_flow(p, head, strainer, suction_bar).sum(1)
            - _booster_flow(p, conductance).sum(1)
            - operation.consumers * np.sqrt(np.maximum(p, 1e-3))
            for p in (pressure, pressure + width)
        )
        pressure = np.clip(pressure - here * width / (there - here), 0.2, 9.5)
    return pressure


def _cavitation(margin_m: Floats) -> Floats:
    """0 with an ample NPSH margin, rising smoothly to 1 where the impeller's eye is full of vapour."""
    return 1 / (1 + np.exp((margin_m - 0.6) / 0.35))


def _feed(
    operation: Operation,
    wear: Wear,
    header: Floats,
    flow: Floats,
    eye_bar: Floats,
    strainer: Floats,
    cavitation: Floats,
) -> dict[str, dict[str, Floats]]:
    speed, balance = operation.speed, _column(FEED_PUMPS, "balance")
    discharge = header[:, None] + DISCHARGE_LINE * flow**2
    hydraulic_kw = (discharge - eye_bar) * flow / 36
    friction_kw = 0.55 * speed**2 * (1 + wear.feed_bearing)
    share = _column(FEED_PUMPS, "efficiency") * efficiency(flow, speed, FEED_BEST_FLOW) * (1 - 0.15 * cavitation)
    shaft_kw = hydraulic_kw / share + friction_kw
    bearing = _bearing_temperature(operation, friction_kw, 30.0, _column(FEED_PUMPS, "thermal"), 720)
    off_best = (flow / speed / FEED_BEST_FLOW - 1) ** 2
    vibration = (
        balance * speed**2 * (1.5 + 4 * off_best) + 4.5 * cavitation * speed + 0.45 * wear.feed_bearing * speed**2
    )
    series = {
        "suction_pressure": eye_bar,
        "discharge_pressure": discharge,
        "flow": flow,
        "speed": FEED_RATED_RPM * speed,
        "motor_current": shaft_kw / MOTOR_KW_PER_A,
        "bearing_temperature": bearing,
        "vibration": vibration,
        "filter_dp": 1_000 * strainer * flow**2,
    }
    return _by_pump(FEED_PUMPS, series)


def _boosters(operation: Operation, wear: Wear, header: Floats, conductance: Floats) -> dict[str, dict[str, Floats]]:
    flow = _booster_flow(header, conductance)
    balance, thermal = _column(BOOSTER_PUMPS, "balance"), _column(BOOSTER_PUMPS, "thermal")
    discharge = RETURN_BAR + (flow / conductance) ** 2
    metered = flow * (conductance - wear.leak) / conductance  # the meter is behind the bypass branch
    friction_kw = 0.28 * (1 + wear.booster_bearing) * np.ones_like(flow)
    share = _column(BOOSTER_PUMPS, "efficiency") * efficiency(flow, 1.0, BOOSTER_BEST_FLOW)
    shaft_kw = (discharge - header[:, None]) * flow / 36 / share + friction_kw
    winding = lag(operation.ambient[:, None] + 6 + 48 * thermal * (shaft_kw / 11) ** 2, 1_200, TICK_S)
    bearing = _bearing_temperature(operation, friction_kw, 62.0, thermal, 600)
    off_best = (flow / BOOSTER_BEST_FLOW - 1) ** 2
    vibration = balance * (1.2 + 5 * off_best) + 0.40 * wear.booster_bearing
    series = {
        "suction_pressure": np.repeat(header[:, None], len(BOOSTER_PUMPS), 1),
        "discharge_pressure": discharge,
        "flow": metered,
        "valve_position": 100 * operation.valve,
        "motor_power": shaft_kw / 0.92,
        "winding_temperature": winding,
        "bearing_temperature": bearing,
        "vibration": vibration,
    }
    return _by_pump(BOOSTER_PUMPS, series)


def _bearing_temperature(
    operation: Operation, friction_kw: Floats, rise_per_kw: float, thermal: Floats, time_constant_s: float
) -> Floats:
    """A mix of ambient and fluid temperature plus the friction's heat, with the housing's thermal lag, degC."""
    base = 0.75 * operation.ambient + 0.25 * operation.tank_temperature
    return lag(base[:, None] + 8 + rise_per_kw * thermal * friction_kw, time_constant_s, TICK_S)


def _by_pump(pumps: tuple[Pump, ...], series: dict[str, Floats]) -> dict[str, dict[str, Floats]]:
    return {pump.name: {sensor: series[sensor][:, i] for sensor in pump.sensors} for i, pump in enumerate(pumps)}
