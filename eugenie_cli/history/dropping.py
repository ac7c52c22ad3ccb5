"""Removes a source, or some of its items, from the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.history.store import History
from eugenie_cli.printable import printable
from eugenie_cli.site.schema import Site

SHOWN = 20  # items listed in a note


@dataclass(frozen=True)
class Drop:
    """What a drop removes. `absent`: requested items that the history does not contain (any longer)."""

    source: str
    items: tuple[str, ...]
    readings: int
    absent: tuple[str, ...]
    held: tuple[str, ...]
    done: bool = False


def plan_drop(site: Site, history: History, source: str, items: Sequence[str] = ()) -> Drop:
    """What dropping `items` of a source (none: all items) would remove. `held`: the sources in the history.

    An item is given as `eugenie history show` shows it, or as a path to its file.
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
    path, base = Path(item).absolute(), site.base.resolve()  # the shell has already expanded ~
    relative = (str(path.relative_to(base)),) if path.is_relative_to(base) else ()
    return (item, *relative, str(path))


def drop_notes(plan: Drop) -> Iterator[str]:
    """Notes on what the drop removes, one line per item, and on absent items."""
    if not plan.items and not plan.absent:
        yield (
            f"nothing to remove: the history has no readings from {printable(plan.source)} "
            f"(its sources: {', '.join(plan.held) or 'none'})"
        )
    yield from (f"history has no item {printable(item)} of {printable(plan.source)}" for item in plan.absent)
    yield from (f"  {printable(item)}" for item in plan.items[:SHOWN])
    if len(plan.items) > SHOWN:
        yield f"  and {len(plan.items) - SHOWN:,} more"
