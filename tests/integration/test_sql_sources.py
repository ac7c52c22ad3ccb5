"""SQL sources on real servers: what was put in is imported, to the last reading, whatever happens on the way."""

from __future__ import annotations

import math
import threading
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from support import ignition_history, sql_servers
from support.debian_packages import Unavailable
from support.history_sites import pump_site
from support.import_clock import set_clock

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.polling import wait_until
from eugenie_cli.sources.importing import import_sources

pytestmark = pytest.mark.integration

START = datetime(2025, 10, 25, 20, tzinfo=timezone.utc)
BERLIN = ZoneInfo("Europe/Berlin")
LONG = {"ts": {"path": "ts"}, "asset": {"path": "asset"}, "sensor": {"path": "sensor"}}
PASSWORD = "secret-1"


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def server(request):
    with pytest.MonkeyPatch.context(), _started(getattr(sql_servers, request.param)) as running:
        yield running


def _started(make):
    try:
        return make()
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """It is a day after START, and nobody waits between attempts."""
    monkeypatch.setattr("eugenie_cli.sources.windows.pace.FIRST_PAUSE_S", 0.05)
    return set_clock(monkeypatch, START + timedelta(days=1))


def site_of(folder, server, **source):
    given = {
        **{"name": "db", "type": "sql", "url": server.address, "username": "reader", "password": PASSWORD},
        **{"start": "2025-10-25T00:00:00Z", "readings": LONG, "pace": {"retries": 1}},
    }
    return pump_site(folder, [{**given, **source}])


def held(site, asset="p1"):
    read = open_history(site).read(asset)
    return [
        (read.names[sensor], ts, None if math.isnan(value) else value)
        for sensor, ts, value in zip(read.sensor.tolist(), read.ts.tolist(), read.value.tolist(), strict=True)
    ]


def ms(instant):
    return round(instant.timestamp() * 1_000)


def fill(server, table, columns, rows):
    """Create a table that the source's user may read."""
    with closing(server.connect("plant")) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {table} ({columns})")
        marks = ", ".join(["%s"] * len(rows[0]))
        cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        host = "" if server.kind == "postgresql" else "@'127.0.0.1'"
        cursor.execute(f"GRANT SELECT ON {table} TO reader{host}")


INSTANTS = [START + timedelta(seconds=17.251 * n) for n in range(3_000)]
VALUES = [math.sin(n) if n % 50 else None for n in range(3_000)]


def kinds(server):
    """Name -> (type of the column, instant -> what is inserted, the mapping's `ts`)."""

    def utc(at):
        return at.replace(tzinfo=None)

    if server.kind == "postgresql":
        yield "aware", "timestamptz(3)", lambda at: at, {}
        yield "unzoned", "timestamp", utc, {"timezone": "UTC"}
        yield "numeric", "numeric(20, 3)", lambda at: ms(at) / 1_000, {"unit": "s"}
    else:
        yield "aware", "timestamp(3)", utc, {}
        yield "unzoned", "datetime(6)", utc, {"timezone": "UTC"}
    yield "whole", "bigint", ms, {"unit": "ms"}
    yield "fraction", "double precision", lambda at: ms(at) / 1_000, {"unit": "s"}


def test_what_was_put_in_is_imported_to_the_last_reading(server, tmp_path):
    expected = sorted(("flow", ms(at), value) for at, value in zip(INSTANTS, VALUES, strict=True))
    if server.kind == "mariadb":
        server.run("SET GLOBAL time_zone = '+00:00'")
    for name, kind, write, ts in kinds(server):
        rows = [(write(at), "p1", "flow", value) for at, value in zip(INSTANTS, VALUES, strict=True)]
        columns = f"ts {kind}, asset varchar(20), sensor varchar(20), value double precision"
        fill(server, name, columns, rows)
        mapping = {**LONG, "ts": {"path": "ts", **ts}}
        site = site_of(tmp_path / name, server, table=name, readings=mapping, window="7h")
        (report,) = import_sources(site)
        assert (report.failed, report.rejected) == ([], {}), name
        assert held(site) == expected, name
        if name not in ("aware", "whole"):
            continue
        select = f"SELECT * FROM {name} WHERE ts >= :start AND ts < :end"
        site = site_of(tmp_path / f"{name}-query", server, query=select, readings=mapping, window="1d")
        (report,) = import_sources(site)
        assert (report.failed, held(site)) == ([], expected), name
        (report,) = import_sources(site)
        assert report.new == 0
    if server.kind == "mariadb":  # many call it by the name of its protocol
        url = server.address.replace("mariadb", "mysql")
        site = site_of(tmp_path / "mysql", server, table="aware", url=url)
        import_sources(site)
        assert held(site) == expected


def test_a_server_in_another_zone_gives_the_same_instants(server, tmp_path):
    if server.kind == "postgresql":
        server.run("ALTER DATABASE plant SET TimeZone = 'Asia/Tokyo'", "SET TimeZone = 'UTC'")
        kind = "timestamptz(3)"
    else:
        server.run("SET GLOBAL time_zone = '+09:00'")
        kind = "timestamp(3)"
    inserted = [(at.astimezone(timezone(timedelta(hours=9))), "p1", "flow", 1.5) for at in INSTANTS[:500]]
    if server.kind == "mariadb":
        inserted = [(at.replace(tzinfo=None), *rest) for at, *rest in inserted]
    fill(server, "tokyo", f"ts {kind}, asset varchar(9), sensor varchar(9), value real", inserted)
    site = site_of(tmp_path, server, table="tokyo")
    import_sources(site)
    assert held(site) == [("flow", ms(at), 1.5) for at in INSTANTS[:500]]


def test_local_times_and_the_hour_that_occurs_twice(server, tmp_path):
    walls = [datetime(2025, 10, 25, 22) + timedelta(minutes=10 * n) for n in range(60)]
    kind = "timestamp" if server.kind == "postgresql" else "datetime"
    fill(
        server,
        "walls",
        f"ts {kind}, asset varchar(9), sensor varchar(9), value real",
        [(w, "p1", "flow", 2) for w in walls],
    )
    site = site_of(tmp_path, server, table="walls", window="1h")
    (report,) = import_sources(site)
    assert report.rejected == {"bad-timestamp": 6}, "02:00 to 02:50, once"
    assert held(site) == [("flow", ms(wall.replace(tzinfo=BERLIN)), 2) for wall in walls if wall.hour != 2]


def test_a_wide_table_in_a_schema(server, tmp_path):
    schema = "line_2" if server.kind == "postgresql" else "plant"
    kind = "timestamptz" if server.kind == "postgresql" else "timestamp(3)"
    if server.kind == "postgresql":
        server.run(f"CREATE SCHEMA {schema}", f"GRANT USAGE ON SCHEMA {schema} TO reader")
    quote = '"' if server.kind == "postgresql" else "`"
    zone = timezone.utc if server.kind == "postgresql" else None
    rows = [(at.replace(tzinfo=zone), n, n / 3, n % 2, "x") for n, at in enumerate(INSTANTS[:100])]
    if server.kind == "mariadb":
        server.run("SET GLOBAL time_zone = '+00:00'")
    columns = f"ts {kind}, flow int, pressure real, {quote}motor current{quote} smallint, remark text"
    fill(server, f"{schema}.wide", columns.replace("real", "double precision"), rows)
    mapping = {"shape": "wide", "ts": {"path": "ts"}, "asset": {"const": "p1"}}
    site = site_of(tmp_path, server, table=f"{schema}.wide", readings=mapping)
    (report,) = import_sources(site)
    assert list(report.unknown_columns) == ["remark"]
    values = {(name, ts): value for name, ts, value in held(site)}
    assert len(values) == 300
    for n, at in enumerate(INSTANTS[:100]):
        assert [values[name, ms(at)] for name in ("flow", "pressure", "motor current")] == [n, n / 3, n % 2]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"password": "wrong-pass"}, "correct `username` and `password`"),
        ({"table": "machinez"}, "(did you mean machines?)"),
        ({"table": "hidden"}, "GRANT SELECT ON the table"),
        ({"readings": {**LONG, "value": {"path": "Valu"}}}, "has no column 'Valu' (did you mean value?); columns: ts,"),
        ({"query": "SELECT nix FROM machines WHERE ts >= :start AND ts < :end"}, "correct the names of columns"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_without_the_password(server, tmp_path, source, words):
    rows = [(ms(START), "p1", "flow", 1.0)]
    columns = "ts bigint, asset varchar(9), sensor varchar(9), value real"
    for table in ("machines", "hidden"):
        server.run(f"DROP TABLE IF EXISTS {table}")
    fill(server, "machines", columns, rows)
    server.run(f"CREATE TABLE hidden ({columns})")
    mapping = {**LONG, "ts": {"path": "ts", "unit": "ms"}}
    source = {"readings": mapping, **({} if "query" in source else {"table": "machines"}), **source}
    with pytest.raises(EugenieError) as error:
        import_sources(site_of(tmp_path, server, **source))
    said = f"{error.value.reason} {error.value.hint}"
    assert words in said
    assert f"{server.kind}://127.0.0.1:{server.port}/plant" in said
    assert PASSWORD not in said and "wrong-pass" not in said


def test_a_session_only_reads(server, tmp_path):
    """Even if the user may write, and the query calls what writes."""
    columns = "ts bigint, asset varchar(9), sensor varchar(9), value real"
    fill(server, "written", columns, [(ms(START), "p1", "flow", 1.0)])
    host = "" if server.kind == "postgresql" else "@'127.0.0.1'"
    if server.kind == "postgresql":
        server.run(
            "CREATE FUNCTION bump() RETURNS int LANGUAGE sql AS $$ UPDATE written SET value = 9 RETURNING 1 $$",
            "GRANT ALL ON written TO reader",
        )
    else:
        server.run(
            "CREATE FUNCTION bump() RETURNS int MODIFIES SQL DATA BEGIN UPDATE written SET value = 9; RETURN 1; END",
            f"GRANT ALL ON plant.* TO reader{host}",
        )
    query = "SELECT written.*, bump() AS n FROM written WHERE ts >= :start AND ts < :end"
    mapping = {**LONG, "ts": {"path": "ts", "unit": "ms"}}
    with pytest.raises(EugenieError, match=r"(?i)read.only"):
        import_sources(site_of(tmp_path, server, query=query, readings=mapping))


def test_a_query_that_is_too_slow_is_halved(server, tmp_path):
    columns = "ts bigint, asset varchar(9), sensor varchar(9), value real"
    rows = [(ms(START + timedelta(minutes=20 * n)), "p1", "flow", 1.0) for n in range(30)]
    fill(server, "slow", columns, rows)
    sleep = "(SELECT 1 FROM pg_sleep(0.02 + 0 * ts))" if server.kind == "postgresql" else "sleep(0.02 + 0 * ts)"
    query = f"SELECT slow.*, {sleep} AS n FROM slow WHERE ts >= :start AND ts < :end"
    mapping = {**LONG, "ts": {"path": "ts", "unit": "ms"}}
    site = site_of(tmp_path, server, query=query, readings=mapping, pace={"timeout": "250ms"}, window="7d")
    (report,) = import_sources(site)
    assert (report.readings, report.failed) == (30, [])


def test_a_server_that_is_killed_in_the_middle(server, tmp_path, clock):
    columns = "ts bigint, asset varchar(9), sensor varchar(9), value double precision"
    rows = [(ms(START + timedelta(seconds=n)), "p1", "flow", n / 7) for n in range(20_000)]
    fill(server, "killed", columns, rows)
    clock.at = START + timedelta(hours=6)
    sleep = "(SELECT 1 FROM pg_sleep(0 * :start + 0.2))" if server.kind == "postgresql" else "sleep(0.2 + 0 * :start)"
    query = f"SELECT killed.*, s.n FROM (SELECT {sleep} AS n) s, killed WHERE ts >= :start AND ts < :end"
    mapping = {**LONG, "ts": {"path": "ts", "unit": "ms"}}
    site = site_of(
        tmp_path, server, query=query, readings=mapping, window="30m", settle="1m", start="2025-10-25T20:00:00Z"
    )

    def kill_after_three_windows():
        wait_until(lambda: len(open_history(site).items("db")) >= 3, 30, 0.05)
        server.kill()

    killer = threading.Thread(target=kill_after_three_windows)
    killer.start()
    (report,) = import_sources(site)
    killer.join()
    assert report.stopped == "the source could not be used"
    assert "check that the server runs and can be reached" in str(report.failed)
    kept = held(site)
    assert 0 < len(kept) < 20_000
    server.start()
    (report,) = import_sources(site)
    assert (report.failed, report.unread) == ([], 0)
    assert held(site) == [("flow", ts, value) for ts, _, _, value in rows]


def test_a_clock_that_goes_back_adds_readings_and_shows_the_conflicts(server, tmp_path, clock):
    """Rows with earlier times, written later, are found as long as their window has not settled."""
    columns = "ts bigint, asset varchar(9), sensor varchar(9), value real"
    last = clock.at - timedelta(minutes=30)
    fill(server, "back", columns, [(ms(last) + 1_000 * n, "p1", "flow", 1.0) for n in range(600)])
    mapping = {**LONG, "ts": {"path": "ts", "unit": "ms"}}
    site = site_of(tmp_path, server, table="back", readings=mapping, window="1h", settle="2h")
    import_sources(site)
    again = [f"({ms(last) - 500_000 + 1_000 * n}, 'p1', 'flow', 2)" for n in range(600)]
    server.run(f"INSERT INTO back VALUES {', '.join(again)}")
    clock.at += timedelta(minutes=1)
    (report,) = import_sources(site)
    assert (report.readings, report.conflicts) == (1_200, 100)


def test_a_server_that_is_down_is_said(server, tmp_path):
    site = site_of(tmp_path, server, table="x", url=f"{server.kind}://127.0.0.1:1/plant")
    began = time.monotonic()
    with pytest.raises(EugenieError, match="check that the server runs and can be reached"):
        import_sources(site)
    assert time.monotonic() - began < 10


def test_the_tag_history_of_ignition(server, tmp_path, clock):
    month = "sqlt_data_1_2026_01"
    clock.at = datetime(2026, 1, 3, tzinfo=timezone.utc)
    begin = ms(datetime(2026, 1, 1, tzinfo=timezone.utc))
    values = [(begin + 17_251 * n, math.sin(n) if n % 9 else None, 192 if n % 7 else 0) for n in range(5_000)]
    with closing(server.connect("plant")) as connection, connection.cursor() as cursor:
        for statement, given in ignition_history.statements():
            cursor.execute(statement.replace("?", "%s"), given)
        rows = [ignition_history.reading(month, 3, ts, value, quality)[1] for ts, value, quality in values]
        cursor.executemany(f"INSERT INTO {month} VALUES ({', '.join(['%s'] * 7)})", rows)
        host = "" if server.kind == "postgresql" else "@'127.0.0.1'"
        for table in (*ignition_history.TABLES, month, "sqlt_data_1_2026_02"):
            cursor.execute(f"GRANT SELECT ON {table} TO reader{host}")
    source = {"name": "gateway", "type": "ignition", "url": server.address, "username": "reader", "password": PASSWORD}
    site = pump_site(tmp_path, [{**source, "driver": "gateway-1", "start": "2026-01-01T00:00:00Z"}])
    tagged = site.assets["p2"].model_copy(update={"tags": {"flow": "line 1/pump 2/FT-2"}})
    site = site.model_copy(update={"assets": {**site.assets, "p2": tagged}})
    (report,) = import_sources(site)
    assert (report.failed, report.rejected) == ([], {})
    expected = [("flow", ts, value if quality else None) for ts, value, quality in values]
    assert held(site, "p2") == expected
