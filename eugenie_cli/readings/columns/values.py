"""A column of values: numbers together, everything else one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.values import MAX_VALUE, compile_value, sentinels


class Values:
    """Reads value members by the rules of the mapping's value part."""

    def __init__(self, part: Mapping[str, Any] | None) -> None:
        part = part or {}
        self._is_plain = (part.get("decimal") or ".") == "."
        self._to_value = compile_value(part.get("decimal") or ".", part.get("status") or ())
        self._sentinels = sentinels(part.get("decimal") or ".", part.get("status") or ())

    def of_column(
        self, members: Sequence[Any], good: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Members [N] and their qualities (None: all good) -> values float64 [N], and a mask of those that are any.

        Too large a number is none: what it was in the message decides.
        """
        readable = np.ones(len(members), bool)
        if self._is_plain and set(map(type, members)) <= {float, int}:
            value = self.without_sentinels(np.array(members, np.float64))
        else:
            value = np.full(len(members), np.nan)
            for index, member in enumerate(members):
                try:
                    value[index] = self._one(member)
                except ValueError:
                    readable[index] = False
        readable &= ~(np.abs(value) > MAX_VALUE)
        if good is not None:
            value[~good] = np.nan
            readable |= ~good  # the value of a bad reading is not asked for
        return value, readable

    def without_sentinels(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values [N], NaN in the place of the numbers that mean bad quality."""
        for sentinel in self._sentinels:
            value = np.where(value == sentinel, np.nan, value)
        return value

    def _one(self, member: Any) -> float:
        kind = type(member)
        if kind is float and self._is_plain:
            return math.nan if member in self._sentinels else float(member)
        if kind is str:
            return self._to_value(member.strip(" \t"))
        if kind is int or kind is float:
            return self._to_value(repr(member))
        if kind is bool:
            return self._to_value("true" if member else "false")
        if member is None:
            return math.nan
        raise ValueError("an object or array")
