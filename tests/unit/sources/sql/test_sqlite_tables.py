"""SQLite: whatever a table or query counts time in, each row is imported once, or refused in words."""

from __future__ import annotations

import math
import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from support.history_sites import pump_site
from support.import_clock import set_clock

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.importing import import_sources

pytestmark = pytest.mark.slow

START = datetime(2025, 10, 25, 12, tzinfo=timezone.utc)
LONG = {"ts": {"path": "ts"}, "asset": {"path": "asset"}, "sensor": {"path": "sensor"}}


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """It is four days after START."""
    set_clock(monkeypatch, START + timedelta(days=4))


def site_of(folder, **source):
    source = {"start": "2025-10-25T00:00:00Z", "url": "sqlite:///plant.db", "readings": LONG, **source}
    return pump_site(folder, [{"name": "db", "type": "sql", **source}])


def fill(folder, columns, rows, table="log"):
    with closing(sqlite3.connect(folder / "plant.db")) as database:
        database.execute(f"CREATE TABLE {table} ({columns})")
        marks = ", ".join("?" * len(rows[0])) if rows else ""
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        database.commit()


def held(site, asset="p1"):
    read = open_history(site).read(asset)
    return [
        (read.names[sensor], ts, None if math.isnan(value) else value)
        for sensor, ts, value in zip(read.sensor.tolist(), read.ts.tolist(), read.value.tolist(), strict=True)
    ]


def ms(instant):
    return round(instant.timestamp() * 1_000)


WRITTEN = {
    "blank": (None, lambda at: f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}Z"),
    "T and Z": (None, lambda at: f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"),
    "an offset": (None, lambda at: at.astimezone(timezone(timedelta(hours=-11))).isoformat()),
    "either": (None, lambda at: f"{at:%Y-%m-%d}{' T'[at.minute % 2]}{at:%H:%M:%S}.{at.microsecond // 1000:03}Z"),
    "ms": ("ms", ms),
    "us": ("us", lambda at: ms(at) * 1_000 + 7),
    "ns": ("ns", lambda at: ms(at) * 1_000_000 + 999),
    "s": ("s", lambda at: ms(at) / 1_000),
}


@pytest.mark.slow
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    offsets=st.lists(st.integers(0, 3 * 86_400_000), min_size=1, max_size=60, unique=True),
    width=st.sampled_from(["7h", "1d"]),
)
@pytest.mark.parametrize("kind", WRITTEN)
def test_each_row_is_imported_once(tmp_path_factory, kind, offsets, width):
    folder = tmp_path_factory.mktemp("site")
    unit, write = WRITTEN[kind]
    instants = [START + timedelta(milliseconds=offset) for offset in offsets]
    fill(folder, "ts, asset, sensor, value", [(write(at), "p1", "flow", ms(at) % 97 / 7) for at in instants])
    readings = {**LONG, "ts": {"path": "ts", **({"unit": unit} if unit else {})}}
    site = site_of(folder, table="log", window=width, readings=readings)
    (report,) = import_sources(site)
    assert (report.readings, report.rejected, report.failed) == (len(offsets), {}, [])
    assert held(site) == sorted(("flow", ms(at), ms(at) % 97 / 7) for at in instants)


@pytest.mark.parametrize(("ambiguous", "offset"), [("first", 2), ("second", 1)])
def test_the_repeated_hour_is_the_one_that_the_mapping_says(tmp_path, ambiguous, offset):
    walls = [datetime(2025, 10, 26, 2) + timedelta(minutes=10 * n) for n in range(6)]
    fill(tmp_path, "ts, asset, sensor, value", [(f"{wall}", "p1", "flow", 1.5) for wall in walls])
    readings = {**LONG, "ts": {"path": "ts", "ambiguous": ambiguous}}
    (report,) = import_sources(site_of(tmp_path, table="log", window="5h", readings=readings))
    assert report.rejected == {}
    zone = timezone(timedelta(hours=offset))
    assert [ts for _, ts, _ in held(site_of(tmp_path, table="log"))] == [
        ms(wall.replace(tzinfo=zone)) for wall in walls
    ]


def test_local_times_of_the_repeated_hour_are_rejected_once(tmp_path):
    berlin = ZoneInfo("Europe/Berlin")
    walls = [datetime(2025, 10, 26, 0) + timedelta(minutes=10 * n) for n in range(36)]
    fill(tmp_path, "ts, asset, sensor, value", [(f"{wall}", "p1", "flow", 1.5) for wall in walls])
    site = site_of(tmp_path, table="log", window="5h")
    (report,) = import_sources(site)
    assert report.rejected == {"bad-timestamp": 6}
    clear = [wall for wall in walls if wall.hour != 2]
    assert held(site) == [("flow", ms(wall.replace(tzinfo=berlin)), 1.5) for wall in clear]


def test_garbage_in_the_time_column_is_rejected_once(tmp_path):
    texts = ["2025-10-25 12:00:00Z", "2025-10-25 25:61:00Z", "2025-10-25 noon", "2025-10-25T33:00:00Z"]
    fill(tmp_path, "ts, asset, sensor, value", [(text, "p1", "flow", 1) for text in texts])
    (report,) = import_sources(site_of(tmp_path, table="log", window="6h"))
    assert (report.readings, report.rejected) == (1, {"bad-timestamp": 3})
    assert "row of 2025-10-25 25:61:00Z: " in str(report.examples)


def test_values_of_any_kind_are_right_bad_or_rejected(tmp_path):
    values = [2.4123456789012345, 7, None, "Bad", "3.5", "n.a.", "what", True, b"4.5", (1 << 53) + 1, -0.0]
    rows = [(ms(START) + n, "p1", "flow", value) for n, value in enumerate(values)]
    fill(tmp_path, "ts, asset, sensor, value", rows)
    site = site_of(tmp_path, table="log", readings={**LONG, "ts": {"path": "ts", "unit": "ms"}})
    (report,) = import_sources(site)
    assert report.rejected == {"bad-value": 1}
    expected = [2.4123456789012345, 7, None, None, 3.5, None, 1, 4.5, float((1 << 53) + 1), 0]
    assert [value for _, _, value in held(site)] == expected


def test_wide_tables(tmp_path):
    rows = [(ms(START) + n * 1_000, n * 0.5, None if n == 3 else n, "x", n) for n in range(10)]
    fill(tmp_path, 'ts, flow, pressure, comment, "motor current"', rows)
    readings = {"shape": "wide", "ts": {"path": "ts", "unit": "ms"}, "asset": {"const": "p1"}}
    site = site_of(tmp_path, table="log", readings=readings)
    (report,) = import_sources(site)
    assert (report.readings, report.bad_quality) == (30, 1)
    assert set(report.unknown_columns) == {"comment"}
    assert held(site)[:2] == [("flow", ms(START), 0.0), ("flow", ms(START) + 1_000, 0.5)]


def test_a_query_with_its_bounds(tmp_path):
    fill(tmp_path, "at, tag, v", [(f"{START + timedelta(hours=n):%Y-%m-%dT%H:%M:%SZ}", "FT-2", n) for n in range(30)])
    query = (
        "SELECT unixepoch(at) AS ts, tag, v AS \"a:start\", ':end' AS text FROM log -- not a :parameter\n"
        "WHERE unixepoch(at) >= :start AND unixepoch(at) < :end AND tag <> 'x:y';"
    )
    readings = {"ts": {"path": "ts", "unit": "s"}, "tag": {"path": "tag"}, "value": {"path": "a:start"}}
    site = site_of(tmp_path, query=query, readings=readings)
    (report,) = import_sources(site)
    assert (report.readings, report.failed) == (30, [])
    assert held(site, "p2") == [("flow", ms(START) + n * 3_600_000, n) for n in range(30)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "part", "source"),
    [
        ("wincc", 1_000_000, {"table": "log"}),
        ("excel", 1, {"table": "log"}),
        ("wincc", 1_000_000, {"query": "SELECT * FROM log WHERE Time_ms >= :start AND Time_ms < :end"}),
        ("wincc", 1, {"query": "SELECT Time_ms * 1000000 AS Time_ms, VarName, VarValue, Validity FROM log"
                       " WHERE Time_ms >= :start AND Time_ms < :end", "bounds": "excel"}),
    ],
)  # fmt: skip
def test_local_days_as_spreadsheets_and_wincc_count_them(tmp_path, unit, part, source):
    """Days since 1899-12-30, or millionths; clocks were set back on 26 October."""
    berlin = ZoneInfo("Europe/Berlin")
    walls = [datetime(2025, 10, 25, 14) + timedelta(milliseconds=500 * n * n) for n in range(500)]
    walls = [wall for wall in walls if wall.hour != 2]
    days = [(wall - datetime(1899, 12, 30)) / timedelta(days=1) * part for wall in walls]
    rows = [("FT-2", day, n, n % 5 > 0) for n, day in enumerate(days)]
    fill(tmp_path, "VarName, Time_ms, VarValue, Validity", rows)
    parts = {"tag": {"path": "VarName"}, "value": {"path": "VarValue"}}
    quality = {"path": "Validity", "scheme": "boolean"}
    mapping = {"ts": {"path": "Time_ms", "unit": unit}, **parts, "quality": quality}
    site = site_of(tmp_path, readings=mapping, window="6h", **source)
    (report,) = import_sources(site)
    assert (report.failed, report.rejected) == ([], {})
    expected = [("flow", ms(wall.replace(tzinfo=berlin)), n if n % 5 else None) for n, wall in enumerate(walls)]
    assert held(site, "p2") == expected


def test_a_query_that_goes_beyond_its_bounds_is_refused(tmp_path):
    fill(tmp_path, "ts, asset, sensor, value", [(ms(START) + n * 60_000, "p1", "flow", n) for n in range(5_000)])
    query = "SELECT * FROM log WHERE ts >= :start - 3600000 AND ts < :end - 3600000"
    site = site_of(tmp_path, query=query, readings={**LONG, "ts": {"path": "ts", "unit": "ms"}})
    with pytest.raises(EugenieError) as error:
        import_sources(site)
    failed = error.value.reason
    assert re.search(
        r"the query gave \d+ rows outside :start and :end, one at 1761\d+; it was asked for 1761\d+ to", failed
    )
    assert "compare the column of `ts` itself" in failed


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"table": "logg"}, "no such table: logg (did you mean log?)"),
        ({"table": "log", "readings": {**LONG, "value": {"path": "Value"}}}, "'Value' (did you mean value?); columns"),
        ({"table": "log"}, "the column 'ts' contains numbers (next: say what they count since 1970: `ts: {unit: s}`"),
        ({"table": "texts", "readings": {**LONG, "ts": {"path": "ts", "unit": "ms"}}}, "text, not numbers in ms"),
        ({"table": "mixed"}, "contains both numbers and text"),
        ({"query": "SELECT * FROM texts WHERE ts >= :start AND ts < :end"}, "text, which need not sort as time does"),
        ({"query": "SELECT x FROM log WHERE ts >= :start AND ts < :end"}, "no such column: x (next: correct"),
        ({"url": "sqlite:///none.db", "table": "log"}, "none.db: unable to open database file (next: "),
        ({"url": "sqlite:///text.db", "table": "log"}, "text.db: file is not a database"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(tmp_path, source, words):
    fill(tmp_path, "ts, asset, sensor, value", [(ms(START), "p1", "flow", 1)])
    fill(tmp_path, "ts, asset, sensor, value", [("2025-10-25 12:00:00", "p1", "flow", 1)], "texts")
    fill(tmp_path, "ts, asset, sensor, value", [(at, "p1", "flow", 1) for at in (ms(START), "2025-10-25")], "mixed")
    (tmp_path / "text.db").write_text("no database at all, but a text" * 100)
    with pytest.raises(EugenieError) as error:
        import_sources(site_of(tmp_path, **source))
    assert words in str(error.value.reason)


def test_a_query_that_takes_too_long_is_halved_and_then_said(tmp_path):
    fill(tmp_path, "ts, asset, sensor, value", [(ms(START) + n, "p1", "flow", n) for n in range(9)])
    slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000000) SELECT count(*) FROM c"
    query = f"SELECT *, ({slow}) FROM log WHERE ts >= :start AND ts < :end"
    site = site_of(
        tmp_path,
        query=query,
        readings={**LONG, "ts": {"path": "ts", "unit": "ms"}},
        pace={"timeout": "20ms", "retries": 0},
        start="2025-10-25T00:00:00Z",
        window="31d",
    )
    with pytest.raises(EugenieError, match=r"the query took too long, in 2025-10-25T.*, even for 1 s.*pace: \{timeout"):
        import_sources(site)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({}, "needs either `table` or `query`"),
        ({"table": "log", "query": "SELECT 1 WHERE ts >= :start AND ts < :end"}, "needs either"),
        ({"query": "SELECT * FROM log WHERE ts >= :start"}, "must contain :end"),
        ({"query": "SELECT * FROM log WHERE ts >= ':start' AND ts < :end"}, "must contain :start"),
        ({"query": "DELETE FROM log WHERE ts >= :start AND ts < :end"}, "must begin with SELECT or WITH"),
        ({"query": "SELECT 1; DROP TABLE log -- :start :end"}, "a single statement"),
        (
            {"query": "WITH x AS (DELETE FROM log WHERE ts >= :start AND ts < :end RETURNING *) SELECT * FROM x"},
            "DELETE",
        ),
        ({"query": "SELECT * FROM log WHERE ts >= :start AND ts < :end AND t = :tag"}, ":tag is not bound"),
        ({"table": "log", "bounds": "ms"}, "`bounds` is for a `query`"),
        ({"table": "log", "url": "postgres://h/d"}, "did you mean postgresql"),
        ({"table": "log", "url": "postgresql+psycopg2://h/d"}, "did you mean postgresql"),
        ({"table": "log", "url": "sqlite://plant.db"}, "must be sqlite:///"),
        ({"table": "log", "url": "mariadb:///plant"}, "names no host"),
        ({"table": "log", "url": "plant.db"}, "must be postgresql://"),
        ({"table": "log", "password": "x" * 9}, "`password` requires `username`"),
        ({"table": "log", "readings": {**LONG, "ts": {"path": ["a", "b"]}}}, "`ts` must be one column"),
        ({"table": "log", "readings": {**LONG, "ts": {"path": "ts", "ambiguous": "order"}}}, "rows of a table have no"),
        ({"table": "log", "readings": {**LONG, "base64": True}}, "`base64` is for messages"),
        ({"table": "log", "readings": {**LONG, "format": "csv"}}, "`format` is for files and messages"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, source, words):
    with pytest.raises(ValidationError, match=words):
        site_of(tmp_path, **source)
