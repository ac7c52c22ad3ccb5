"""Values that are objects with their own instant and quality (`typed_values`), as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.columns.qualities import Qualities
from eugenie_cli.readings.columns.values import Values
from eugenie_cli.readings.typed_values import TypedValue, typed_value

_NOT_ONE = TypedValue([])
"""Instead of an object that states no value: an array, which is not a value either."""


class ObjectColumns(NamedTuple):
    """N readings, as read without regard to objects. `Objects.read` fills in those whose values are objects."""

    ts: NDArray[np.int64]
    """Instants in ms; `timed`: mask of those that could be read."""
    timed: NDArray[np.bool_]
    value: NDArray[np.float64]
    """NaN for bad quality; `readable`: mask of those that could be read."""
    readable: NDArray[np.bool_]


class Objects:
    """Reads the rows of a batch whose values are objects; the reference reads what is unusual about them."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._instants = Instants()
        self._statuses = Qualities({"scheme": "opcua"})

    def read(self, members: Sequence[Any], good: NDArray[np.bool_] | None, columns: ObjectColumns) -> None:
        """Fill in rows of the columns. `members` [N]: values as in the messages; `good` [N]: the quality of their
        records, None if all are good.
        """
        rows = [row for row, member in enumerate(members) if type(member) is dict]
        typed = [typed_value(members[row]) or _NOT_ONE for row in rows]
        is_good, is_read = self._statuses.of_members([own.status for own in typed])
        if good is not None:
            is_read |= ~good[rows]
            is_good &= good[rows]
        columns.value[rows], readable = self._values.of_members([own.value for own in typed], is_good)
        columns.readable[rows] = readable & is_read
        has_own = np.array([own.source_ts is not None for own in typed], bool)
        if has_own.any():
            stated = np.array(rows)[has_own]
            texts = [own.source_ts for own in typed if own.source_ts is not None]
            columns.ts[stated], columns.timed[stated] = self._instants.of_members(texts)
