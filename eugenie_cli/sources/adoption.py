"""Recognizes imported items after a folder was moved, or a file or source renamed.

Readings stay in the history until their item is imported again. So an item whose key has changed must be found under
its old key; otherwise its readings would be in the history twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from eugenie_cli.history.manifest import Item, Sources
from eugenie_cli.sources.interface import SourceItem


class Known(NamedTuple):
    """An item of the history, with its source and key there."""

    source: str
    key: str
    item: Item


class Adoption:
    """Matches the items of one source to those in the history.

    `sources`: the committed items; `live`: the names of the site file's sources. Items of a source that is no longer in
    the site file may be adopted.
    """

    def __init__(self, source: str, sources: Sources, items: Sequence[SourceItem], live: Iterable[str]) -> None:
        self._source = source
        self._own: Mapping[str, Item] = sources.get(source, {})
        listed = {key for item in items for key in (item.key, *item.aliases)}
        self._unlisted = [Known(source, key, item) for key, item in self._own.items() if key not in listed]
        live = set(live)
        self._orphans = [
            Known(name, key, item)
            for name, committed in sources.items()
            if name not in live
            for key, item in committed.items()
        ]
        self._claimed: set[tuple[str, str]] = set()

    def by_name(self, item: SourceItem) -> Known | None:
        """The item under its key or an alias. An absolute path that ends in the key is where it was before a move."""
        for key in (item.key, *item.aliases):
            if key in self._own:
                return Known(self._source, key, self._own[key])
        if PurePath(item.key).is_absolute():
            return None
        ending = f"/{item.key}"
        moved = [
            known
            for known in self._unlisted
            if known.key.endswith(ending) and PurePath(known.key).is_absolute() and self._is_free(known)
        ]
        return self._claim(moved[0]) if len(moved) == 1 else None

    def readings(self, item: SourceItem) -> int:
        """The number of an item's readings in the history, under its key or an alias."""
        return sum(self._own[key].rows for key in (item.key, *item.aliases) if key in self._own)

    def by_content(self, item: SourceItem, digest: str) -> Known | None:
        """An item of the source that has the same content and no longer a file, so it was renamed. Prefers one with the
        same file name.
        """
        matches = [
            known for known in self._unlisted if self._is_free(known) and known.item.state.get("digest") == digest
        ]
        matches.sort(key=lambda known: PurePath(known.key).name != PurePath(item.key).name)
        return self._claim(matches[0]) if matches else None

    def elsewhere(self, item: SourceItem, digest: str) -> list[Known]:
        """The same file in sources that are no longer in the site file: the source was renamed."""
        names = (item.key, *item.aliases)
        matches = [
            known
            for known in self._orphans
            if known.key in names or (known.key.endswith(f"/{item.key}") and known.item.state.get("digest") == digest)
        ]
        return [self._claim(known) for known in matches if self._is_free(known)]

    def _is_free(self, known: Known) -> bool:
        return (known.source, known.key) not in self._claimed

    def _claim(self, known: Known) -> Known:
        self._claimed.add((known.source, known.key))
        return known


def same_names(known: Known, item: SourceItem) -> bool:
    """Whether the item's name still implies the same (such as the asset) for its readings."""
    names = known.item.state.get("names")
    if names is not None:
        return bool(names == dict(item.names))
    if not item.names or known.key in (item.key, *item.aliases):
        return True
    # imported by an earlier version, which did not record the names: they derive from the file's name and its folder's
    old, new = PurePath(known.key), PurePath(item.aliases[0] if item.aliases else item.key)
    return (old.name, old.parent.name) == (new.name, new.parent.name)
