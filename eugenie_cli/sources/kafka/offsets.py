"""Which offsets of a topic are one item of the history, and which of them are new. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MOST = 500_000
"""Offsets in an item at most: what an interrupted import repeats."""

_KEY = re.compile(r"(?P<topic>.+?)(?:\[(?P<id>[^\]]*)\])?/(?P<partition>\d+)@(?P<first>\d+)-(?P<end>\d+)")


@dataclass(frozen=True)
class Offsets:
    """`first <= offset < end` of one partition of the topic with that id (empty: unknown)."""

    topic: str
    id: str
    partition: int
    first: int
    end: int

    @property
    def key(self) -> str:
        """`plant.readings[Xq3]/0@0-500000`."""
        named = f"{self.topic}[{self.id}]" if self.id else self.topic
        return f"{named}/{self.partition}@{self.first}-{self.end}"

    @staticmethod
    def of(key: str) -> Offsets | None:
        """The offsets of a key; None if it is not one."""
        match = _KEY.fullmatch(key)
        if match is None:
            return None
        numbers = (int(match[name]) for name in ("partition", "first", "end"))
        return Offsets(match["topic"], match["id"] or "", *numbers)


def new_offsets(
    held: Iterable[Offsets], topic: str, topic_id: str, marks: Mapping[int, tuple[int, int]]
) -> list[Offsets]:
    """What a topic holds beyond what was imported, in pieces of at most MOST offsets.

    `marks`: partition -> its first offset, and the one after its last committed record. A topic that was deleted and
    made anew has another id: what was imported of the former one is no reason to skip the offsets of the new one.
    """
    reached: dict[int, int] = {}
    for offsets in held:
        if (offsets.topic, offsets.id) == (topic, topic_id):
            reached[offsets.partition] = max(reached.get(offsets.partition, 0), offsets.end)
    pieces = []
    for partition, (first, end) in sorted(marks.items()):
        begin = max(first, reached.get(partition, 0))
        for piece in range(begin, end, MOST):
            pieces.append(Offsets(topic, topic_id, partition, piece, min(piece + MOST, end)))
    return pieces


def lost(known: Iterable[Offsets], piece: Offsets) -> int:
    """How many offsets before a piece the topic no longer holds; 0 for the first import.

    `known`: what was imported before, and the other pieces of the same import.
    """
    ends = [offsets.end for offsets in known if _same(offsets, piece) and offsets.end <= piece.first]
    return piece.first - max(ends) if ends else 0


def _same(one: Offsets, other: Offsets) -> bool:
    return (one.topic, one.id, one.partition) == (other.topic, other.id, other.partition)
