"""Items known again: a folder that moved, a file that was renamed, a source that has another name now.

What was imported is history until its item is imported again. So an item whose key has changed must be found under
its old one, or its readings would be there twice: as they were read then, and as they are read now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from eugenie_cli.history.manifest import Item, Sources
from eugenie_cli.sources.interface import SourceItem


@dataclass(frozen=True)
class Known:
    """An item of the history: the source and the key under which it is."""

    source: str
    key: str
    item: Item


class Adoption:
    """What history knows of the items of one source.

    `sources`: what is committed; `live`: names of the sources of the site file. Items of a source that the site file no
    longer has may be taken over.
    """

    def __init__(self, source: str, sources: Sources, items: Sequence[SourceItem], live: Iterable[str]) -> None:
        self._source = source
        self._own: Mapping[str, Item] = sources.get(source, {})
        listed = {key for item in items for key in (item.key, *item.aliases)}
        self._left = [Known(source, key, item) for key, item in self._own.items() if key not in listed]
        live = set(live)
        self._orphans = [
            Known(name, key, item) for name, held in sources.items() if name not in live for key, item in held.items()
        ]
        self._taken: set[tuple[str, str]] = set()

    def by_name(self, item: SourceItem) -> Known | None:
        """The item under its key or an earlier one; an absolute path that ends in it is its place before a move."""
        for key in (item.key, *item.aliases):
            if key in self._own:
                return Known(self._source, key, self._own[key])
        if PurePath(item.key).is_absolute():
            return None
        ending = f"/{item.key}"
        moved = [
            known
            for known in self._left
            if known.key.endswith(ending) and PurePath(known.key).is_absolute() and self._free(known)
        ]
        return self._take(moved[0]) if len(moved) == 1 else None

    def readings(self, item: SourceItem) -> int:
        """How many readings history holds of an item under its own name."""
        return sum(self._own[key].rows for key in (item.key, *item.aliases) if key in self._own)

    def by_content(self, item: SourceItem, digest: str) -> Known | None:
        """An item of the source, of the same content, that no file stands for any more: it was renamed. One of the same
        name goes first.
        """
        same = [known for known in self._left if self._free(known) and known.item.state.get("digest") == digest]
        same.sort(key=lambda known: PurePath(known.key).name != PurePath(item.key).name)
        return self._take(same[0]) if same else None

    def elsewhere(self, item: SourceItem, digest: str) -> list[Known]:
        """The same file in sources that the site file no longer has: the source was renamed."""
        names = (item.key, *item.aliases)
        same = [
            known
            for known in self._orphans
            if known.key in names or (known.key.endswith(f"/{item.key}") and known.item.state.get("digest") == digest)
        ]
        return [self._take(known) for known in same if self._free(known)]

    def _free(self, known: Known) -> bool:
        return (known.source, known.key) not in self._taken

    def _take(self, known: Known) -> Known:
        self._taken.add((known.source, known.key))
        return known


def same_names(known: Known, item: SourceItem) -> bool:
    """Whether the item's name still decides the same of its readings."""
    names = known.item.state.get("names")
    if names is not None:
        return bool(names == dict(item.names))
    if not item.names or known.key in (item.key, *item.aliases):
        return True
    # an import of an earlier version, which did not note the names: they come from the file's and its folder's
    old, new = PurePath(known.key), PurePath(item.aliases[0] if item.aliases else item.key)
    return (old.name, old.parent.name) == (new.name, new.parent.name)
