"""Values and qualities of a block's records, by the rules of the mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.readings.columns.arrow_columns import is_blank
from eugenie_cli.readings.columns.qualities import Qualities
from eugenie_cli.readings.columns.values import Values
from eugenie_cli.readings.members import paths_of


class CellRules:
    """How the cells of a mapping's value and quality are read."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        self._value, self._quality = mapping["value"], mapping.get("quality")
        self.measured = Values(self._value)
        self.qualities = Qualities(self._quality)

    def grades(self, columns: Mapping[str, pa.Array], count: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(good, known) of each record: whether its quality is good, and whether it could be read."""
        column = self._column(columns, self._quality, count)
        if column is None:
            return np.ones(count, bool), np.ones(count, bool)
        return self.qualities.of_column(column)

    def values(
        self, columns: Mapping[str, pa.Array], good: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], bool]:
        """(value, read, given) of each record: NaN for bad quality, whether it could be read, and whether there is a
        column. Of several columns, the first that is not empty counts.
        """
        count = len(good)
        paths = [path for path in paths_of(self._value) if path in columns]
        if len(paths) > 1:
            value, valued, empty = np.full(count, np.nan), np.ones(count, bool), np.ones(count, bool)
            for path in paths:
                own, read = self.measured.of_column(columns[path])
                here = empty & ~is_blank(columns[path]).to_numpy(zero_copy_only=False)
                value[here], valued[here] = own[here], read[here]
                empty &= ~here
        else:
            column = self._column(columns, {**self._value, "path": paths[0]} if paths else self._value, count)
            if column is None:
                return np.full(count, np.nan), ~good, False
            value, valued = self.measured.of_column(column)
        value[~good] = np.nan
        return value, valued, True

    @staticmethod
    def _column(columns: Mapping[str, pa.Array], part: Mapping[str, Any] | None, count: int) -> pa.Array | None:
        if part and part.get("path") in columns:
            return columns[part["path"]]
        if part and part.get("const") is not None:
            return pa.array([part["const"]] * count, pa.string())
        return None
