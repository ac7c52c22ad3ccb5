"""One state of the manifest, with indices of it that are made once: parts by asset, and parts by file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.manifest import PartFile, Sources


@dataclass(frozen=True)
class Placed:
    """A part of an item. `age` increases from export to export; parts of an item share it, as do all of unknown age."""

    source: str
    key: str
    age: int
    part: PartFile


@dataclass(frozen=True)
class Ages:
    """The ages of the readings of one file: one for all (`numbers` is None), or one for each part of a merged file.

    `numbers` int32 [P]: the numbers of the parts, ascending; `ages` int64 [P]. Readings of other parts do not count:
    their items were dropped or replaced.
    """

    numbers: NDArray[np.int32] | None
    ages: NDArray[np.int64]

    @staticmethod
    def of(placed: Iterable[Placed]) -> Ages:
        """The ages in a file, from its parts that count."""
        pairs = sorted((-1 if entry.part.item is None else entry.part.item, entry.age) for entry in placed)
        numbers, ages = zip(*pairs, strict=True)
        return Ages(None if numbers[0] < 0 else np.array(numbers, np.int32), np.array(ages, np.int64))

    def find(self, item: NDArray[np.int32] | None, rows: int) -> tuple[NDArray[np.bool_] | None, NDArray[np.int64]]:
        """(which of `rows` readings count, None for all; the ages of those that count)."""
        if self.numbers is None or item is None:
            return None, np.full(rows, self.ages[0])
        place = np.minimum(np.searchsorted(self.numbers, item), len(self.numbers) - 1)
        counts = self.numbers[place] == item
        if counts.all():
            return None, self.ages[place]
        return counts, self.ages[place[counts]]


class Snapshot:
    """A committed state: `sources`, and what can be derived from it."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    @cached_property
    def placed(self) -> list[Placed]:
        """All parts, with their ages."""
        aged = ages(self.sources)
        return [
            Placed(source, key, aged[source, key], part)
            for source, items in self.sources.items()
            for key, item in items.items()
            for part in item.parts
        ]

    @cached_property
    def by_asset(self) -> dict[str, list[Placed]]:
        """Asset -> the parts with readings of it."""
        found: dict[str, list[Placed]] = {}
        for placed in self.placed:
            for asset in placed.part.assets:
                found.setdefault(asset, []).append(placed)
        return found

    @cached_property
    def by_file(self) -> dict[str, list[Placed]]:
        """File -> the parts in it."""
        return by_file(self.placed)

    @cached_property
    def ages_in(self) -> dict[str, Ages]:
        """File -> the ages of its readings."""
        return {file: Ages.of(placed) for file, placed in self.by_file.items()}


def by_file(placed: Iterable[Placed]) -> dict[str, list[Placed]]:
    """File -> those of the parts that are in it."""
    found: dict[str, list[Placed]] = {}
    for entry in placed:
        found.setdefault(entry.part.file, []).append(entry)
    return found


def ages(sources: Sources) -> dict[tuple[str, str], int]:
    """(source, item key) -> age: 0 if the time of export is unknown, else 1, 2, ... from the oldest."""
    known = {(source, key): item.exported for source, items in sources.items() for key, item in items.items()}
    ordered = sorted((exported, key, source) for (source, key), exported in known.items() if exported)
    return dict.fromkeys(known, 0) | {(source, key): age for age, (_, key, source) in enumerate(ordered, 1)}
