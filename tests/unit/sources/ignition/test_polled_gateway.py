"""A gateway's tables that are polled: each row is sent once, over months, retired tags and new ones."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest
from support import ignition_history
from support.history_sites import pump_site
from support.ignition_history import FEBRUARY, INTEGER, JANUARY, MARCH, ms, partition, statements
from support.live_sink import KeepingSink

from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.ignition import reader as reader_module
from eugenie_cli.sources.ignition.reader import IgnitionReader
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.polling import Poller

SECOND, HOUR = 1_000, 3_600_000
FLOW, PRESSURE, OLD_PRESSURE = 3, 2, 1
TAGS = {"flow": "line 1/pump 2/ft-2", "pressure": "line 1/pump 2/pt-2"}
JANUARYS, FEBRUARYS, MARCHS = "sqlt_data_1_2026_01", "sqlt_data_1_2026_02", "sqlt_data_1_2026_03"


class Gateway:
    """Its database, and a poller of it. `now`: of our clock, ms."""

    def __init__(self, folder, monkeypatch):
        self.file = folder / "ignition.db"
        source = {"name": "gateway", "type": "ignition", "url": "sqlite:///ignition.db", "driver": "gateway-1"}
        site = pump_site(folder, [{**source, "start": "2026-01-31T12:00:00Z", "window": "1d"}])
        tagged = site.assets["p2"].model_copy(update={"tags": TAGS})
        self.site = site.model_copy(update={"assets": {**site.assets, "p2": tagged}})
        self.now, self.sink = FEBRUARY - 10 * SECOND, KeepingSink()
        self.run(*statements())
        monkeypatch.setattr(reader_module, "KNOWN_S", -1.0)  # the catalogue is read at each poll
        monkeypatch.setattr(
            "eugenie_cli.sources.windows.importer.time", SimpleNamespace(time_ns=lambda: self.now * 1_000_000)
        )
        self.pace = Pace(self.site.sources[0].pace)
        self.restart()

    def restart(self):
        source = self.site.sources[0]
        self.poller = Poller(IgnitionReader(source, self.site), source, source.bridge, now_ms=lambda: self.now)
        self.poller._newest_ms = int(self.sink.kept.get("newest_ms", 0))  # as `run` does

    def run(self, *of):
        with closing(sqlite3.connect(self.file)) as database:
            for statement, values in of:
                database.execute(statement, values)
            database.commit()

    def write(self, table, tag, ts, value, quality=192):
        self.run(ignition_history.reading(table, tag, ts, value, quality))

    def poll(self):
        """(sensor, ts, value) of what a poll sends."""
        before = len(self.sink.readings)
        self.poller.poll(self.sink, self.pace)
        return sorted((sensor, ts, value) for _, sensor, ts, value in self.sink.readings[before:])

    def imported(self):
        (report,) = import_sources(self.site)
        assert (report.failed, report.rejected) == ([], {})
        read = open_history(self.site).read("p2")
        values = [None if math.isnan(value) else value for value in read.value.tolist()]
        return sorted(zip([read.names[at] for at in read.sensor], read.ts.tolist(), values, strict=True))


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    return Gateway(tmp_path, monkeypatch)


def test_a_row_is_sent_once_with_its_quality(gateway):
    now = gateway.now
    gateway.write(JANUARYS, FLOW, now, 1.5)
    assert gateway.poll() == [("flow", now, 1.5)]
    assert gateway.poll() == []
    gateway.now += SECOND
    gateway.write(JANUARYS, FLOW, now + SECOND, 2.5, 0)
    gateway.write(JANUARYS, PRESSURE, now - 30 * SECOND, 7.0)  # late
    gateway.write(JANUARYS, OLD_PRESSURE, now + 1, 4)  # a whole number, of the tag's former id
    gateway.write(JANUARYS, 5, now + 2, 99.0)  # of the other gateway
    pressures = [("pressure", now - 30 * SECOND, 7.0), ("pressure", now + 1, 4)]
    assert gateway.poll() == [("flow", now + SECOND, None), *pressures]
    assert gateway.poll() == []


def test_a_month_ends_and_tables_and_tags_are_added(gateway):
    gateway.write(JANUARYS, FLOW, FEBRUARY - 1, 1.0)
    assert gateway.poll() == [("flow", FEBRUARY - 1, 1.0)]
    gateway.now = FEBRUARY + 5 * SECOND
    gateway.write(FEBRUARYS, FLOW, FEBRUARY, 2.0)
    gateway.write(JANUARYS, PRESSURE, FEBRUARY - 2, 0.5)
    assert gateway.poll() == [("flow", FEBRUARY, 2.0), ("pressure", FEBRUARY - 2, 0.5)]
    gateway.now = MARCH + SECOND
    data = (f"CREATE TABLE {MARCHS} ({ignition_history.DATA})", ())
    gateway.run(data, partition(MARCHS, 1, MARCH, ms(2026, 4, 1)))
    tag = (7, TAGS["flow"], 2, INTEGER, 3, MARCH, None)  # the type of the tag was changed: it has a new id
    gateway.run(("INSERT INTO sqlth_te VALUES (?, ?, ?, ?, ?, ?, ?)", tag))
    gateway.write(MARCHS, 7, MARCH, 3)
    assert gateway.poll() == [("flow", MARCH, 3.0)]


def test_what_is_imported_later_equals_what_was_streamed(gateway):
    """With a crash in the middle, after which the overlap is sent again."""
    written = set()
    for number in range(40):
        gateway.now += SECOND
        table = JANUARYS if gateway.now < FEBRUARY else FEBRUARYS
        gateway.write(table, FLOW, gateway.now, float(number))
        written.add(("flow", gateway.now, float(number)))
        if number % 3 == 0:
            late = gateway.now - 7 * SECOND - 1
            gateway.write(JANUARYS if late < FEBRUARY else FEBRUARYS, PRESSURE, late, float(number), 192 * (number % 2))
            written.add(("pressure", late, float(number) if number % 2 else None))
        if number % 4 == 0:
            gateway.poll()
        if number == 21:
            gateway.restart()
    gateway.poll()
    gateway.now += HOUR
    assert {(sensor, ts, value) for _, sensor, ts, value in gateway.sink.readings} == written
    assert gateway.imported() == sorted(written)
    assert gateway.now > JANUARY
