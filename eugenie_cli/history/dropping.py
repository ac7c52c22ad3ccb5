"""Dropping what was imported: the readings of a source, or of some of its items, are history no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.history.store import History
from eugenie_cli.printable import printable
from eugenie_cli.site.schema import Site

SHOWN = 20  # items in a note


@dataclass(frozen=True)
class Drop:
    """What a drop removes. `absent`: items that were asked for and are not in the history (perhaps no longer)."""

    source: str
    items: tuple[str, ...]
    readings: int
    absent: tuple[str, ...]
    held: tuple[str, ...]
    done: bool = False


def plan_drop(site: Site, history: History, source: str, items: Sequence[str] = ()) -> Drop:
    """What dropping `items` of a source (none named: all of it) would remove. `held`: the sources that history has.

    An item is named as `eugenie history show` does, or by a path to its file.
    """
    sources = history.sources()
    known = sources.get(source, {})
    chosen: dict[str, None] = {}
    absent = []
    for item in items:
        key = next((key for key in _keys(site, item) if key in known), None)
        if key is None:
            absent.append(item)
        else:
            chosen[key] = None
    keys = tuple(chosen) if items else tuple(sorted(known))
    readings = sum(known[key].rows for key in keys)
    return Drop(source, keys, readings, tuple(absent), tuple(sorted(name for name, held in sources.items() if held)))


def _keys(site: Site, item: str) -> tuple[str, ...]:
    path, base = Path(item).absolute(), site.base.resolve()  # a shell has put ~ in full already
    inside = (str(path.relative_to(base)),) if path.is_relative_to(base) else ()
    return (item, *inside, str(path))


def drop_notes(plan: Drop) -> Iterator[str]:
    """What would go, an item a line, and what is not there."""
    if not plan.items and not plan.absent:
        yield (
            f"history has nothing of {printable(plan.source)}; it has {', '.join(plan.held) or 'nothing at all'}: "
            "nothing to remove"
        )
    yield from (f"history has no item {printable(item)} of {printable(plan.source)}" for item in plan.absent)
    yield from (f"  {printable(item)}" for item in plan.items[:SHOWN])
    if len(plan.items) > SHOWN:
        yield f"  and {len(plan.items) - SHOWN:,} more"
