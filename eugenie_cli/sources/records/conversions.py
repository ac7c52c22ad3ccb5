"""The conversions of a mapping, from the units of a source to those of the classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Series
from eugenie_cli.readings.columns.conversions import Conversions
from eugenie_cli.readings.routing import Router
from eugenie_cli.site.units import UnitProblem, conversions_of


def conversions(part: Mapping[str, Any], router: Router, series: Callable[[], Sequence[Series]]) -> Conversions:
    """The conversions of a value part, dumped by a site, for values of `series`, a list that only grows.

    Raises EugenieError for units that cannot be converted, and for a mapping that belongs to no site.
    """

    def sensor_of(number: int) -> tuple[str, str]:
        asset, sensor = series()[number]
        return router.class_of(asset), sensor

    try:
        return Conversions(conversions_of(part), sensor_of)
    except UnitProblem as problem:
        raise EugenieError(f"value.units: {problem}", hint="run `eugenie config check`") from None
