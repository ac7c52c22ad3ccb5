"""The tables of Ignition's tag historian, as a gateway of 8.1 creates them, and readings in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

TABLES = {
    "sqlth_drv": "id integer, name varchar(255), provider varchar(255)",
    "sqlth_scinfo": "id integer, scname varchar(255), drvid integer",
    "sqlth_sce": "scid integer, start_time bigint, end_time bigint, rate integer",
    "sqlth_te": "id integer, tagpath varchar(255), scid integer, datatype integer, querymode integer, created bigint,"
    " retired bigint",
    "sqlth_partitions": "pname varchar(255), drvid integer, start_time bigint, end_time bigint, blocksize integer,"
    " flags integer",
}
DATA = (
    "tagid integer, intvalue bigint, floatvalue double precision, stringvalue varchar(255), datevalue timestamp,"
    " dataintegrity integer, t_stamp bigint, PRIMARY KEY (tagid, t_stamp)"
)
FLOAT, INTEGER, TEXT = 1, 0, 2
GATEWAYS = [(1, "gateway-1", "default"), (2, "gateway-2", "default")]
TAGS = [
    # number, path, scan class, type, retired: the pressure was an integer until February
    (1, "line 1/pump 2/pt-2", 1, INTEGER, True),
    (2, "line 1/pump 2/pt-2", 1, FLOAT, False),
    (3, "line 1/pump 2/ft-2", 2, FLOAT, False),
    (4, "line 1/pump 2/state", 1, TEXT, False),
    (5, "line 1/pump 2/pt-2", 3, FLOAT, False),
]


def ms(*date: int) -> int:
    return round(datetime(*date, tzinfo=timezone.utc).timestamp() * 1_000)  # type: ignore[misc, arg-type]


JANUARY, FEBRUARY, MARCH = (ms(2026, month, 1) for month in (1, 2, 3))


Statement = tuple[str, Sequence[Any]]
"""SQL with `?` for parameters, and their values."""
MONTHS = ((1, 2026, 1), (1, 2026, 2))


def statements(months: Sequence[tuple[int, int, int]] = MONTHS) -> Iterable[Statement]:
    """`months`: (driver, year, month) of the tables of readings."""
    for table, columns in TABLES.items():
        yield f"CREATE TABLE {table} ({columns})", ()
    for row in GATEWAYS:
        yield "INSERT INTO sqlth_drv VALUES (?, ?, ?)", row
    for number, driver in ((1, 1), (2, 1), (3, 2)):
        yield "INSERT INTO sqlth_scinfo VALUES (?, ?, ?)", (number, f"_exempt_{number}", driver)
    for number, path, scan_class, kind, retired in TAGS:
        row = (number, path, scan_class, kind, 3, JANUARY, FEBRUARY if retired else None)
        yield "INSERT INTO sqlth_te VALUES (?, ?, ?, ?, ?, ?, ?)", row
    for driver, year, month in months:
        table = f"sqlt_data_{driver}_{year}_{month:02}"
        yield f"CREATE TABLE {table} ({DATA})", ()
        yield partition(table, driver, ms(year, month, 1), ms(year + month // 12, month % 12 + 1, 1))


def partition(table: str, driver: int, start: int, end: int, block: int = 0) -> Statement:
    return "INSERT INTO sqlth_partitions VALUES (?, ?, ?, ?, ?, ?)", (table, driver, start, end, block, 0)


def reading(table: str, tag: int, ts: int, value: Any, quality: int = 192) -> Statement:
    """A value in the column of its type."""
    row = [tag, None, None, None, None, quality, ts]
    if value is not None:
        row[1 if type(value) is int else 2 if type(value) is float else 3] = value
    return f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?)", row
