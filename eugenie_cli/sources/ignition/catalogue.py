"""Ignition's catalogue: which numbers a tag path has had, and which table holds which time.

A tag gets a new number whenever its type or scan class changes; the former is retired. All of them are one tag.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from eugenie_cli.readings.routing import Router
from eugenie_cli.site.diagnostics import did_you_mean
from eugenie_cli.site.names import listed
from eugenie_cli.sources.failures import SourceDownError
from eugenie_cli.sources.ignition.executions import Execution, read_executions
from eugenie_cli.sources.sql.databases import Database
from eugenie_cli.sources.sql.faults import MissingTableError
from eugenie_cli.sources.sql.statements import Statement, table_of
from eugenie_cli.sources.windows.reader import Span


@dataclass(frozen=True)
class Tag:
    """A row of sqlth_te. `id`: the number of its readings; `driver`: of the gateway that wrote them; `scan_class`: by
    which it did.
    """

    id: int
    path: str
    driver: int
    retired: bool
    scan_class: int


@dataclass(frozen=True)
class Partition:
    """A table of readings, `start_ms <= t_stamp < end_ms`; None: not limited."""

    table: str
    driver: int
    start_ms: int | None
    end_ms: int | None

    def meets(self, span: Span) -> bool:
        return (self.start_ms is None or self.start_ms < span.end_ms) and (
            self.end_ms is None or self.end_ms >= span.start_ms
        )


@dataclass(frozen=True)
class Catalogue:
    """`tags`: those of the drivers that are read; `partitions`: of raw readings; `drivers`: number -> name;
    `executions`: by number of the scan class.
    """

    tags: tuple[Tag, ...]
    partitions: tuple[Partition, ...]
    drivers: Mapping[int, str]
    executions: Mapping[int, Sequence[Execution]]

    def partitions_of(self, span: Span, drivers: Collection[int]) -> Iterator[Partition]:
        """The tables that may hold readings of a span."""
        return (partition for partition in self.partitions if partition.driver in drivers and partition.meets(span))


def read_catalogue(database: Database, driver: str | None, prefix: str) -> Catalogue:
    """`driver`: the name of the only one to read; `prefix`: `schema.`, or empty. Raises SourceDownError."""
    try:
        drivers = {int(number): str(name) for number, name in _rows(database, f"{prefix}sqlth_drv", ("id", "name"))}
        classes = {
            int(number): int(owner) for number, owner in _rows(database, f"{prefix}sqlth_scinfo", ("id", "drvid"))
        }
        tags = _rows(database, f"{prefix}sqlth_te", ("id", "tagpath", "scid", "retired"))
        tables = _rows(database, f"{prefix}sqlth_partitions", ("pname", "drvid", "start_time", "end_time", "blocksize"))
    except MissingTableError as error:
        raise SourceDownError(
            f"{error.reason}: these are not the tables of Ignition's tag historian",
            "correct `url`, or name the schema of its tables: `schema_name: ...`",
        ) from error
    if driver is not None and driver not in drivers.values():
        raise SourceDownError(
            f"{database.where}: sqlth_drv has no driver {driver!r}{did_you_mean(driver, drivers.values())};"
            f" there are {listed(drivers.values())}",
            "correct `driver` of the source",
        )
    read = {number for number, name in drivers.items() if driver is None or name == driver}
    return Catalogue(
        tuple(
            Tag(int(number), str(path), int(classes[scan_class]), retired is not None, int(scan_class))
            for number, path, scan_class, retired in tags
            if scan_class in classes and classes[scan_class] in read
        ),
        tuple(
            Partition(str(table), int(owner), _ms(start), _ms(end))
            for table, owner, start, end, block in tables
            if owner in read and not block  # with a block size it contains averages, made of another partition
        ),
        {number: name for number, name in drivers.items() if number in read},
        read_executions(database, prefix),
    )


def _rows(database: Database, table: str, columns: Sequence[str]) -> list[Sequence[Any]]:
    return database.rows(Statement(sa.select(*table_of(table, columns).c), {}))


def _ms(instant: Any) -> int | None:
    return None if instant is None else int(instant)


@dataclass(frozen=True)
class Chosen:
    """The tags that the site has. `names`: number -> the tag as the site spells it; `classes`: their scan classes;
    `drivers`: those that hold them; `lacking`: sentences about tags of assets of which only others are recorded.
    """

    names: Mapping[int, str]
    classes: frozenset[int]
    drivers: frozenset[int]
    lacking: tuple[str, ...]


def choose(catalogue: Catalogue, router: Router, where: str) -> Chosen:
    """Match tag paths with the site's tags, regardless of case: Ignition stores paths in small letters.

    Raises SourceDownError if there is none, or if a path is recorded by several gateways.
    """
    wanted: dict[str, list[str]] = {}
    for route in router.table():
        if route.asset is None and route.tag is not None:
            wanted.setdefault(route.tag.casefold(), []).append(route.tag)
    names: dict[int, str] = {}
    owners: dict[str, set[int]] = {}
    for tag in catalogue.tags:
        spellings = wanted.get(tag.path.casefold(), [])
        exact = [name for name in spellings if name == tag.path] or spellings
        if len(exact) > 1:
            raise SourceDownError(
                f"{where}: the tag path {tag.path!r} could be each of {listed(exact)}",
                "write one of these `tags` of the site as Ignition does",
            )
        if exact:
            names[tag.id] = exact[0]
            owners.setdefault(exact[0], set()).add(tag.driver)
    for name, drivers in sorted(owners.items()):
        if len(drivers) > 1:
            recorded = listed(sorted(catalogue.drivers[driver] for driver in drivers))
            raise SourceDownError(
                f"{where}: the tag {name!r} is recorded by several gateways: {recorded}",
                "choose one with `driver` of the source",
            )
    paths = sorted({tag.path for tag in catalogue.tags})
    if not names:
        raise SourceDownError(
            f"{where}: no tag path in sqlth_te is a tag of the site; there are {listed(paths)}",
            "write tag paths as the `tags` of assets, such as tags: {pressure: line 1/pump 1/pressure}",
        )
    classes = frozenset(tag.scan_class for tag in catalogue.tags if tag.id in names)
    return Chosen(
        names, classes, frozenset().union(*owners.values()), tuple(_lacking(router, set(names.values()), paths))
    )


def _lacking(router: Router, found: set[str], paths: Sequence[str]) -> Iterator[str]:
    """Tags of assets that have others in the history."""
    tag_of = {
        (route.to_asset, route.to_index): route.tag
        for route in router.table()
        if route.asset is None and route.tag is not None and route.tag not in router.sensors_of(route.to_asset)
    }
    present = {asset for (asset, _), tag in tag_of.items() if tag in found}
    for (asset, index), tag in sorted(tag_of.items()):
        if asset in present and tag not in found and tag is not None:
            sensor = router.sensors_of(asset)[index]
            yield f"{asset}, {sensor}: sqlth_te has no tag path {tag!r}{did_you_mean(tag, paths)}"
