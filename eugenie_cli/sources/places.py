"""The sensors of a site that occur in records, numbered as they come."""

from __future__ import annotations

from eugenie_cli.history.batch import Series
from eugenie_cli.readings.routing import Router


class Places:
    """`series`: (asset, sensor) by place; it only grows."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.series: list[Series] = []
        self._numbers: dict[tuple[str, int], int] = {}

    def of(self, asset: str | None, sensor: str | None, tag: str | None) -> int | None:
        """The place of a sensor; None if the site does not have it."""
        route = self.router.route(asset, sensor, tag)
        if route is None:
            return None
        if route not in self._numbers:
            self._numbers[route] = len(self.series)
            self.series.append((route[0], self.router.sensors_of(route[0])[route[1]]))
        return self._numbers[route]

    def class_and_sensor(self, place: int) -> tuple[str, str]:
        """The class of a place's asset, and its sensor."""
        asset, sensor = self.series[place]
        return self.router.class_of(asset), sensor
