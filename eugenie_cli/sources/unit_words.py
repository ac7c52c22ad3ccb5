"""Units as headers and rows below them have them."""

from __future__ import annotations

_WORDS = """
bar mbar Pa kPa MPa hPa psi psig psia barg bara mmHg inH2O °C °F C F K degC degF A mA kA V mV kV W kW MW VA kVA
var kvar kWh MWh Hz kHz rpm RPM 1/min min-1 m3/h m³/h m3 m³ l/h l/min L/h L/min l L kg/h kg/s t/h kg t g mm cm m km
µm um in ft m/s mm/s m/s² g/l mg/l ppm ppb % %RH pH µS/cm mS/cm Nm N kN J kJ MJ s min h d lux dB Ohm Ω
gpm GPM scfm SCFM cfm lb lbs lb/h
"""
KNOWN_UNITS = frozenset(_WORDS.split())
"""Units that a row of units has: one of them shows that a row has no names."""
