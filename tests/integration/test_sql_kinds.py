"""Kinds of columns, values, names, queries and connections on real servers: right, or refused in words."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from support import sql_servers
from support.certificates import Authority
from support.debian_packages import Unavailable
from support.history_sites import pump_site
from support.import_clock import set_clock

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.load import load_site
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.interface import Tally, importer_for

pytestmark = pytest.mark.integration

START = datetime(2026, 1, 1, 6, tzinfo=timezone.utc)
LONG = {"ts": {"path": "ts"}, "asset": {"path": "asset"}, "sensor": {"path": "sensor"}}
NAMES = "asset varchar(20), sensor varchar(20)"
BAD = None


def ms(instant):
    return round(instant.timestamp() * 1_000)


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def server(request):
    try:
        with getattr(sql_servers, request.param)() as running:
            if request.param == "mariadb":
                running.run("SET GLOBAL time_zone = '+00:00'")
            yield running
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """It is a day after START, and nobody waits between attempts."""
    monkeypatch.setattr("eugenie_cli.sources.windows.pace.FIRST_PAUSE_S", 0.05)
    return set_clock(monkeypatch, START + timedelta(days=1))


def given(server):
    return {
        **{"name": "db", "type": "sql", "url": server.address, "username": "reader", "password": "secret-1"},
        **{"start": "2026-01-01T00:00:00Z", "window": "31d", "readings": LONG, "pace": {"retries": 0}},
    }


def site_of(folder, server, **source):
    return pump_site(folder, [{**given(server), **source}])


def held(site):
    """[(seconds after START, value)] of a sensor."""
    read = open_history(site).read("p1")
    return [
        ((ts - ms(START)) / 1_000, None if math.isnan(value) else value)
        for ts, value in zip(read.ts.tolist(), read.value.tolist(), strict=True)
    ]


def read(site):
    """The same as `held`, with the tally, without a history: much faster."""
    importer, tally, found = importer_for(site.sources[0], site), Tally(), []
    for item in importer.items():
        for batch in importer.read(item, tally, lambda _: None):
            found += zip(((batch.ts - ms(START)) / 1_000).tolist(), batch.value.tolist(), strict=True)
    importer.close()
    return sorted((at, None if math.isnan(value) else value) for at, value in found), tally


def made(server, table, columns, rows):
    """A table that the source's user may read. `rows`: SQL."""
    host = "" if server.kind == "postgresql" else "@'127.0.0.1'"
    inserted = [f"INSERT INTO {table} VALUES {', '.join(rows)}"] if rows else []
    server.run(
        f"DROP TABLE IF EXISTS {table}", f"CREATE TABLE {table} ({columns})", *inserted,
        f"GRANT SELECT ON {table} TO reader{host}",
    )  # fmt: skip


def instant_of(server):
    return "timestamptz" if server.kind == "postgresql" else "timestamp(6) NULL"


def at(seconds):
    return f"'{START + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S.%f}'"


VALUES = {
    "numeric(38, 10)": {
        "1.5": 1.5,
        "123456789012345678901234567.0123456789": 123456789012345678901234567.01,
        "NULL": BAD,
    },
    "boolean": {"true": 1, "false": 0, "NULL": BAD},
    "bigint": {"-9007199254740992": -(2.0**53), "0": 0},
    "smallint": {"3": 3},
    "varchar(40)": {"'12.5'": 12.5, "' 7 '": 7, "'Bad'": BAD, "''": BAD, "'true'": 1, "'12,5'": "'12,5' is neither"},
    "char(10)": {"'12.5'": 12.5},
}
OF_POSTGRESQL = {
    "double precision": {"'NaN'": BAD, "'Infinity'": BAD, "'-Infinity'": BAD, "1e300": BAD, "0.1": 0.1},
    "numeric": {"'NaN'": BAD, "'Infinity'": BAD, "3": 3},
    "jsonb": {"'5'": 5},
    "money": "is money, a number whose decimals depend on the server's locale",
    "bit(1)": "convert it in a `query`: value::int AS value",
    "bytea": "the column 'value' cannot be read: binary is neither text nor a number",
    "double precision[]": "cannot be read: list<item: double> is neither",
    "interval": "the column 'value' cannot be read",
}
OF_MARIADB = {
    "double": {"1e300": BAD, "0.1": 0.1},
    "bit(1)": {"b'1'": 1, "b'0'": 0, "NULL": BAD},
    "bit(8)": {"b'101'": 5},
    "bigint unsigned": {"18446744073709551615": 2.0**64},
    "enum('1', '2')": {"'2'": 2},
    "blob": "the column 'value' cannot be read: binary is neither text nor a number",
}


def test_a_value_of_any_type_is_right_or_refused_in_words(server, tmp_path):
    own = OF_POSTGRESQL if server.kind == "postgresql" else OF_MARIADB
    for number, (of_type, values) in enumerate({**VALUES, **own}.items()):
        literals = list(values) if isinstance(values, dict) else ["NULL"]
        if of_type == "blob":
            literals = ["'5'"]
        rows = [f"({at(10 * n)}, 'p1', 'flow', {literal})" for n, literal in enumerate(literals)]
        made(server, "kinds", f"ts {instant_of(server)}, {NAMES}, value {of_type}", rows)
        site = site_of(tmp_path / str(number), server, table="kinds")
        if isinstance(values, str):
            with pytest.raises(EugenieError) as refused:
                read(site)
            assert values in f"{refused.value.reason} {refused.value.hint}", of_type
            assert server.address in refused.value.reason
            continue
        found, tally = read(site)
        expected = [(10.0 * n, value) for n, value in enumerate(values.values()) if not isinstance(value, str)]
        assert found == expected, of_type
        words = [value for value in values.values() if isinstance(value, str)]
        assert sum(tally.rejected.values()) == len(words)
        said = "".join(example for examples in tally.examples.values() for example in examples)
        assert all(word in said for word in words), said


def test_names_may_be_of_any_type_of_text(server, tmp_path):
    types = ["char(10)", "text", "varchar(9)"]
    types += ["name", "plant_name"] if server.kind == "postgresql" else ["enum('p1', 'p2')"]
    if server.kind == "postgresql":
        server.run("CREATE TYPE plant_name AS ENUM ('p1', 'p2')")
    for number, of_type in enumerate(types):
        columns = f"ts {instant_of(server)}, asset {of_type}, sensor varchar(20), value int"
        made(server, "named", columns, [f"({at(0)}, 'p1', 'flow', 1)"])
        assert read(site_of(tmp_path / str(number), server, table="named"))[0] == [(0, 1)], of_type


def test_tags_with_quotes_umlauts_and_signs(server, tmp_path):
    tags = {"flow": "Füllstand 'A' \"1\"", "pressure": "P%T:1;--", "motor current": "a\\b\t☃"}
    literals = {name: tag.replace("'", "''") for name, tag in tags.items()}
    if server.kind == "mariadb":
        literals = {name: literal.replace("\\", "\\\\") for name, literal in literals.items()}
    rows = [f"({at(n)}, '{literal}', {n})" for n, literal in enumerate(literals.values())]
    more = " CHARACTER SET utf8mb4" if server.kind == "mariadb" else ""
    made(server, "tagged", f"ts {instant_of(server)}, tag varchar(60){more}, value int", rows)
    site = site_of(tmp_path, server, table="tagged", readings={"ts": {"path": "ts"}, "tag": {"path": "tag"}})
    p1 = site.assets["p1"].model_copy(update={"tags": tags})
    (report,) = import_sources(site := site.model_copy(update={"assets": {**site.assets, "p1": p1}}))
    assert (report.rejected, sorted(held(site))) == ({}, [(0, 0), (1, 1), (2, 2)])


def test_rows_that_no_window_has_are_counted(server, tmp_path, clock):
    ends = ["'infinity'", "'-infinity'"] if server.kind == "postgresql" else []
    instants = ["NULL", "NULL", at(0), "'2037-01-01'", "'1990-01-01'", *ends]
    rows = [f"({instant}, 'p1', 'flow', {n})" for n, instant in enumerate(instants)]
    made(server, "outside", f"ts {instant_of(server)}, {NAMES}, value int", rows)
    site = site_of(tmp_path, server, table="outside")
    (report,) = import_sources(site)
    assert (held(site), report.failed) == ([(0, 2)], [])
    nulls, ahead = report.gaps
    assert "table outside has 2 rows whose ts is null" in nulls
    assert f"has {1 + len(ends) // 2} rows that are ahead of this machine's clock, from 2037-01-01" in ahead
    server.run(f"UPDATE outside SET ts = {at(1)} WHERE ts IS NULL", "DELETE FROM outside WHERE ts > '2030-01-01'")
    clock.at += timedelta(minutes=1)
    (report,) = import_sources(site)
    assert (report.gaps, report.readings) == ([], 3)


def test_microseconds_are_in_the_window_of_their_millisecond(server, tmp_path, clock):
    clock.at = START + timedelta(minutes=5)
    rows = [f"({at(second)}, 'p1', 'flow', {n})" for n, second in enumerate([59.999999, 60.0004, 60.0006, 119.9999])]
    made(server, "fine", f"ts {instant_of(server)}, {NAMES}, value int", rows)
    site = site_of(tmp_path, server, table="fine", window="1m", start="2026-01-01T05:59:00Z")
    (report,) = import_sources(site)
    assert held(site) == [(59.999, 0), (60.0, 2), (119.999, 3)]
    assert report.repeated == 1, "two rows in one millisecond, which are said"


BASE = "SELECT * FROM asked WHERE ts >= :start AND ts < :end"
QUERIES = [
    f"{BASE};",
    f"{BASE}; -- all: it's",
    f"{BASE} -- a:b; 'x",
    f"{BASE} /* it's; :x */",
    f"{BASE} AND asset <> ';:start%s$1' AND asset LIKE 'p%' AND 7 % 2 = 1",
    f"{BASE} ORDER BY ts DESC",
    f"{BASE} ORDER BY ts LIMIT 1000",
    f"WITH x AS ({BASE}) SELECT * FROM x",
    f"{BASE} UNION ALL {BASE} AND 1 = 0",
    "SELECT * FROM asked WHERE ts BETWEEN (:start) AND :end",
    "SELECT * FROM asked WHERE ts >= CAST(:start AS {instant}) AND ts < CAST(:end AS {instant})",
    f"{BASE} AND ts > :start - INTERVAL '1' DAY",
]
QUERIES_OF_POSTGRESQL = [
    "SELECT * FROM asked WHERE ts>=:start::timestamptz AND ts<:end::timestamptz",
    rf"SELECT *, E'it\'s :x' AS y FROM ({BASE}) z WHERE (ARRAY['a', 'p1'])[1:2] @> ARRAY[asset::text]",
    f"{BASE} AND '{{\"a\": 1}}'::jsonb ? 'a' AND asset <> $q$it's :x$q$",
]
QUERIES_OF_MARIADB = [f"{BASE} # it is", f"{BASE} AND (@x := 1) AND asset REGEXP '^p'"]


def test_a_query_is_sent_as_it_is_written(server, tmp_path):
    rows = [f"({at(600 * n)}, 'p1', 'flow', {n})" for n in range(100)]
    made(server, "asked", f"ts {instant_of(server)}, {NAMES}, value int", rows)
    expected = [(600.0 * n, n) for n in range(100)]
    more = QUERIES_OF_POSTGRESQL if server.kind == "postgresql" else QUERIES_OF_MARIADB
    instant = "timestamptz" if server.kind == "postgresql" else "datetime(6)"
    for number, query in enumerate([*QUERIES, *more]):
        written = query.replace("{instant}", instant)
        assert read(site_of(tmp_path / str(number), server, query=written))[0] == expected, written


def test_the_limit_of_a_query_loses_nothing(server, tmp_path):
    rows = [f"({at(n // 4)}, 'p1', 'flow', {n})" for n in range(400)]
    made(server, "asked", f"ts {instant_of(server)}, {NAMES}, value int", rows)
    site = site_of(tmp_path, server, query=f"{BASE} LIMIT 20")
    (report,) = import_sources(site)
    assert (report.failed, report.readings) == ([], 400)
    site = site_of(tmp_path / "low", server, query=f"{BASE} LIMIT 3", window="7h")
    (report,) = import_sources(site)
    (failed,) = report.failed
    for words in (server.address, "as many rows as its own limit allows, 3, in 2026-01-01T06:0", "remove the limit"):
        assert words in failed


def test_names_of_tables_and_columns_are_those_of_the_database(server, tmp_path):
    q = '"' if server.kind == "postgresql" else "`"
    time, asset, sensor, value = "T's Time:%", "Asset", "s'x", "Val %(x)s"
    columns = (
        f"{q}{time}{q} {instant_of(server)}, {q}{asset}{q} varchar(9), {q}{sensor}{q} varchar(9), {q}{value}{q} int"
    )
    made(server, f"{q}Odd Log.2026{q}", columns, [f"({at(0)}, 'p1', 'flow', 3)"])
    mapping = {
        name: {"path": path}
        for name, path in zip(("ts", "asset", "sensor", "value"), (time, asset, sensor, value), strict=True)
    }
    for number, table in enumerate(['"Odd Log.2026"', f"{'public' if q == chr(34) else 'plant'}.`Odd Log.2026`"]):
        site = site_of(tmp_path / str(number), server, table=table, readings=mapping)
        import_sources(site)
        assert held(site) == [(0, 3)], table
    with pytest.raises(EugenieError, match=r"write table: '\"Odd Log.2026\"'"):
        import_sources(site_of(tmp_path / "bare", server, table="Odd Log.2026", readings=mapping))


def test_late_and_deleted_rows(server, tmp_path, clock):
    """They count as long as their window has not settled; after that, by --again."""
    clock.at = START + timedelta(hours=1)
    made(
        server,
        "late",
        f"ts {instant_of(server)}, {NAMES}, value int",
        [f"({at(n)}, 'p1', 'flow', {n})" for n in range(10)],
    )
    site = site_of(tmp_path, server, table="late", window="1h", settle="1h")
    import_sources(site)
    server.run("DELETE FROM late WHERE value < 5", f"INSERT INTO late VALUES ({at(0.5)}, 'p1', 'flow', 99)")
    clock.at += timedelta(minutes=50)
    import_sources(site)
    expected = [(0.5, 99), *((float(n), n) for n in range(5, 10))]
    assert held(site) == expected
    clock.at += timedelta(hours=2)
    import_sources(site)
    server.run(f"INSERT INTO late VALUES ({at(20)}, 'p1', 'flow', 20)")
    (report,) = import_sources(site)
    assert held(site) == expected
    import_sources(site, again=True)
    assert held(site) == [*expected, (20.0, 20)]
    server.run("DELETE FROM late")
    (report,) = import_sources(site, again=True)
    assert any("the source has no records any more" in failed for failed in report.failed)
    assert held(site) == [*expected, (20.0, 20)]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"username": "nobody", "password": "secret-2"}, "correct `username` and `password`"),
        ({"url": "{kind}://127.0.0.1:{port}/Plant2", "username": "{admin}"}, "in `url` of the source"),
        ({"url": "{kind}://no-such-host.invalid:{port}/plant"}, "check that the server runs and can be reached"),
        (
            {"url": "{kind}://reader:secret-2@127.0.0.1:{port}/plant", "username": None, "password": None},
            "correct `username`",
        ),
    ],
)  # fmt: skip
def test_a_connection_that_is_refused_is_said_without_a_secret(server, tmp_path, source, words):
    if "{admin}" in str(source) and server.kind == "mariadb":
        pytest.skip("MariaDB does not tell users without rights which databases there are")
    filled = {"kind": server.kind, "port": server.port, "admin": "postgres"}
    source = {key: value.format(**filled) if isinstance(value, str) else value for key, value in source.items()}
    with pytest.raises(EugenieError) as refused:
        import_sources(site_of(tmp_path, server, table="late", **source))
    said = f"{refused.value.reason} {refused.value.hint}"
    assert words in said and f"{server.kind}://" in said
    assert "secret-" not in said


@pytest.fixture(scope="module")
def secured(server, tmp_path_factory):
    """A function that gives the server another certificate, and the authority that signs them."""
    authority = Authority(tmp_path_factory.mktemp("authority"), "plant-ca")
    files = {what: server.folder / f"server.{what}" for what in ("cert", "key")}

    def secure(name, **valid):
        pair = authority.sign(name, **valid)
        for what, file in (("cert", pair.certificate), ("key", pair.key)):
            shutil.copy(file, files[what])
            files[what].chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(files[what], "nobody")
        server.run("SELECT pg_reload_conf()" if server.kind == "postgresql" else "FLUSH SSL")

    if server.kind == "postgresql":
        server.run(*(f"ALTER SYSTEM SET ssl_{what}_file = '{file}'" for what, file in files.items()))
        server.run("ALTER SYSTEM SET ssl = on")
        yield secure, authority
        server.run("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
        return
    plain = server.command
    server.kill()
    server.command = [*plain, *(f"--ssl-{what}={file}" for what, file in files.items())]
    server.run, run = lambda *_: None, server.run  # it does not run yet
    secure("first")
    server.run = run
    server.start()
    yield secure, authority
    server.kill()
    server.command = plain
    server.start()


OPTIONS = {"postgresql": "sslmode=verify-full&sslrootcert={ca}", "mariadb": "ssl_ca={ca}"}


def test_certificates_that_cannot_be_trusted_are_said(server, secured, tmp_path):
    """In a process of its own: TensorFlow's BoringSSL and libpq's OpenSSL abort in one that has both."""
    secure, authority = secured
    other = Authority(tmp_path / "other", "other-ca")
    made(server, "tls", f"ts {instant_of(server)}, {NAMES}, value int", [f"({at(0)}, 'p1', 'flow', 1)"])
    cases = {
        "good": ({}, "127.0.0.1", authority, None, ""),
        "untrusted": ({}, "127.0.0.1", other, "certificate verify failed", "the authority that signed"),
        "elsewhere": ({}, "localhost", authority, "match", "write the host name of the server's certificate"),
        "expired": ({"days": -1}, "127.0.0.1", authority, "certificate", "expired"),
    }
    for name, (valid, host, trusted, words, hint) in cases.items():
        secure(name, **valid)
        address = f"{server.kind}://{host}:{server.port}/plant"
        url = f"{address}?{OPTIONS[server.kind].format(ca=trusted.ca)}"
        source = {"table": "tls", "url": url, "pace": {"retries": 3}}
        site = _in_a_file(tmp_path / name, {**given(server), **source})
        code, said = _imported(site)
        if words is None:
            assert code == 0 and held(site) == [(0, 1)], said
            continue
        assert code != 0
        for word in (words, address, hint):
            assert word in said, said
        assert "secret-1" not in said


def _in_a_file(folder, source):
    site = {
        **{"site": "plant", "timezone": "UTC", "sources": [source], "assets": {"p1": {"class": "pump"}}},
        "classes": {"pump": {"sensors": [{"name": "flow"}], "step": "1s", "max_gap": "5s"}},
    }
    folder.mkdir()
    (folder / "plant.yaml").write_text(json.dumps(site))
    return load_site(folder / "plant.yaml")


def _imported(site):
    """Exit code and messages of `eugenie import`. A server takes a moment to read its settings again."""
    for _ in range(20):
        command = [Path(sys.executable).parent / "eugenie", "import", "--site", site.file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        said = " ".join(done.stderr.split())
        if "does not support SSL" not in said:
            break
    return done.returncode, said
