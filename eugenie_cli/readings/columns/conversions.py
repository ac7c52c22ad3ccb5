"""Converts the values of columns to the units of the sensors' classes, after their place in the site is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.columns.reader import Columns, ReadColumns
from eugenie_cli.readings.values import MAX_VALUE

Table = Mapping[str, Mapping[str, Sequence[float]]]
"""Class -> sensor -> (factor, offset); nothing for values that are not converted."""
SensorOf = Callable[[int], "tuple[str, str]"]
"""Place -> the class and the name of its sensor."""


class Conversions:
    """The conversions of a site's places."""

    def __init__(self, table: Table, sensor_of: SensorOf) -> None:
        self._table, self._sensor_of = table, sensor_of
        self._pairs: list[Sequence[float]] = []

    def applied(self, place: NDArray[np.integer], value: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values [N] of sensors at places [N] in the units of their classes. A negative place has no sensor."""
        if not self._table or not len(place):
            return value
        for number in range(len(self._pairs), int(place.max()) + 1):
            class_name, sensor = self._sensor_of(number)
            self._pairs.append(self._table.get(class_name, {}).get(sensor, (1.0, 0.0)))
        factor, offset = np.array([*self._pairs, (1.0, 0.0)]).T  # the last one is for negative places
        index = np.where(place >= 0, place, -1)
        with np.errstate(over="ignore", invalid="ignore"):
            converted = value * factor[index] + offset[index]
            return np.where(np.abs(converted) <= MAX_VALUE, converted, np.nan)


def converting(read: ReadColumns, mapping: Mapping[str, Any], sensor_of: SensorOf) -> ReadColumns:
    """`read` with the conversions of a mapping, if it has any."""
    table = (mapping.get("value") or {}).get("conversions") or {}
    if not table:
        return read
    conversions = Conversions(table, sensor_of)

    def converted(*messages: Any) -> Columns:
        columns = read(*messages)
        return replace(columns, value=conversions.applied(columns.place, columns.value))

    return converted
