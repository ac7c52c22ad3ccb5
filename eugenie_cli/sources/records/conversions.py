"""Converts the values of sensors from the units of a source to those of their classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Series
from eugenie_cli.readings.routing import Router
from eugenie_cli.readings.values import MAX_VALUE
from eugenie_cli.site.mapping_parts import ANY_SENSOR
from eugenie_cli.site.units import UnitProblem, conversion


class Conversions:
    """The conversions of one mapping. `part`: its value part, dumped by a site, which adds the units of the classes.

    Raises EugenieError for units that cannot be converted, and for a mapping that belongs to no site.
    """

    def __init__(self, part: Mapping[str, Any], router: Router) -> None:
        units, targets = part.get("units") or {}, part.get("targets")
        if units and targets is None:
            raise EugenieError("value.units: the units of the classes are unknown", hint="open the site file")
        self._router = router
        self._of_class: dict[tuple[str, str], tuple[float, float]] = {}
        for class_name, sensors in (targets or {}).items():
            for sensor, wanted in sensors.items():
                given = units.get(sensor) or units.get(ANY_SENSOR)
                if given is None:
                    continue
                try:
                    self._of_class[class_name, sensor] = conversion(given, wanted)
                except UnitProblem as error:
                    raise EugenieError(f"value.units: {sensor}: {error}", hint="run `eugenie config check`") from None
        self._pairs: list[tuple[float, float]] = []

    def applied(
        self, series: Sequence[Series], index: NDArray[np.int32], value: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The values [N] in the units of the classes. `index` [N]: into `series`, which only grows."""
        if not self._of_class:
            return value
        for asset, sensor in series[len(self._pairs) :]:
            self._pairs.append(self._of_class.get((self._router.class_of(asset), sensor), (1.0, 0.0)))
        factor, offset = np.array(self._pairs or [(1.0, 0.0)]).T
        with np.errstate(over="ignore", invalid="ignore"):
            converted = value * factor[index] + offset[index]
            return np.where(np.abs(converted) <= MAX_VALUE, converted, np.nan)
