"""The few worst of many, kept while they come."""

from __future__ import annotations

import heapq
import itertools
from typing import Generic, TypeVar

Item = TypeVar("Item")


class TopK(Generic[Item]):
    """At most `most` items, those of the greatest weight; of equal ones the first to come."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, Item]] = []
        self._order = itertools.count(0, -1)

    def would_take(self, weight: float) -> bool:
        """Whether an item of this weight would be kept now: making it may be dear."""
        return len(self._heap) < self._most or (self._most > 0 and weight > self._heap[0][0])

    def add(self, weight: float, item: Item) -> None:
        """Keep the item, or not."""
        entry = (weight, next(self._order), item)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        elif self._most:
            heapq.heappushpop(self._heap, entry)

    def in_order(self) -> list[Item]:
        """What is kept, the greatest weight first."""
        return [item for _, _, item in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]
