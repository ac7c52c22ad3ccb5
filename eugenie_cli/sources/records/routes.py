"""Which series of the history each record belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.history.batch import Series
from eugenie_cli.readings.columns.arrow_columns import as_texts, is_temporal
from eugenie_cli.readings.columns.distinct import Coded, combined, distinct
from eugenie_cli.readings.members import text_of
from eugenie_cli.readings.routing import Router

NOWHERE = -1
"""Instead of a series' number: the site has no such asset, sensor or tag."""
UNNAMED = -2
"""Instead of a series' number: the record names none."""


class Routes:
    """Numbers the series of an item's records; a number is the same in every block."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._series: dict[Series, int] = {}
        self._known: dict[tuple[str | None, str | None, str | None], int] = {}
        self._assets: dict[str | None, int] = {}

    @property
    def series(self) -> tuple[Series, ...]:
        """The series, by their numbers."""
        return tuple(self._series)

    def number(self, asset: str | None, sensor: str | None, tag: str | None) -> int:
        """The series of an identity; UNNAMED or NOWHERE if there is none."""
        key = (asset, sensor, tag)
        if key not in self._known:
            if (sensor is None and tag is None) or (tag is None and asset is None):
                self._known[key] = UNNAMED
            elif (route := self._router.route(asset, sensor, tag)) is None:
                self._known[key] = NOWHERE
            else:
                pair = (route[0], self._router.sensors_of(route[0])[route[1]])
                self._known[key] = self._series.setdefault(pair, len(self._series))
        return self._known[key]

    def numbers(self, asset: Coded, sensor: Coded, tag: Coded) -> NDArray[np.int32]:
        """The series of N records by their names."""
        identities, index = combined([asset, sensor, tag])
        return np.array([self.number(*identity) for identity in identities], np.int32)[index]

    def of_assets(self, names: Iterable[str | None]) -> NDArray[np.int64]:
        """A number for each asset, and for None: a table of one machine, which nothing names."""
        return np.array([self._assets.setdefault(name, len(self._assets)) for name in names], np.int64)


def names_of(columns: Mapping[str, pa.Array], part: Mapping[str, Any] | None, count: int) -> Coded:
    """The names of `count` records, as `members.text_of` returns them; two may be equal after trimming."""
    column = columns.get(part["path"]) if part and part.get("path") else None
    if column is None:
        return [text_of(part.get("const")) if part else None], np.zeros(count, np.int64)
    names, index = distinct(as_texts(column) if has_no_member(column) else column)
    return [text_of(name) for name in names], index


def has_no_member(column: pa.Array) -> bool:
    """Whether a normalized column's values have no counterpart in JSON other than text."""
    return is_temporal(column) or bool(pa.types.is_decimal(column.type))
