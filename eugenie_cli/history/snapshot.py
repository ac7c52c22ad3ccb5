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
    """The ages of the readings of one file: one for all (`known` is None), or one for each part of a merged file.

    `known` bool [P]: whether the part with this number counts. Readings of other parts do not: their items were dropped
    or replaced. `ages` int64 [P]: by the part's number.
    """

    known: NDArray[np.bool_] | None
    ages: NDArray[np.int64]

    @staticmethod
    def of(placed: Iterable[Placed]) -> Ages:
        """The ages in a file, from its parts that count."""
        entries = list(placed)
        if entries[0].part.item is None:
            return Ages(None, np.array([entries[0].age], np.int64))
        numbers = [entry.part.item or 0 for entry in entries]
        known, ages = np.zeros(max(numbers) + 1, bool), np.zeros(max(numbers) + 1, np.int64)
        known[numbers], ages[numbers] = True, [entry.age for entry in entries]
        return Ages(known, ages)

    def counting(self, item: NDArray[np.int32] | None) -> NDArray[np.bool_] | None:
        """bool [N]: which readings count, by the numbers of their parts; None: all of them."""
        if self.known is None or item is None or not len(item):
            return None
        if self.known.all() and int(item.max()) < len(self.known):
            return None
        return self.known[np.minimum(item, len(self.known) - 1)] & (item < len(self.known))

    def of_parts(self, item: NDArray[np.int32] | None, rows: int) -> NDArray[np.int64]:
        """int64 [N]: the age of each of `rows` readings that count."""
        return np.full(rows, self.ages[0]) if self.known is None or item is None else self.ages[item]


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
