"""Overlapping exports: which of them is the later one, and how often they disagree.

Two exports may contain the same instant of a sensor. The later export counts: the file with the later modification time
when its content was first seen; at equal times, the name decides. So neither the order of imports nor touching a file
has an effect. Each overlap is examined once; the result is stored in the history's folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.files import write_atomically
from eugenie_cli.history.batch import merge
from eugenie_cli.history.part_files import read_part
from eugenie_cli.history.snapshot import Placed, Snapshot

KEPT = "overlaps.json"


@dataclass(frozen=True)
class Overlap:
    """A period (ms, inclusive) in which several parts have readings of an asset."""

    asset: str
    start: int
    end: int
    parts: tuple[Placed, ...]

    @property
    def name(self) -> str:
        """A digest of everything that determines the counts in it."""
        return _digest([self.asset, self.start, self.end, self._ranked(lambda placed: [placed.source, placed.key])])

    @property
    def order(self) -> str:
        """A digest of everything that determines which reading counts in it; empty if all parts have the same age."""
        ranked = self._ranked(lambda _: [])
        return _digest([self.asset, self.start, self.end, ranked]) if ranked[0][0] != ranked[-1][0] else ""

    def _ranked(self, more: Callable[[Placed], list[str]]) -> list[list[int | str]]:
        """[rank by age, SHA-256, more] of each part. Ranks are among these parts, so others do not change them."""
        ranks = {age: rank for rank, age in enumerate(sorted({placed.age for placed in self.parts}))}
        return sorted([ranks[placed.age], placed.part.sha256, *more(placed)] for placed in self.parts)


def _digest(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def overlaps(snapshot: Snapshot) -> Iterator[Overlap]:
    """All overlaps of a history, asset by asset. An overlap ends where at most one part continues."""
    for asset, placed in sorted(snapshot.by_asset.items()):
        yield from _of_asset(asset, placed)


def _of_asset(asset: str, placed: list[Placed]) -> Iterator[Overlap]:
    spans = [entry.part.assets[asset] for entry in placed]
    # at equal instants starts come before ends: both are inclusive
    events = sorted(
        [(span.start, 0, n) for n, span in enumerate(spans)] + [(span.end, 1, n) for n, span in enumerate(spans)]
    )
    active: set[int] = set()
    seen: set[int] = set()
    begun = 0
    for instant, ends, number in events:
        if not ends:
            active.add(number)
            if len(active) == 2:
                begun, seen = instant, set(active)
            seen.add(number)
            continue
        if len(active) == 2:
            yield Overlap(asset, begun, instant, tuple(placed[index] for index in sorted(seen)))
        active.discard(number)


@dataclass(frozen=True)
class OverlapTotals:
    """Counts from overlaps, besides those within parts, by source: `conflicts` instants, `repeated` readings."""

    conflicts: Mapping[str, int]
    repeated: Mapping[str, int]


def look(root: Path, snapshot: Snapshot) -> OverlapTotals:
    """Examine every overlap that has not been examined before.

    A conflict between two sources counts for both. Raises FileNotFoundError when another import replaced a part.
    """
    known, counted = _read_counts(root / KEPT), {}
    for overlap in overlaps(snapshot):
        name = overlap.name
        counted[name] = known[name] if name in known else _count(root, overlap)
    if counted != known:
        text = json.dumps(counted, separators=(",", ":"), sort_keys=True)
        write_atomically(root / KEPT, text, mode=0o644)  # imports of two sources may end at the same time
    conflicts: dict[str, int] = {}
    repeated: dict[str, int] = {}
    for counts in counted.values():
        for source, (disagreeing, shared) in counts.items():
            conflicts[source] = conflicts.get(source, 0) + disagreeing
            repeated[source] = repeated.get(source, 0) + shared
    return OverlapTotals(conflicts, repeated)


Counts = dict[str, tuple[int, int]]
"""source -> (conflicts, repeated)"""


def _read_counts(path: Path) -> dict[str, Counts]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(name): {str(source): (int(pair[0]), int(pair[1])) for source, pair in counts.items()}
            for name, counts in document.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, IndexError):
        return {}  # missing or damaged: the file only saves repeated work


def _count(root: Path, overlap: Overlap) -> Counts:
    names: dict[str, int] = {}
    chunks = [_readings(root, placed, overlap, names) for placed in overlap.parts]
    lengths = [len(ts) for _, ts, _ in chunks]
    sensor, ts, value = (np.concatenate(column) for column in zip(*chunks, strict=True))
    merged = merge(sensor, ts, value, np.repeat(np.array([placed.age for placed in overlap.parts], np.int64), lengths))
    if len(merged.ts) == len(ts) or not len(ts):
        return {}
    within = [merge(*chunk) for chunk in chunks]
    counts: Counts = {}
    for source in sorted({placed.source for placed in overlap.parts}):
        own = [number for number, placed in enumerate(overlap.parts) if placed.source == source]
        is_own = np.repeat([placed.source == source for placed in overlap.parts], lengths)
        takes_part = np.logical_or.reduceat(is_own if merged.order is None else is_own[merged.order], merged.first)
        # conflicts within a part have been counted already
        conflicts = int((merged.conflict & takes_part).sum()) - sum(
            int(within[number].conflict.sum()) for number in own
        )
        repeated = 0
        for key in {overlap.parts[number].key for number in own}:
            of_item = [number for number in own if overlap.parts[number].key == key]
            if len(of_item) > 1:
                item = [np.concatenate(column) for column in zip(*(chunks[number] for number in of_item), strict=True)]
                repeated += sum(len(within[number].ts) for number in of_item) - len(merge(*item).ts)
        if conflicts or repeated:
            counts[source] = (conflicts, repeated)
    return counts


def _readings(
    root: Path, placed: Placed, overlap: Overlap, names: dict[str, int]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """(sensor, ts, value) of a part in the overlap. Sensor numbers are added to `names`."""
    columns = read_part(root / placed.part.file, overlap.asset, overlap.start, overlap.end + 1)
    if columns.item is not None:
        columns = columns.only(columns.item == placed.part.item)
    lookup = np.array([names.setdefault(name, len(names)) for name in columns.sensors] or [0], np.int32)
    return lookup[columns.sensor], columns.ts, columns.value
