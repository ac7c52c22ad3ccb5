"""The top few of a stream of items."""

from __future__ import annotations

import heapq
import itertools
from typing import Generic, TypeVar

Item = TypeVar("Item")


class TopK(Generic[Item]):
    """The `most` items with the greatest weights; among equal weights, the earliest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, Item]] = []
        self._order = itertools.count(0, -1)

    def would_take(self, weight: float) -> bool:
        """Whether an item of this weight would be kept; ask before making one that is expensive."""
        return len(self._heap) < self._most or (self._most > 0 and weight > self._heap[0][0])

    def add(self, weight: float, item: Item) -> None:
        """Keep the item if its weight is among the greatest."""
        entry = (weight, next(self._order), item)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        elif self._most:
            heapq.heappushpop(self._heap, entry)

    def in_order(self) -> list[Item]:
        """The kept items, greatest weight first."""
        return [item for _, _, item in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]
