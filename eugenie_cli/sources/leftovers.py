"""Items in the history that the site file no longer leads to. They stay in use until they are dropped."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.manifest import Item, Sources
from eugenie_cli.printable import printable
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.adoption import Adoption
from eugenie_cli.sources.guard import open_importer
from eugenie_cli.sources.interface import Importer, SourceItem, importer_for, settings_digest

SHOWN = 5  # items listed per source and reason


@dataclass(frozen=True)
class Leftover:
    """An item in the history whose source would no longer give the same readings. `next`: the next step; `gone`: the
    site file no longer leads to it, so that `import --prune` may drop it.
    """

    source: str
    item: str
    readings: int
    why: str
    next: str
    gone: bool = True


@dataclass(frozen=True)
class Listing:
    """The items of a source, as its importer has just listed them, and the digest of its settings."""

    importer: Importer
    items: Sequence[SourceItem]
    settings: str


def leftovers(site: Site, sources: Sources, listings: Mapping[str, Listing] | None = None) -> list[Leftover]:
    """Items whose file or source is gone, and items that were imported with other settings than the current ones.

    `sources`: the items in the manifest; `listings`: of sources that need not be listed again, by name.
    """
    result: list[Leftover] = []
    configured = {source.name: source for source in site.sources}
    for name, items in sorted(sources.items()):
        if name not in configured:
            step = f"`eugenie history drop {_quoted(name)}` removes it, or name a source in the site file {name} again"
            result.extend(
                Leftover(name, key, item.rows, "its source is no longer in the site file", step)
                for key, item in sorted(items.items())
            )
            continue
        if listings and name in listings:
            known = listings[name]
            result.extend(_of_source(name, items, known.importer, known.items, known.settings))
            continue
        try:
            importer = open_importer(partial(importer_for, configured[name], site), configured[name].type)
            settings = settings_digest(importer)
        except EugenieError:
            continue  # the import reports a faulty package; what it would read is unknown
        try:
            listed = importer.recognized(items)
        except EugenieError:
            if not configured[name].of_files:
                continue  # a database that is down, say: the import reports it, and its items are not gone
            listed = ()  # no file, or an unreadable folder: `missing` then checks each file
        result.extend(_of_source(name, items, importer, listed, settings))
    return result


def _of_source(
    name: str, items: dict[str, Item], importer: Importer, listed: Sequence[SourceItem], settings: str
) -> Iterator[Leftover]:
    adoption = Adoption(name, {name: items}, listed, (name,))  # what the next import recognizes is not a leftover
    known_items = [(known.key, item) for item in listed if (known := adoption.by_name(item)) is not None]
    keys, fixed = {key for key, _ in known_items}, {key for key, item in known_items if item.fixed}
    for key, item in sorted(items.items()):
        if key not in keys:
            drop = f"`eugenie history drop {_quoted(name)} {_quoted(key)}` removes its readings"
            yield Leftover(name, key, item.rows, importer.missing(key), drop)
        elif item.state.get("settings") not in (None, settings):
            why = "it was imported with other settings (mapping, time zone or tags) than the site file has now"
            again = f"`eugenie import {_quoted(name)}` reads it again"
            drop = f"`eugenie history drop {_quoted(name)} {_quoted(key)}` removes its readings; it is before `start`"
            yield Leftover(name, key, item.rows, why, drop if key in fixed else again, gone=False)


def leftover_notes(items_left: Iterable[Leftover]) -> Iterator[str]:
    """Sentences for consecutive items of the same source and reason."""
    for (source, why), group in groupby(items_left, key=lambda leftover: (leftover.source, leftover.why)):
        items = list(group)
        readings = sum(leftover.readings for leftover in items)
        yield f"{source}: history still holds {counted(readings, 'reading')} of {counted(len(items), 'item')}: {why}"
        yield from (
            f"  {printable(leftover.item)}: {counted(leftover.readings, 'reading')}" for leftover in items[:SHOWN]
        )
        if len(items) > SHOWN:
            yield f"  and {len(items) - SHOWN:,} more (`eugenie history show -o json` lists them all)"
        yield f"  next: {items[0].next}"


def counted(count: int, what: str) -> str:
    """`1 item`, `1,200 items`."""
    return f"{count:,} {what}" + "s" * (count != 1)


def _quoted(text: str) -> str:
    return shlex.quote(printable(text))
