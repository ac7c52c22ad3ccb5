"""Wide blocks in which every cell is a number or empty, and nothing is refused: all columns at once.

The result is what `reader` makes of the same block column by column. Where anything is unusual, there is none, and the
block is read column by column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.readings.columns.arrow_columns import is_empty
from eugenie_cli.readings.tag_columns import Measurement
from eugenie_cli.readings.values import MAX_VALUE
from eugenie_cli.sources.records.cells import CellRules
from eugenie_cli.sources.records.routes import Routes, names_of
from eugenie_cli.sources.records.times import InstantsOfRecords

Readings = tuple["NDArray[np.int32]", "NDArray[np.int64]", "NDArray[np.float64]"]
"""N readings: the number of the series [N], ms since 1970 UTC [N], and the value [N]."""


class WideNumbers:
    """Reads the blocks of one item. `columns`: those that may be parsed as numbers with the sign `decimal`, null
    where they are empty; none if the mapping's rules need the texts.
    """

    def __init__(
        self,
        mapping: Mapping[str, Any],
        measurements: Sequence[Measurement],
        routes: Routes,
        times: InstantsOfRecords,
        rules: CellRules,
    ) -> None:
        self._asset, self._measurements = mapping.get("asset"), measurements
        self._routes, self._times, self._rules = routes, times, rules
        plain = all(m.tag is None and m.ts is None and m.quality is None for m in measurements)
        plain &= rules.measured.reads_numbers
        self.decimal = rules.measured.decimal
        self.columns = tuple(m.value for m in measurements) if plain else ()

    def read(self, columns: Mapping[str, pa.Array], count: int) -> Readings | None:
        """The readings of a block of `count` records; None if it must be read column by column."""
        cells = self._cells(columns, count)
        assets, asset = names_of(columns, self._asset, count)
        good, graded = self._rules.grades(columns, count)
        if cells is None or not graded.all() or (self._asset is not None and None in assets):
            return None
        value, empty = cells
        if not good.all():
            value[:, ~good] = np.nan
        series = np.array(
            [[self._routes.number(name, None, m.name) for name in assets] for m in self._measurements], np.int32
        )
        known = None
        if (series < 0).any():
            unknown = (series < 0)[:, asset]
            if (unknown & ~empty).any():
                return None
            known = ~unknown.ravel()
        before = self._times.so_far()
        times = self._times.read(columns, self._routes.of_assets(assets)[asset])
        if not times.read.all():
            self._times.go_back(before)
            return None
        each = np.broadcast_to(series, (len(series), count)) if len(assets) == 1 else series[:, asset]
        index = each.ravel()
        ts, readings = np.tile(times.ts, len(value)), value.ravel()
        return (index, ts, readings) if known is None else (index[known], ts[known], readings[known])

    def _cells(
        self, columns: Mapping[str, pa.Array], count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
        """(values, whether they are empty) of C measurements and N records, [C, N]; None for an unusual cell."""
        value = np.empty((len(self._measurements), count))
        numbers = np.ones(len(value), bool)
        nulls = 0
        for row, measurement in enumerate(self._measurements):
            column = columns[measurement.value]
            if pa.types.is_floating(column.type):
                value[row] = column.to_numpy(zero_copy_only=False)
                nulls += column.null_count
                continue
            numbers[row] = False
            value[row], read = self._rules.measured.of_column(column)
            if not read.all():
                return None
        if numbers.all() and not nulls:
            if not are_measurements(value, given=True):
                return None
            return self._rules.measured.of_numbers(value), np.zeros(value.shape, bool)
        empty = np.isnan(value)
        if numbers.all():
            if np.count_nonzero(empty) != nulls or not are_measurements(value):
                return None
            return self._rules.measured.of_numbers(value), empty
        own = value[numbers]
        if np.count_nonzero(empty[numbers]) != nulls or not are_measurements(own):
            return None
        value[numbers] = self._rules.measured.of_numbers(own)
        for row in np.flatnonzero(~numbers).tolist():
            empty[row] = is_empty(columns[self._measurements[row].value]).to_numpy(zero_copy_only=False)
        return value, empty


def are_measurements(value: NDArray[np.float64], *, given: bool = False) -> bool:
    """Whether no value is infinite or too large; NaN may be among them, unless all are `given`."""
    if not value.size:
        return True
    if given:
        return bool(value.max() <= MAX_VALUE and value.min() >= -MAX_VALUE)  # false for NaN
    return not (np.fmax.reduce(value, axis=None) > MAX_VALUE or np.fmin.reduce(value, axis=None) < -MAX_VALUE)
