"""Faults of the simulated plant: their growth, and the sensors that truly show them.

Machine faults act through the physics, instrument faults on the instrument alone. Each grows linearly from its onset to
its full size, stays there, and is repaired at its end. The detector has no access to any of this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eugenie_cli.demo.plant.equipment import BOOSTER_CLASS, BOOSTER_PUMPS, FEED_CLASS, FEED_PUMPS, PUMPS
from eugenie_cli.demo.plant.physics import Wear
from eugenie_cli.demo.plant.randomness import Floats, generator

GROWTH_SHARE = 0.6  # share of a fault's duration in which it grows
MACHINE_FAULTS = ("cavitation", "blocked-filter", "valve-leak", "bearing-wear")
INSTRUMENT_FAULTS = ("sensor-drift", "stuck-sensor")
KINDS = MACHINE_FAULTS + INSTRUMENT_FAULTS

NPSH_LOSS_M = 5.5  # a damaged impeller inlet
BLOCKAGE = 2.5  # strainer resistance rises to 3.5 times
LEAK_CV = 6.0  # m3/h per sqrt(bar): a fifth of the pump's flow recirculates
BEARING = {FEED_CLASS: 2.2, BOOSTER_CLASS: 1.6}  # relative increase of friction: 20-35 K at full size
DRIFT = {"discharge_pressure": -0.6, "flow": -14.0, "motor_power": -1.2}  # engineering units at full size

CARRIERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("cavitation", FEED_CLASS): ("vibration", "flow", "discharge_pressure", "motor_current"),
    ("blocked-filter", FEED_CLASS): ("filter_dp", "suction_pressure", "flow"),
    ("valve-leak", BOOSTER_CLASS): ("flow", "discharge_pressure", "motor_power"),
    ("bearing-wear", FEED_CLASS): ("bearing_temperature", "vibration"),
    ("bearing-wear", BOOSTER_CLASS): ("bearing_temperature", "vibration"),
}


@dataclass(frozen=True)
class Fault:
    """One fault of one asset over [onset, end) ms; `sensor`: the instrument, for an instrument fault."""

    kind: str
    asset: str
    onset: int
    end: int
    sensor: str | None = None

    @property
    def carriers(self) -> tuple[str, ...]:
        """The sensors that truly show this fault: any of them would lead an operator to it."""
        if self.sensor is not None:
            return (self.sensor,)
        return CARRIERS[self.kind, _class_of(self.asset)]

    def severity(self, ts: np.ndarray) -> Floats:
        """The fault's size at each instant, 0 to 1."""
        grown = (ts - self.onset) / ((self.end - self.onset) * GROWTH_SHARE)
        return np.where((ts >= self.onset) & (ts < self.end), np.clip(grown, 0, 1), 0.0)


def wear_of(faults: tuple[Fault, ...], ts: np.ndarray) -> Wear:
    """The state of the machines under these faults."""
    wear = Wear.none(len(ts))
    feed = {pump.name: i for i, pump in enumerate(FEED_PUMPS)}
    booster = {pump.name: i for i, pump in enumerate(BOOSTER_PUMPS)}
    for fault in faults:
        grown = fault.severity(ts)
        if fault.kind == "cavitation":
            wear.npsh_loss[:, feed[fault.asset]] += NPSH_LOSS_M * grown
        elif fault.kind == "blocked-filter":
            wear.blockage[:, feed[fault.asset]] += BLOCKAGE * grown
        elif fault.kind == "valve-leak":
            wear.leak[:, booster[fault.asset]] += LEAK_CV * grown
        elif fault.kind == "bearing-wear" and fault.asset in feed:
            wear.feed_bearing[:, feed[fault.asset]] += BEARING[FEED_CLASS] * grown
        elif fault.kind == "bearing-wear":
            wear.booster_bearing[:, booster[fault.asset]] += BEARING[BOOSTER_CLASS] * grown
    return wear


def instrument_fault(faults: tuple[Fault, ...], asset: str, sensor: str, ts: np.ndarray, values: Floats) -> Floats:
    """The values that a faulty instrument shows: drifted, or stuck at its last value before the onset."""
    shown = values
    for fault in faults:
        if (fault.asset, fault.sensor) != (asset, sensor):
            continue
        if fault.kind == "sensor-drift":
            shown = shown + DRIFT[sensor] * fault.severity(ts)
        elif fault.kind == "stuck-sensor":
            before = int(np.searchsorted(ts, fault.onset)) - 1
            shown = np.where((ts >= fault.onset) & (ts < fault.end), shown[max(before, 0)], shown)
    return shown


def schedule(
    seed: int,
    start_ms: int,
    *,
    warm_up_ms: int,
    spacing_ms: int,
    duration_ms: int,
    kinds: tuple[str, ...] = KINDS,
) -> tuple[Fault, ...]:
    """One fault of each kind, on different pumps, at regular intervals in random order.

    Cavitation and blocked filters occur on feed pumps, valve leaks on boosters, the others on any pump that is free.
    One pump of each class stays healthy.
    """
    rng = generator(seed, "faults")
    free = {
        FEED_CLASS: [str(name) for name in rng.permutation([pump.name for pump in FEED_PUMPS])[:-1]],
        BOOSTER_CLASS: [str(name) for name in rng.permutation([pump.name for pump in BOOSTER_PUMPS])[:-1]],
    }
    homes = {"cavitation": FEED_CLASS, "blocked-filter": FEED_CLASS, "valve-leak": BOOSTER_CLASS}
    fixed_first = sorted(kinds, key=lambda kind: kind not in homes)
    placed: list[tuple[str, str, str | None]] = []
    for kind in fixed_first:
        home = homes.get(kind) or max(free, key=lambda name: (len(free[name]), rng.random()))
        sensor = str(rng.choice(_drifting(home))) if kind in INSTRUMENT_FAULTS else None
        placed.append((kind, free[home].pop(), sensor))
    faults = []
    for turn, index in enumerate(rng.permutation(len(placed))):
        kind, asset, sensor = placed[index]
        onset = start_ms + warm_up_ms + turn * spacing_ms
        faults.append(Fault(kind, asset, onset, onset + duration_ms, sensor))
    return tuple(faults)


def _drifting(class_name: str) -> list[str]:
    """Instruments that may drift or stick: those that follow the load, so that a frozen value is recognisable."""
    names = next(pump for pump in PUMPS if pump.class_name == class_name).sensors
    return [sensor for sensor in DRIFT if sensor in names]


def _class_of(asset: str) -> str:
    return next(pump.class_name for pump in PUMPS if pump.name == asset)
