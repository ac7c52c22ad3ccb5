"""Databases that are polled: each row is sent once, late ones too, and the stream has what an import would have."""

from __future__ import annotations

import math
import sqlite3
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history_sites import pump_site
from support.live_sink import KeepingSink

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.failures import TransientError
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.sql.reader import SqlReader
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.polling import Poller

NOW = 1_767_225_600_000
LONG = {"ts": {"path": "ts", "unit": "ms"}, "asset": {"path": "asset"}, "sensor": {"path": "sensor"}}
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


class Plant:
    """A database, and a poller of it. `now`: of our clock, ms."""

    def __init__(self, folder, **source):
        self.file = Path(folder) / "plant.db"
        given = {"name": "db", "type": "sql", "url": "sqlite:///plant.db", "table": "log", "start": "30d", **source}
        self.site = pump_site(Path(folder), [{"readings": LONG, **given}])
        self.source = self.site.sources[0]
        with self.open() as database:
            database.execute("CREATE TABLE log (ts INTEGER, asset TEXT, sensor TEXT, value)")
        self.now, self.sink = NOW, KeepingSink()
        self.pace = Pace(self.source.pace)
        self.restart()

    def open(self):
        return closing(sqlite3.connect(self.file, isolation_level=None))

    def restart(self):
        """As after a crash: a new process, which knows what was kept."""
        self.poller = Poller(
            SqlReader(self.source, self.site), self.source, self.source.bridge, now_ms=lambda: self.now
        )

    def write(self, *rows):
        """(ts, value) of p1's pressure."""
        with self.open() as database:
            database.executemany("INSERT INTO log VALUES (?, 'p1', 'pressure', ?)", rows)

    def poll(self):
        """(ts, value) of what a poll sends."""
        before = len(self.sink.readings)
        self.poller.poll(self.sink, self.pace)
        return [(ts, value) for _, _, ts, value in self.sink.readings[before:]]


@pytest.fixture
def plant(tmp_path):
    return Plant(tmp_path)


def test_each_row_is_sent_once_and_late_ones_within_the_overlap(plant):
    assert plant.poll() == []
    plant.write((NOW, 1.0))
    assert plant.poll() == [(NOW, 1.0)]
    assert plant.poll() == []
    plant.write((NOW + 1, 2.0), (NOW - 50 * SECOND, 0.5), (NOW - 2 * MINUTE, 0.1))
    assert sorted(plant.poll()) == [(NOW - 50 * SECOND, 0.5), (NOW + 1, 2.0)]
    assert plant.poll() == []


def test_a_row_that_was_corrected_is_sent_again(plant):
    plant.write((NOW, 1.0), (NOW + 1, 2.0))
    assert len(plant.poll()) == 2
    with plant.open() as database:
        database.execute("UPDATE log SET value = 3.0 WHERE ts = ?", (NOW,))
    assert plant.poll() == [(NOW, 3.0)]


@pytest.mark.parametrize("offset", [-20 * HOUR, -HOUR, -10 * SECOND, 10 * SECOND, HOUR, 20 * HOUR])
def test_the_clock_of_the_database_may_differ_from_ours(plant, offset):
    first = NOW + offset
    plant.write((first, 1.0))
    assert plant.poll() == [(first, 1.0)]
    for number in range(1, 6):
        plant.now += 10 * SECOND
        plant.write((first + number * 10 * SECOND, float(number)))
        assert plant.poll() == [(first + number * 10 * SECOND, float(number))]


def test_a_row_of_the_far_future_does_not_blind_the_poller(plant):
    plant.write((NOW, 1.0))
    plant.poll()
    plant.write((NOW + 365 * 24 * HOUR, 9.0), (NOW + 20 * HOUR, 8.0))
    assert plant.poll() == [(NOW + 20 * HOUR, 8.0)]
    plant.now += SECOND
    plant.write((NOW + SECOND, 2.0))
    assert plant.poll() == [(NOW + SECOND, 2.0)]


def test_after_a_restart_the_overlap_is_sent_again_and_nothing_is_lost(plant):
    plant.write((NOW - 70 * SECOND, 0.0), (NOW, 1.0))
    plant.poll()
    assert plant.sink.kept == {"newest_ms": NOW}
    plant.now += HOUR
    plant.write((NOW + 1, 2.0), (NOW + HOUR, 3.0))
    plant.restart()
    stop = threading.Event()
    plant.sink.say = lambda message: stop.set()
    plant.sink.readings.clear()
    plant.poller.run(plant.sink, stop)
    assert [ts for _, _, ts, _ in plant.sink.readings] == [NOW, NOW + 1, NOW + HOUR]


def test_what_is_not_settled_is_not_kept(plant):
    plant.sink.settles = False
    plant.write((NOW, 1.0))
    plant.poll()
    assert plant.sink.kept == {}
    plant.sink.settle()
    assert plant.sink.kept == {"newest_ms": NOW}


def test_a_poll_that_fails_sends_nothing_twice(plant, monkeypatch):
    plant.write((NOW, 1.0))
    plant.poll()
    plant.write((NOW + 1, 2.0), (NOW + 2 * HOUR, 3.0))
    read, calls = plant.poller._reader.read, []

    def failing(span, tally, pace):
        calls.append(span)
        if len(calls) == 2:
            raise TransientError("the connection was lost")
        return read(span, tally, pace)

    monkeypatch.setattr(plant.poller._reader, "read", failing)
    plant.poller._width.width_ms = HOUR
    with pytest.raises(TransientError):
        plant.poll()
    plant.poller._rows.undo(of_poll=True)
    assert plant.sink.readings[-1][2:] == (NOW + 1, 2.0)
    assert plant.poll() == [(NOW + 2 * HOUR, 3.0)]


def test_rows_that_are_no_readings_are_counted_once(plant):
    plant.write((NOW, "broken?"), (NOW + 1, 1.0))
    for _ in range(3):
        plant.poll()
    assert dict(plant.sink.tally.rejected) == {"bad-value": 1}
    assert plant.sink.tally.records == 2


def test_a_first_failure_that_does_not_pass_ends_the_bridge(tmp_path):
    plant = Plant(tmp_path, table="other")
    with pytest.raises(EugenieError, match="other"):
        plant.poller.run(plant.sink, threading.Event())


def test_full_stores_make_the_poller_wait(plant):
    plant.sink.has_room = False
    plant.write((NOW, 1.0))
    stop = threading.Event()
    plant.sink.say = lambda message: stop.set()
    plant.poller.run(plant.sink, stop)
    assert plant.sink.readings == []


ROWS = st.lists(st.tuples(st.integers(0, 59 * SECOND), st.integers(0, 5), st.booleans()), max_size=25)


@pytest.mark.slow
@settings(max_examples=25)
@given(ROWS, st.sampled_from([-HOUR, 0, HOUR]))
def test_what_is_imported_later_equals_what_was_streamed(rows, offset):
    """Rows come up to a minute late; some are of bad quality."""
    with tempfile.TemporaryDirectory() as folder:
        plant = Plant(folder, start="2025-12-31T00:00:00Z", window="31d")
        plant.write((NOW + offset, 0.0))
        plant.poll()
        written = {NOW + offset}
        for number, (late, polls, good) in enumerate(rows, 1):
            plant.now += SECOND
            ts = plant.now + offset - late
            if ts not in written:
                written.add(ts)
                plant.write((ts, float(number) if good else "Bad"))
            for _ in range(polls):
                plant.poll()
        plant.poll()
        import_sources(plant.site)
        held = open_history(plant.site).read("p1")
        imported = [
            (ts, None if math.isnan(value) else value)
            for ts, value in zip(held.ts.tolist(), held.value.tolist(), strict=True)
        ]
        assert sorted((ts, value) for _, _, ts, value in plant.sink.readings) == imported
