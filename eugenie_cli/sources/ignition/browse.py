"""Counts the readings of each tag path in Ignition's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import sqlalchemy as sa

from eugenie_cli.readings.routing import Router
from eugenie_cli.sources.ignition.catalogue import Catalogue
from eugenie_cli.sources.sql.databases import Database
from eugenie_cli.sources.sql.faults import MissingTableError
from eugenie_cli.sources.sql.statements import Statement, table_of
from eugenie_cli.sources.windows.browsing import Browsed, matches, sensor_of
from eugenie_cli.sources.windows.pace import Pace

Extent = tuple[int, int, int]
"""Number of readings, first and last instant."""


def browse_tags(
    database: Database, catalogue: Catalogue, prefix: str, router: Router, pattern: str | None, pace: Pace
) -> Iterator[Browsed]:
    """One for each tag path that matches, and gateway, over all numbers that it has had."""
    extents: dict[int, Extent] = {}
    for table in catalogue.partitions:
        try:
            found = pace.call(partial(_extents, database, f"{prefix}{table.table}"))
        except MissingTableError:
            continue
        for number, extent in found.items():
            extents[number] = _joined(extents.get(number), extent)
    spelt = {route.tag.casefold(): route.tag for route in router.table() if route.asset is None and route.tag}
    several = len(catalogue.drivers) > 1
    paths: dict[tuple[str, int], Extent | None] = {}
    for tag in catalogue.tags:
        if matches(pattern, tag.path):
            key = (tag.path, tag.driver)
            own = extents.get(tag.id)
            paths[key] = _joined(paths.get(key), own) if own is not None else paths.get(key)
    for (path, driver), extent_of in paths.items():
        count, first, last = extent_of or (0, None, None)
        sensor = sensor_of(router, None, None, spelt.get(path.casefold(), path))
        note = f"driver: {catalogue.drivers[driver]}" if several else None
        yield Browsed(path, sensor, None, count, first, last, note)


def _extents(database: Database, name: str) -> Mapping[int, Extent]:
    table = table_of(name, ("tagid", "t_stamp"))
    at = table.c.t_stamp
    grouped = sa.select(table.c.tagid, sa.func.count(), sa.func.min(at), sa.func.max(at)).group_by(table.c.tagid)
    rows = database.rows(Statement(grouped, {}))
    return {int(number): (int(count), int(first), int(last)) for number, count, first, last in rows}


def _joined(one: Extent | None, other: Extent) -> Extent:
    return other if one is None else (one[0] + other[0], min(one[1], other[1]), max(one[2], other[2]))
