"""Assets of a class whose values differ from the others' by the factor between two units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.assessment.findings import Finding
from eugenie_cli.history.assessment.measurements import Measurements
from eugenie_cli.history.assessment.sensors import FEW
from eugenie_cli.history.assessment.statistics import Statistics

# Factors between units of one quantity that exports mix up, with the names of both units.
FACTORS: tuple[tuple[float, str], ...] = (
    (14.5038, "psi and bar"),
    (6.894757, "kPa and psi"),
    (2.20462, "lb and kg"),
    (3.6, "km/h and m/s, or m³/h and l/s"),
    (4.402868, "gpm and m³/h"),
    (25.4, "mm and inches"),
    *(
        (10.0**power, f"units a factor of {10**power:,} apart, such as {like}")
        for power, like in (
            (1, "%, ‰ or tenths"),
            (2, "bar and kPa, or % and shares"),
            (3, "bar and mbar, or W and kW"),
            (4, "units and steps of an analogue input"),
            (5, "bar and Pa"),
            (6, "W and MW"),
        )
    ),
)
# Machines of a class differ: a ratio this close to a factor (in natural logarithms) is suspect...
CLOSE = 0.22
# ...if the others agree with each other at least this well.
AGREE = 0.7
TEMPERATURES = ("c", "°c", "degc", "k", "°k", "kelvin", "f", "°f", "degf")
KELVIN = 273.15
LEAST_ASSETS = 2


def unit_findings(
    wanted: Measurements, stats: Statistics, class_of: Mapping[str, str], units: Mapping[tuple[str, str], str]
) -> Iterator[Finding]:
    """`units`: (class, sensor) -> its unit in the site file."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number in np.flatnonzero((stats.readings >= FEW) & np.isfinite(stats.middle)).tolist():
        asset, sensor = wanted.series[number]
        groups.setdefault((class_of[asset], sensor), []).append(number)
    for (class_name, sensor), numbers in groups.items():
        if len(numbers) < LEAST_ASSETS:
            continue
        values = stats.middle[numbers]
        unit = units.get((class_name, sensor), "")
        for place, what in _suspects(values, unit):
            asset = wanted.series[numbers[place]][0]
            usual = np.median(np.delete(values, place))
            text = f"{asset} {sensor}: its median is {values[place]:.4g}, the others' {usual:.4g}: {what}"
            step = f"check the unit of its export{f' ({unit} expected)' if unit else ''}"
            yield Finding("unit", "doubtful", class_name, asset, sensor, text, step)


def _suspects(values: NDArray[np.float64], unit: str) -> Iterator[tuple[int, str]]:
    """(place, the suspicion) of each asset whose median is suspect."""
    middle = float(np.median(values)) if len(values) > LEAST_ASSETS else float(values.min())
    if unit.strip().lower() in TEMPERATURES:
        yield from _temperatures(values, middle)
        return
    if not np.all(np.sign(values) == np.sign(middle)) or middle == 0:
        known = np.sign(values) == np.sign(middle)
    else:
        known = np.ones(len(values), bool)
    logs = np.log(np.abs(np.where(known, values, middle)) / abs(middle)) if middle else np.zeros(len(values))
    others = np.abs(logs) < AGREE
    if len(values) > LEAST_ASSETS and others.mean() < 0.5:  # they do not agree with each other
        return
    for place in np.flatnonzero(known & ~others).tolist():
        for factor, names in FACTORS:
            if min(abs(logs[place] - np.log(factor)), abs(logs[place] + np.log(factor))) < CLOSE:
                yield place, f"perhaps {names}"
                break


def _temperatures(values: NDArray[np.float64], middle: float) -> Iterator[tuple[int, str]]:
    spread = max(5.0, float(np.median(np.abs(values - middle))) * 3)
    converted = (
        (middle + KELVIN, "perhaps K and °C"),
        (middle - KELVIN, "perhaps °C and K"),
        (1.8 * middle + 32, "perhaps °F and °C"),
        ((middle - 32) / 1.8, "perhaps °C and °F"),
    )
    for place, value in enumerate(values.tolist()):
        if abs(value - middle) <= 2 * spread:
            continue
        for expected, what in converted:
            if abs(value - expected) <= max(spread, 0.12 * abs(expected - middle)):
                yield place, what
                break
