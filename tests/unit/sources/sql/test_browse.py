"""`import --browse`: every tag of a source, whether the site has it or not, with number, first and last instant."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.browse import browse_rows
from eugenie_cli.sources.importing import browse_source
from eugenie_cli.sources.windows.browsing import Browsed

LONG = {"ts": {"path": "ts", "unit": "ms"}, "tag": {"path": "tag"}}
AT = 1_767_225_600_000


def site_of(folder, **source):
    source = {"start": "2025-10-25T00:00:00Z", "url": "sqlite:///plant.db", "readings": LONG, **source}
    return pump_site(folder, [{"name": "db", "type": "sql", **source}])


def fill(folder, columns, rows):
    with closing(sqlite3.connect(folder / "plant.db")) as database:
        database.execute(f"CREATE TABLE log ({columns})")
        database.executemany(f"INSERT INTO log VALUES ({', '.join('?' * len(rows[0]))})", rows)
        database.commit()


@pytest.mark.parametrize(
    "source", [{"table": "log"}, {"query": "SELECT ts, tag, value FROM log WHERE ts >= :start AND ts < :end"}]
)
def test_tags_of_a_long_table(tmp_path, source):
    rows = [(AT + n, tag, n) for n in range(10) for tag in ("FT-2", "XX-9", None)[: 1 + (n > 4) + (n == 9)]]
    fill(tmp_path, "ts, tag, value", rows)
    assert browse_source(site_of(tmp_path, **source), "db") == [
        Browsed("(none)", None, None, 1, AT + 9, AT + 9),
        Browsed("FT-2", "p2, flow", None, 10, AT, AT + 9),
        Browsed("XX-9", None, None, 5, AT + 5, AT + 9),
    ]
    assert [tag.tag for tag in browse_source(site_of(tmp_path, **source), "db", "ft*")] == ["FT-2"]


@pytest.mark.parametrize("by_asset", [False, True])
def test_columns_of_a_wide_table(tmp_path, by_asset):
    rows = [(f"2026-01-01 0{n}:00:00Z", "p1", n, None if n < 3 else n, "x") for n in range(9)]
    fill(tmp_path, "ts, machine, flow, pressure, remark", rows)
    asset = {"path": "machine"} if by_asset else {"const": "p1"}
    mapping = {"shape": "wide", "ts": {"path": "ts"}, "asset": asset, "ignore": ["machine"] if not by_asset else []}
    before = "p1, " if by_asset else ""
    found = browse_source(site_of(tmp_path, table="log", readings=mapping), "db")
    hour = 3_600_000
    assert found == [
        Browsed(f"{before}flow", "p1, flow", None, 9, AT, AT + 8 * hour),
        Browsed(f"{before}pressure", "p1, pressure", None, 6, AT + 3 * hour, AT + 8 * hour),
        Browsed(f"{before}remark", None, None, 9, AT, AT + 8 * hour),
    ]
    (row, *_) = browse_rows(found)
    assert row[1:] == ("p1, flow", "", "9", "2026-01-01T00:00:00Z", "2026-01-01T08:00:00Z", "")


def test_what_cannot_be_browsed_is_said(tmp_path):
    files = {"name": "files", "type": "csv", "path": "*.csv", "readings": {"asset": {"const": "p1"}}}
    site = pump_site(tmp_path, [files])
    with pytest.raises(EugenieError, match="sources of type csv cannot be browsed"):
        browse_source(site, "files")
    with pytest.raises(EugenieError, match=r"no source file \(did you mean files"):
        browse_source(site, "file")
