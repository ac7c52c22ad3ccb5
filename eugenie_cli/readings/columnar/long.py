"""Records of one reading each, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.columnar.members import around, elements_of, getter, getters

NAMES = ("asset", "sensor", "tag")


class RawColumns(NamedTuple):
    """Members of N records as they stand there. `quality` is None where the mapping has none."""

    message: NDArray[np.int64]
    identity: list[Any]
    ts: list[Any]
    value: list[Any]
    quality: list[Any] | None


class LongRows:
    """Collects records of a batch."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        named = [(name, mapping[name]) for name in NAMES if mapping.get(name) is not None]
        self._named = [name for name, _ in named]
        parts = [part for _, part in named]
        parts += [mapping.get("ts") or {"path": "ts"}, mapping.get("value") or {"path": "value"}]
        self._take = getters(parts)
        self._each = [around(getter(part)) for part in parts]
        self._quality = around(getter(mapping["quality"])) if mapping.get("quality") is not None else None
        self._in_array = mapping.get("records") is not None
        self._elements = elements_of(mapping.get("records"))
        self.begin()

    def begin(self) -> None:
        """A new batch."""
        self._message: list[int] = []
        self._rows: list[tuple[Any, ...]] = []
        self._qualities: list[Any] = []

    def add(self, index: int, message: Any) -> None:
        """A decoded message. Raises KeyError or TypeError, and keeps nothing of it, when it has not all parts."""
        if self._in_array:
            records, outer = self._elements(message)
            rows = [tuple([get(record, outer) for get in self._each]) for record in records]
        else:
            records, outer = (message,), None
            rows = [self._take(message)]
        if self._quality is not None:
            for record in records:
                try:
                    self._qualities.append(self._quality(record, outer))
                except KeyError:
                    self._qualities.append(None)
        self._rows += rows
        self._message += [index] * len(rows)

    def columns(self) -> RawColumns:
        """All that was added."""
        qualities = self._qualities if self._quality is not None else None
        if not self._rows:
            return RawColumns(np.empty(0, np.int64), [], [], [], qualities)
        *names, ts, value = zip(*self._rows, strict=True)
        by_name = dict(zip(self._named, names, strict=True))
        identity = list(zip(*(by_name.get(name, repeat(None)) for name in NAMES), strict=False))
        return RawColumns(np.array(self._message, np.int64), identity, list(ts), list(value), qualities)
