"""Conversion of engineering units, such as psi to bar: by pint, which is imported only if two units differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from eugenie_cli.site.mapping_parts import ANY_SENSOR

INSTALL = "unit conversion needs the package pint: install eugenie[units]"
# what plants write, in the names of pint
_SPELLINGS = {
    "°C": "degC", "℃": "degC", "ºC": "degC", "°F": "degF", "℉": "degF", "ºF": "degF", "°": "degree", "%": "percent",
    "³": "**3", "²": "**2", "·": "*", "⋅": "*", "µ": "u", "μ": "u", "Ω": "ohm", "U/min": "1/min", "rpm": "1/min",
    "min⁻¹": "1/min", "min-1": "1/min", "s⁻¹": "1/s",
}  # fmt: skip
_ANGLE = re.compile(r"rad|deg(?![CF])|rev|turn|cycle", re.IGNORECASE)
"""To pint an angle has no dimension: it would convert 60 rpm to 6.28 Hz, or 1 Hz to 1 rad/s."""
_POWER = re.compile(r"(?<![A-Za-z0-9])(m|cm|mm|km|in|ft)([23])(?![0-9A-Za-z])")  # m3/h, kg/cm2
_SPAN = 1e6


class UnitProblem(ValueError):  # noqa: N818 - named for what it is
    """A unit that does not exist, or that cannot be converted; the message says which."""


@lru_cache(1_000)
def conversion(given: str, wanted: str) -> tuple[float, float]:
    """(factor, offset) with which a value in one unit becomes one in the other. Raises UnitProblem."""
    given, wanted = given.strip(), wanted.strip()
    if given == wanted:
        return 1.0, 0.0
    registry, errors = _registry()
    if len({bool(_ANGLE.search(_spelled(unit))) for unit in (given, wanted)}) > 1:
        raise UnitProblem(f"{given!r} cannot be converted to {wanted!r}: only one of them is an angle")
    units = []
    for unit in (given, wanted):
        try:
            units.append(registry.Unit(_spelled(unit)))
        except Exception as error:
            raise UnitProblem(f"{unit!r} is not a known unit") from error
    try:
        zero = registry.Quantity(0.0, units[0]).to(units[1]).magnitude
        span = registry.Quantity(_SPAN, units[0]).to(units[1]).magnitude
    except (errors.DimensionalityError, errors.OffsetUnitCalculusError, errors.LogarithmicUnitCalculusError):
        raise UnitProblem(f"{given!r} cannot be converted to {wanted!r}") from None
    return float((span - zero) / _SPAN), float(zero)


def conversions_of(part: Mapping[str, Any]) -> dict[str, dict[str, tuple[float, float]]]:
    """Class -> sensor -> (factor, offset) of a mapping's value part, as a site dumps it. Raises UnitProblem."""
    units, targets = part.get("units") or {}, part.get("targets")
    if units and targets is None:
        raise UnitProblem("the units of the classes are unknown: the mapping belongs to no site")
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for class_name, sensors in (targets or {}).items():
        for sensor, wanted in sensors.items():
            given = units.get(sensor) or units.get(ANY_SENSOR)
            if given is None:
                continue
            try:
                found.setdefault(class_name, {})[sensor] = conversion(given, wanted)
            except UnitProblem as problem:
                raise UnitProblem(f"{sensor}: {problem}") from None
    return found


def _spelled(unit: str) -> str:
    for written, name in _SPELLINGS.items():
        unit = unit.replace(written, name)
    return _POWER.sub(r"\1**\2", unit)


@lru_cache(1)
def _registry() -> tuple[Any, Any]:
    try:
        import pint
    except ImportError:
        raise UnitProblem(INSTALL) from None
    return pint.UnitRegistry(), pint.errors
