"""Long blocks in which every value is a number or empty, and nothing is refused.

The result is what `reader` makes of the same block of texts. Where anything is unusual, there is none, and the block is
read as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from eugenie_cli.readings.members import paths_of
from eugenie_cli.sources.records.cells import CellRules
from eugenie_cli.sources.records.routes import Routes, names_of
from eugenie_cli.sources.records.times import InstantsOfRecords
from eugenie_cli.sources.records.wide_numbers import Readings, are_measurements


class LongNumbers:
    """Reads the blocks of one item. `columns`: the one that may be parsed as numbers with the sign `decimal`, null
    where it is empty; none if the mapping's rules need the texts.
    """

    def __init__(
        self,
        mapping: Mapping[str, Any],
        names: tuple[str, ...],
        routes: Routes,
        times: InstantsOfRecords,
        rules: CellRules,
    ) -> None:
        """`names`: the columns of the blocks."""
        self._mapping, self._routes, self._times, self._rules = mapping, routes, times, rules
        paths = [path for path in paths_of(mapping["value"]) if path in names]
        others = [path for part in (*_NAMES, "ts", "quality") for path in paths_of(mapping.get(part))]
        plain = len(paths) == 1 and paths[0] not in others and rules.measured.reads_numbers
        self.decimal = rules.measured.decimal
        self.columns = tuple(paths) if plain else ()

    def read(self, columns: Mapping[str, pa.Array], count: int) -> Readings | None:
        """The readings of a block of `count` records; None if it must be read as text."""
        column = columns[self.columns[0]]
        value = column.to_numpy(zero_copy_only=False)
        nulls = column.null_count
        if nulls and np.count_nonzero(np.isnan(value)) != nulls:
            return None
        if not are_measurements(value, given=not nulls):
            return None
        good, graded = self._rules.grades(columns, count)
        if not graded.all():
            return None
        series = self._routes.numbers(*(names_of(columns, self._mapping.get(part), count) for part in _NAMES))
        if (series < 0).any():
            return None
        before = self._times.so_far()
        times = self._times.read(columns, series)
        if not times.read.all():
            self._times.go_back(before)
            return None
        value = self._rules.measured.of_numbers(value)
        return series, times.ts, value if good.all() else np.where(good, value, np.nan)


_NAMES = ("asset", "sensor", "tag")
