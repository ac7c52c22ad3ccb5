"""Ignition's tag history: several numbers of a tag are one tag, and each value is in the column of its type."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest
from support.history_sites import pump_site
from support.ignition_history import FEBRUARY, JANUARY, MARCH, partition, reading, statements

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.importing import browse_source, import_sources
from eugenie_cli.sources.windows.browsing import Browsed

HOUR = 3_600_000
FIRST, SECOND = "sqlt_data_1_2026_01", "sqlt_data_1_2026_02"
READINGS = [
    reading(FIRST, 1, FEBRUARY - 2 * HOUR, 3),
    reading(FIRST, 3, FEBRUARY - HOUR, 1.25),
    reading(FIRST, 3, FEBRUARY - 1, 2.41, 0),
    reading(SECOND, 2, FEBRUARY, 2.4123456789012345),
    reading(SECOND, 2, FEBRUARY + HOUR, None),
    reading(SECOND, 3, FEBRUARY + HOUR, 7.5, 65),
    reading(SECOND, 3, FEBRUARY + 2 * HOUR, 8.5, 500),
    reading(SECOND, 4, FEBRUARY + HOUR, "RUNNING"),
    reading(SECOND, 5, FEBRUARY + HOUR, 99.0),
]
EXPECTED = [
    ("flow", FEBRUARY - HOUR, 1.25),
    ("flow", FEBRUARY - 1, None),
    ("flow", FEBRUARY + HOUR, 7.5),
    ("flow", FEBRUARY + 2 * HOUR, None),
    ("pressure", FEBRUARY - 2 * HOUR, 3.0),
    ("pressure", FEBRUARY, 2.4123456789012345),
    ("pressure", FEBRUARY + HOUR, None),
]
TAGS = {"flow": "Line 1/Pump 2/FT-2", "pressure": "line 1/pump 2/pt-2", "motor current": "line 1/pump 2/it-2"}


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    now = SimpleNamespace(time_ns=lambda: (FEBRUARY + 12 * HOUR) * 1_000_000)
    monkeypatch.setattr("eugenie_cli.sources.windows.importer.time", now)


def fill(folder, *more, readings=READINGS):
    with closing(sqlite3.connect(folder / "ignition.db")) as database:
        for statement, values in [*statements(), *readings, *more]:
            database.execute(statement, values)
        database.commit()


def site_of(folder, tags=TAGS, **source):
    source = {"url": "sqlite:///ignition.db", "driver": "gateway-1", "start": "2026-01-31T12:00:00Z", **source}
    site = pump_site(folder, [{"name": "gateway", "type": "ignition", **source}])
    assets = {**site.assets, "p2": site.assets["p2"].model_copy(update={"tags": tags})}
    return site.model_copy(update={"assets": assets})


def held(site):
    read = open_history(site).read("p2")
    return [
        (read.names[sensor], ts, None if math.isnan(value) else value)
        for sensor, ts, value in zip(read.sensor.tolist(), read.ts.tolist(), read.value.tolist(), strict=True)
    ]


@pytest.mark.parametrize("width", ["7h", "1d"])
def test_the_history_of_a_gateway_is_imported(tmp_path, width):
    fill(tmp_path)
    site = site_of(tmp_path, window=width)
    (report,) = import_sources(site)
    assert (report.failed, report.rejected) == ([], {})
    assert held(site) == EXPECTED
    assert report.gaps[0] == "p2, motor current: sqlth_te has no tag path 'line 1/pump 2/it-2'" + (
        " (did you mean line 1/pump 2/pt-2?)"
    )


def test_a_text_is_a_value_or_rejected(tmp_path):
    texts = [reading(FIRST, 4, FEBRUARY - HOUR * n, text) for n, text in enumerate(["on", "2.5", "RUNNING"], 1)]
    fill(tmp_path, *texts)
    site = site_of(tmp_path, {"flow": "line 1/pump 2/state"})
    (report,) = import_sources(site)
    assert [(ts, value) for _, ts, value in held(site)] == [(FEBRUARY - 2 * HOUR, 2.5), (FEBRUARY - HOUR, 1.0)]
    assert report.rejected == {"bad-value": 2}


def test_averages_are_not_readings(tmp_path):
    averages = "sqlt_data_1_2026_02_60"
    fill(tmp_path, partition(averages, 1, JANUARY, MARCH, block=60))
    (report,) = import_sources(site_of(tmp_path))
    assert not any(averages in gap for gap in report.gaps)


def test_a_table_that_was_dropped_is_named(tmp_path):
    fill(tmp_path, ("DROP TABLE sqlt_data_1_2026_01", ()))
    site = site_of(tmp_path)
    (report,) = import_sources(site)
    assert held(site) == [row for row in EXPECTED if row[1] >= FEBRUARY]
    assert (
        "the table sqlt_data_1_2026_01 of 2026-01-01T00:00:00Z to 2026-02-01T00:00:00Z is in sqlth_partitions, but does"
        " not exist" in report.gaps
    )


def execution(scan_class, start, end):
    return "INSERT INTO sqlth_sce VALUES (?, ?, ?, ?)", (scan_class, start, end, 1_000)


@pytest.mark.parametrize(
    ("executions", "said"),
    [
        ([(1, JANUARY, FEBRUARY - HOUR), (1, FEBRUARY, MARCH)], True),
        ([(1, JANUARY, FEBRUARY - 2_000), (1, FEBRUARY, MARCH)], False),
        ([(1, JANUARY, FEBRUARY - HOUR), (1, FEBRUARY, MARCH), (2, JANUARY, MARCH)], False),  # another class ran
        ([(1, JANUARY, FEBRUARY - 30 * HOUR), (1, FEBRUARY - 24 * HOUR, MARCH)], False),  # before the source's start
        ([(3, JANUARY, FEBRUARY - HOUR), (3, FEBRUARY, MARCH)], False),  # of another gateway
        ([], False),
    ],
)
def test_the_time_in_which_the_gateway_was_down_is_named(tmp_path, executions, said):
    fill(tmp_path, *(execution(*each) for each in executions))
    (report,) = import_sources(site_of(tmp_path))
    found = [gap for gap in report.gaps if "recorded nothing between" in gap]
    assert bool(found) is said
    if said:
        assert "between 2026-01-31T23:00:00Z and 2026-02-01T00:00:00Z: it was down" in found[0]


@pytest.mark.parametrize(
    ("source", "tags", "words"),
    [
        ({"driver": None}, TAGS, "the tag 'line 1/pump 2/pt-2' is recorded by several gateways: gateway-1, gateway-2"),
        (
            {"driver": "gatway-1"},
            TAGS,
            "no driver 'gatway-1' (did you mean gateway-1?); there are gateway-1",
        ),
        ({}, {"flow": "x/y"}, "no tag path in sqlth_te is a tag of the site; there are line 1/pump 2/ft-2"),
        ({"url": "sqlite:///empty.db"}, TAGS, "these are not the tables of Ignition's tag historian"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, source, tags, words):
    fill(tmp_path)
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE x (a)").connection.close()
    with pytest.raises(EugenieError) as error:
        import_sources(site_of(tmp_path, tags, **source))
    assert words in error.value.reason


def test_browse_lists_every_tag_path_of_every_gateway(tmp_path):
    fill(tmp_path, partition("sqlt_data_1_2025_12", 1, 0, JANUARY))
    found = browse_source(site_of(tmp_path, driver=None), "gateway")
    ours, theirs = "driver: gateway-1", "driver: gateway-2"
    assert sorted(found, key=lambda tag: (tag.tag, tag.note)) == [
        Browsed("line 1/pump 2/ft-2", "p2, flow", None, 4, FEBRUARY - HOUR, FEBRUARY + 2 * HOUR, ours),
        Browsed("line 1/pump 2/pt-2", "p2, pressure", None, 3, FEBRUARY - 2 * HOUR, FEBRUARY + HOUR, ours),
        Browsed("line 1/pump 2/pt-2", "p2, pressure", None, 1, FEBRUARY + HOUR, FEBRUARY + HOUR, theirs),
        Browsed("line 1/pump 2/state", None, None, 1, FEBRUARY + HOUR, FEBRUARY + HOUR, ours),
    ]
    assert [tag.tag for tag in browse_source(site_of(tmp_path), "gateway", "*/FT-?")] == ["line 1/pump 2/ft-2"]
