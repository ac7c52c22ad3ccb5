"""Tables that grow, with rows that come late and rows that are corrected: each import again makes history the table's.

A window is read again until it has settled; what changes in it later is not seen, which is what `settle` is for.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history_sites import pump_site
from support.import_clock import set_clock

from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.importing import import_sources

pytestmark = pytest.mark.slow

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
BEGIN_MS = round(BEGIN.timestamp() * 1_000)
HOUR = 3_600_000
LONG = {"ts": {"path": "ts", "unit": "ms"}, "asset": {"path": "asset"}, "sensor": {"path": "sensor"}}


class Plant:
    """A database, a site that imports it hour by hour, and the clock of both. `settle`: of the source, ms."""

    def __init__(self, folder, monkeypatch, settle=HOUR, **source):
        self.folder, self.settle = Path(folder), settle
        self.clock = set_clock(monkeypatch, BEGIN)
        given = {"name": "db", "type": "sql", "url": "sqlite:///plant.db", "table": "log", "readings": LONG}
        times = {"start": "2026-01-01T00:00:00Z", "window": "1h", "settle": f"{settle}ms"}
        self.site = pump_site(self.folder, [{**given, **times, **source}])
        self.run("CREATE TABLE log (ts INTEGER PRIMARY KEY, asset TEXT, sensor TEXT, value REAL)")

    @property
    def now_ms(self):
        return round(self.clock.at.timestamp() * 1_000)

    def run(self, statement, *values):
        with closing(sqlite3.connect(self.folder / "plant.db", isolation_level=None)) as database:
            return database.execute(statement, values).fetchall()

    def write(self, ts, value):
        """Insert a row of p1's flow, or correct it."""
        self.run("INSERT OR REPLACE INTO log VALUES (?, 'p1', 'flow', ?)", ts, value)

    def pass_time(self, ms):
        self.clock.at += timedelta(milliseconds=ms)

    def imported(self):
        """The report of an import, a moment later, and the history: (ts, value)."""
        self.pass_time(1)
        (report,) = import_sources(self.site)
        assert (report.failed, report.rejected) == ([], {})
        if not report.readings and "p1" not in open_history(self.site).assets():
            return report, []
        read = open_history(self.site).read("p1")
        return report, list(zip(read.ts.tolist(), read.value.tolist(), strict=True))

    def table(self):
        return self.run("SELECT ts, value FROM log ORDER BY ts")


def test_new_rows_are_taken_once(tmp_path, monkeypatch):
    plant = Plant(tmp_path, monkeypatch)
    for count in range(1, 4):
        for number in range(20):
            plant.write(plant.now_ms + 180_000 * number, count * 100 + number)
        plant.pass_time(HOUR)
        report, held = plant.imported()
        assert (held, len(held), report.repeated, report.conflicts) == (plant.table(), 20 * count, 0, 0)
    report, held = plant.imported()
    assert (held, report.repeated) == (plant.table(), 0)


@pytest.mark.parametrize(("late", "seen"), [(0, True), (30 * 60_000, True), (59 * 60_000, True), (61 * 60_000, False)])
def test_a_row_that_comes_late_is_taken_until_its_window_has_settled(tmp_path, monkeypatch, late, seen):
    plant = Plant(tmp_path, monkeypatch)
    plant.write(BEGIN_MS, 1.0)
    plant.pass_time(HOUR)
    plant.imported()
    plant.pass_time(late)
    plant.imported()
    plant.write(BEGIN_MS + 1_000, 2.0)
    _, held = plant.imported()
    assert held == (plant.table() if seen else [(BEGIN_MS, 1.0)])
    plant.pass_time(HOUR)
    assert plant.imported()[1] == held


def test_a_row_that_is_corrected_or_deleted_changes_history(tmp_path, monkeypatch):
    plant = Plant(tmp_path, monkeypatch)
    for number in range(4):
        plant.write(BEGIN_MS + number, number)
    plant.pass_time(HOUR)
    assert plant.imported()[1] == plant.table()
    plant.write(BEGIN_MS + 2, -7.5)
    plant.run("DELETE FROM log WHERE ts = ?", BEGIN_MS + 3)
    report, held = plant.imported()
    assert held == plant.table() == [(BEGIN_MS, 0.0), (BEGIN_MS + 1, 1.0), (BEGIN_MS + 2, -7.5)]
    assert (report.repeated, report.conflicts) == (0, 0)


def test_a_clock_that_goes_back_forgets_and_doubles_nothing(tmp_path, monkeypatch):
    """The clock of the machine that imports: windows that are ahead of it stay, and are read again in their time."""
    plant = Plant(tmp_path, monkeypatch)
    for number in range(6):
        plant.write(BEGIN_MS + number * HOUR // 2, number)
    plant.pass_time(3 * HOUR)
    _, before = plant.imported()
    assert before == plant.table()
    plant.pass_time(-2 * HOUR)
    late = (BEGIN_MS + 2 * HOUR + 1, 7.0)
    plant.write(*late)
    report, held = plant.imported()
    assert (held, report.repeated) == (before, 0)
    plant.pass_time(2 * HOUR)
    report, held = plant.imported()
    assert (held, report.repeated) == (plant.table(), 0)


STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "write", "write", "wait", "import"]), st.integers(0, 4 * 3_600)), max_size=14
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_history_is_the_table_as_long_as_changes_are_within_settle(steps):
    """Rows come up to an hour late, some of them correct others; imports run at any time."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        plant = Plant(folder, monkeypatch)
        plant.pass_time(HOUR)
        for number, (step, seconds) in enumerate(steps):
            if step == "write":
                plant.write(max(BEGIN_MS, plant.now_ms - 1 - seconds * 1_000 // 4), float(number))
            elif step == "wait":
                plant.pass_time(seconds * 1_000)
            else:
                assert plant.imported()[1] == plant.table()
        report, held = plant.imported()
        assert (held, report.repeated, report.conflicts) == (plant.table(), 0, 0)
