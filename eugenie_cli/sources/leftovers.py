"""What history holds that the site file no longer leads to: it stays, and is used, until somebody drops it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.manifest import Item, Sources
from eugenie_cli.printable import printable
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.adoption import Adoption
from eugenie_cli.sources.guard import open_importer
from eugenie_cli.sources.interface import Importer, SourceItem, settings_digest

SHOWN = 5  # items of one kind in a note


@dataclass(frozen=True)
class Leftover:
    """An item that history holds although its source would not give these readings now. `next`: what to do."""

    source: str
    item: str
    readings: int
    why: str
    next: str


def leftovers(site: Site, sources: Sources) -> list[Leftover]:
    """Items whose file or source is gone, and items that were imported with other settings than those of today.

    `sources`: what the manifest names.
    """
    found: list[Leftover] = []
    configured = {source.name: source for source in site.sources}
    for name, items in sorted(sources.items()):
        if name not in configured:
            again = f"`eugenie history drop {_quoted(name)}` removes it, or name a source of the site file {name} again"
            found.extend(
                Leftover(name, key, item.rows, "the site file no longer has its source", again)
                for key, item in sorted(items.items())
            )
            continue
        try:
            importer = open_importer(configured[name], site)
        except EugenieError:
            continue  # a package that does not work is told by the import; what it would read is not known
        try:
            listed = importer.items()
        except EugenieError:
            listed = ()  # no file at all, or a folder that cannot be read: each item is looked for by itself
        found.extend(_of_source(name, items, importer, listed))
    return found


def _of_source(
    name: str, items: dict[str, Item], importer: Importer, listed: Sequence[SourceItem]
) -> Iterator[Leftover]:
    adoption = Adoption(name, {name: items}, listed, (name,))  # what the next import knows again is not left
    keys = {known.key for item in listed if (known := adoption.by_name(item)) is not None}
    settings = settings_digest(importer)
    for key, item in sorted(items.items()):
        if key not in keys:
            drop = f"`eugenie history drop {_quoted(name)} {_quoted(key)}` removes its readings"
            yield Leftover(name, key, item.rows, importer.missing(key), drop)
        elif item.state.get("settings") not in (None, settings):
            why = "it was imported with other settings (mapping, time zone or tags) than the site file has now"
            yield Leftover(name, key, item.rows, why, f"`eugenie import {_quoted(name)}` reads it anew")


def leftover_notes(found: Iterable[Leftover]) -> Iterator[str]:
    """Sentences, a source and a reason at a time."""
    for (source, why), group in groupby(found, key=lambda left: (left.source, left.why)):
        items = list(group)
        readings = sum(left.readings for left in items)
        yield f"{source}: history still holds {counted(readings, 'reading')} of {counted(len(items), 'item')}: {why}"
        yield from (f"  {printable(left.item)}: {counted(left.readings, 'reading')}" for left in items[:SHOWN])
        if len(items) > SHOWN:
            yield f"  and {len(items) - SHOWN:,} more (`eugenie history show -o json` has them all)"
        yield f"  next: {items[0].next}"


def counted(count: int, what: str) -> str:
    """`1 item`, `1,200 items`."""
    return f"{count:,} {what}" + "s" * (count != 1)


def _quoted(text: str) -> str:
    return shlex.quote(printable(text))
