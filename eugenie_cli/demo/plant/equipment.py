"""The plant's equipment: pumps, their sensors and tags.

A loop: tank T-1 -> strainers -> four variable-speed feed pumps (P-101..P-104) -> header -> consumers, and four
fixed-speed booster pumps (P-201..P-204) -> control valves -> cooler -> tank T-1.
"""

from __future__ import annotations

from dataclasses import dataclass

FEED_CLASS = "centrifugal-pump"
BOOSTER_CLASS = "booster-pump"


@dataclass(frozen=True)
class Instrument:
    """One sensor of a class: its noise (absolute, and as a share of the value), resolution and tag prefix."""

    sensor: str
    unit: str
    tag: str
    noise: float
    relative_noise: float = 0.0
    decimals: int = 3
    low: float = 0.0
    high: float = 1e6


FEED_INSTRUMENTS = (
    Instrument("suction_pressure", "bar", "PT-S", 0.006, decimals=4, low=-1, high=4),
    Instrument("discharge_pressure", "bar", "PT-D", 0.02, low=-1, high=16),
    Instrument("flow", "m3/h", "FT", 0.8, 0.003, decimals=2, low=0, high=400),
    Instrument("speed", "rpm", "ST", 2.0, decimals=1, low=0, high=3600),
    Instrument("motor_current", "A", "IT", 0.5, decimals=2, low=0, high=200),
    Instrument("bearing_temperature", "degC", "TT-B", 0.2, decimals=2, low=-20, high=150),
    Instrument("vibration", "mm/s", "VT", 0.02, 0.04, low=0, high=50),
    Instrument("filter_dp", "mbar", "PDT", 2.5, decimals=1, low=-50, high=2500),
)
BOOSTER_INSTRUMENTS = (
    Instrument("suction_pressure", "bar", "PT-S", 0.015, low=-1, high=16),
    Instrument("discharge_pressure", "bar", "PT-D", 0.02, low=-1, high=25),
    Instrument("flow", "m3/h", "FT", 0.3, 0.003, decimals=2, low=0, high=200),
    Instrument("valve_position", "%", "ZT", 0.15, decimals=2, low=-5, high=105),
    Instrument("motor_power", "kW", "JT", 0.06, decimals=3, low=0, high=60),
    Instrument("winding_temperature", "degC", "TT-W", 0.25, decimals=2, low=-20, high=200),
    Instrument("bearing_temperature", "degC", "TT-B", 0.2, decimals=2, low=-20, high=150),
    Instrument("vibration", "mm/s", "VT", 0.02, 0.04, low=0, high=50),
)


@dataclass(frozen=True)
class Pump:
    """One pump: its class, its instruments, and the deviations of this unit from the data sheet (factors)."""

    name: str
    class_name: str
    instruments: tuple[Instrument, ...]
    head: float = 1.0
    efficiency: float = 1.0
    balance: float = 1.0
    thermal: float = 1.0

    @property
    def sensors(self) -> tuple[str, ...]:
        return tuple(instrument.sensor for instrument in self.instruments)

    @property
    def tags(self) -> dict[str, str]:
        """sensor -> tag, such as `P-101.PT-S.PV`."""
        return {instrument.sensor: f"{self.name}.{instrument.tag}.PV" for instrument in self.instruments}


FEED_PUMPS = (
    Pump("P-101", FEED_CLASS, FEED_INSTRUMENTS, head=1.00, efficiency=1.00, balance=1.00, thermal=1.00),
    Pump("P-102", FEED_CLASS, FEED_INSTRUMENTS, head=1.015, efficiency=0.985, balance=1.15, thermal=1.05),
    Pump("P-103", FEED_CLASS, FEED_INSTRUMENTS, head=0.99, efficiency=0.97, balance=0.90, thermal=0.95),
    Pump("P-104", FEED_CLASS, FEED_INSTRUMENTS, head=1.005, efficiency=1.01, balance=1.05, thermal=1.02),
)
BOOSTER_PUMPS = (
    Pump("P-201", BOOSTER_CLASS, BOOSTER_INSTRUMENTS, head=1.00, efficiency=1.00, balance=1.00, thermal=1.00),
    Pump("P-202", BOOSTER_CLASS, BOOSTER_INSTRUMENTS, head=0.98, efficiency=0.99, balance=1.20, thermal=0.97),
    Pump("P-203", BOOSTER_CLASS, BOOSTER_INSTRUMENTS, head=1.02, efficiency=1.01, balance=0.85, thermal=1.06),
    Pump("P-204", BOOSTER_CLASS, BOOSTER_INSTRUMENTS, head=1.01, efficiency=0.98, balance=1.10, thermal=1.01),
)
PUMPS = FEED_PUMPS + BOOSTER_PUMPS


def pump(name: str) -> Pump:
    """The pump with this name. Raises KeyError."""
    return {known.name: known for known in PUMPS}[name]
