"""Tags as in real plants: in three styles at once, because plants are built by several companies."""

from __future__ import annotations

KKS = ("CP001", "CP002", "CF001", "CS001", "CE001", "CT001", "CY001", "CP003")
"""Measuring points by KKS (VGB-B 105): CP pressure, CF flow, CS speed, CE electrical, CT temperature, CY vibration."""

ISA = ("PT", "PIT", "FT", "ST", "IT", "TT", "VT", "PDT")
"""Instruments by ANSI/ISA-5.1, one per sensor."""

WORDS = ("Suction Press", "Disch Press", "Flow", "Speed", "Motor Amps", "Brg Temp DE", "Vib DE", "Filter dP")

SENSORS = len(KKS)


def tag(asset: int, sensor: int) -> str:
    """The unique tag of a sensor (0 to 7) of an asset (0, 1, ...)."""
    style = asset % 3
    if style == 0:
        return f"{10 + asset // 900}LAC{asset % 900:03d}{KKS[sensor]}.XQ50"
    if style == 1:
        return f"{asset // 100:02d}-{ISA[sensor]}-{1000 + asset}{'AB'[asset // 3 % 2]}.PV"
    return f"Area {asset // 250 + 1}/Pump {asset:04d}/{WORDS[sensor]}.Value"
