"""Assets of one file in two time zones: the local times of one plant are as many hours behind those of the other."""

from __future__ import annotations

from collections.abc import Mapping

from eugenie_cli.history.manifest import Item
from eugenie_cli.printable import printable

QUARTER_MS = 900_000
"""Offsets of time zones are multiples of it."""
LEAST_MS, MOST_MS = 2 * QUARTER_MS, 14 * 3_600_000
"""Between two zones of one company."""
NEAR_MS = 60_000
"""How far apart the first readings of assets may be, and the last ones, if they were exported together."""
LONG = 3
"""Readings of so many times the offset, at least: assets that were exported for some hours may differ by one."""


def zones_of_item(item: Item) -> str | None:
    """Why the assets of an item may be in two time zones; None if nothing shows that, or times have an offset."""
    if not item.state.get("local"):
        return None
    spans: dict[str, tuple[int, int]] = {}
    for part in item.parts:
        for asset, (_, start, end) in part.assets.items():
            first, last = spans.get(asset, (start, end))
            spans[asset] = min(start, first), max(end, last)
    return in_two_zones(spans)


def in_two_zones(spans: Mapping[str, tuple[int, int]]) -> str | None:
    """Why assets may be in two time zones. `spans`: asset -> first and last instant, ms, read in one zone.

    The first and the last readings of some are all the same number of quarters of an hour before those of the others.
    """
    if len(spans) < 2:
        return None
    _, ahead = max(spans.items(), key=lambda item: item[1][1])
    behind, offset = [], 0
    for asset, (start, end) in spans.items():
        shift = round((ahead[1] - end) / QUARTER_MS) * QUARTER_MS
        if abs(ahead[0] - start - shift) > NEAR_MS or abs(ahead[1] - end - shift) > NEAR_MS:
            return None
        if shift:
            if offset not in (0, shift):
                return None
            offset = shift
            behind.append(asset)
    if not LEAST_MS <= offset <= MOST_MS or ahead[1] - ahead[0] < LONG * offset:
        return None
    hours = offset / 3_600_000
    others = [asset for asset in spans if asset not in behind]
    return (
        f"local times of {_listed(behind)} begin and end {hours:g} h before those of {_listed(others)}: if they are in"
        " another time zone, export UTC or offsets, or a file for each zone with a source and `timezone` of its own"
    )


def _listed(assets: list[str]) -> str:
    more = f" and {len(assets) - 2} more" if len(assets) > 2 else ""
    return ", ".join(printable(asset, 40) for asset in assets[:2]) + more
