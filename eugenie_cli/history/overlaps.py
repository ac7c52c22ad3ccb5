"""Where exports overlap: which of them is the later one, and how often they disagree.

Two exports may hold one instant of one sensor. The later one counts: the file that was written last, as of when its
content was first seen; the name decides where two were written at once. So neither the order of imports nor a file that
is only touched changes anything. An overlap is looked into once: what was found is kept beside the history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eugenie_cli.files import write_atomically
from eugenie_cli.history.batch import meet
from eugenie_cli.history.manifest import PartFile, Sources
from eugenie_cli.history.parquet import read_part

KEPT = "overlaps.json"


@dataclass(frozen=True)
class Placed:
    """A part of an item. `age` grows from export to export; parts of one item, and all of unknown age, share one."""

    source: str
    key: str
    age: int
    part: PartFile


@dataclass(frozen=True)
class Overlap:
    """A time, inclusive in ms, in which several parts have readings of an asset."""

    asset: str
    start: int
    end: int
    parts: tuple[Placed, ...]

    @property
    def name(self) -> str:
        """A digest of all that decides what is found in it."""
        return _digest([self.asset, self.start, self.end, self._ranked(lambda one: [one.source, one.key])])

    @property
    def order(self) -> str:
        """A digest of all that decides which reading counts in it; empty where exports do not meet."""
        ranked = self._ranked(lambda _: [])
        return _digest([self.asset, self.start, self.end, ranked]) if ranked[0][0] != ranked[-1][0] else ""

    def _ranked(self, more: Callable[[Placed], list[str]]) -> list[list[int | str]]:
        """[rank by age, SHA-256, more] of each part; ranks are of these parts alone, so others do not change them."""
        ranks = {age: rank for rank, age in enumerate(sorted({one.age for one in self.parts}))}
        return sorted([ranks[one.age], one.part.sha256, *more(one)] for one in self.parts)


def _digest(told: list[Any]) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def ages(sources: Sources) -> dict[tuple[str, str], int]:
    """(source, item key) -> its age: 0 where nobody knows when it was exported, else 1, 2 ... from the oldest on."""
    known = {(source, key): item.exported for source, items in sources.items() for key, item in items.items()}
    ordered = sorted((exported, key, source) for (source, key), exported in known.items() if exported)
    return dict.fromkeys(known, 0) | {(source, key): age for age, (_, key, source) in enumerate(ordered, 1)}


def overlaps(sources: Sources) -> Iterator[Overlap]:
    """Every overlap of a history, asset by asset; one ends where at most one part goes on."""
    of_asset: dict[str, list[Placed]] = {}
    aged = ages(sources)
    for source, items in sources.items():
        for key, item in items.items():
            for part in item.parts:
                for asset in part.assets:
                    of_asset.setdefault(asset, []).append(Placed(source, key, aged[source, key], part))
    for asset, placed in sorted(of_asset.items()):
        yield from _of_asset(asset, placed)


def _of_asset(asset: str, placed: list[Placed]) -> Iterator[Overlap]:
    spans = [one.part.assets[asset] for one in placed]
    # at one instant beginnings come before ends: both are inclusive
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
            yield Overlap(asset, begun, instant, tuple(placed[one] for one in sorted(seen)))
        active.discard(number)


@dataclass(frozen=True)
class Found:
    """What overlaps add to what parts count of themselves, by source: `conflicts` instants, `repeated` readings."""

    conflicts: Mapping[str, int]
    repeated: Mapping[str, int]


def look(root: Path, sources: Sources) -> Found:
    """Looks into every overlap that was not looked into before.

    A conflict between two sources is one of either. Raises FileNotFoundError when another import replaced a part.
    """
    known, kept = _known(root / KEPT), {}
    for overlap in overlaps(sources):
        name = overlap.name
        kept[name] = known[name] if name in known else _look_into(root, overlap)
    if kept != known:
        text = json.dumps(kept, separators=(",", ":"), sort_keys=True)
        write_atomically(root / KEPT, text, mode=0o644)  # imports of two sources may end at once
    conflicts: dict[str, int] = {}
    repeated: dict[str, int] = {}
    for counts in kept.values():
        for source, (disagreeing, shared) in counts.items():
            conflicts[source] = conflicts.get(source, 0) + disagreeing
            repeated[source] = repeated.get(source, 0) + shared
    return Found(conflicts, repeated)


Counts = dict[str, tuple[int, int]]
"""source -> (conflicts, repeated)"""


def _known(path: Path) -> dict[str, Counts]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(name): {str(source): (int(pair[0]), int(pair[1])) for source, pair in counts.items()}
            for name, counts in found.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, IndexError):
        return {}  # never there, or damaged: it only saves the work of looking again


def _look_into(root: Path, overlap: Overlap) -> Counts:
    names: dict[str, int] = {}
    chunks = [
        read_part(root / one.part.file, overlap.asset, overlap.start, overlap.end + 1, names) for one in overlap.parts
    ]
    lengths = [len(ts) for _, ts, _ in chunks]
    sensor, ts, value = (np.concatenate(column) for column in zip(*chunks, strict=True))
    met = meet(sensor, ts, value, np.repeat(np.array([one.age for one in overlap.parts], np.int64), lengths))
    if len(met.ts) == len(ts) or not len(ts):
        return {}
    alone = [meet(*chunk) for chunk in chunks]
    counts: Counts = {}
    for source in sorted({one.source for one in overlap.parts}):
        own = [number for number, one in enumerate(overlap.parts) if one.source == source]
        there = np.repeat([one.source == source for one in overlap.parts], lengths)
        takes_part = np.logical_or.reduceat(there if met.order is None else there[met.order], met.first)
        # what a part counts of itself is told already
        conflicts = int((met.conflict & takes_part).sum()) - sum(int(alone[number].conflict.sum()) for number in own)
        repeated = 0
        for key in {overlap.parts[number].key for number in own}:
            mine = [number for number in own if overlap.parts[number].key == key]
            if len(mine) > 1:
                item = [np.concatenate(column) for column in zip(*(chunks[number] for number in mine), strict=True)]
                repeated += sum(len(alone[number].ts) for number in mine) - len(meet(*item).ts)
        if conflicts or repeated:
            counts[source] = (conflicts, repeated)
    return counts
