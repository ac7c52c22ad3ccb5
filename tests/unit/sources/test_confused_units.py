"""Instants in one unit that are read in another: all pairs of units, over all years of measurements."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone

import pytest
from support.history_sites import pump_site
from support.looked import looked, questions

from eugenie_cli.readings.number_units import COUNTS, DAY_MS, DAYS, FIRST_PLAUSIBLE, of_instant
from eugenie_cli.readings.timestamps import compile_instant
from eugenie_cli.sources.confused_units import UNITS, doubt, rivals
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.tables import import_notes

NOW = int(datetime(2026, 11, 30, tzinfo=timezone.utc).timestamp() * 1_000)
HOUR = 3_600_000
TRUE = range(FIRST_PLAUSIBLE + DAY_MS, NOW, 37 * DAY_MS)
READERS = {unit: compile_instant(unit) for unit in UNITS}
PAIRS = [(true, said) for true in UNITS for said in UNITS if true != said]


def read(ts: int, true: str, said: str) -> int | None:
    """An instant that is written in one unit and read in another; None if that is refused."""
    number = of_instant(ts, ts, true)
    try:
        return READERS[said](f"{number:.9f}" if true in DAYS else f"{number:.0f}")
    except ValueError:
        return None


def is_silent(end: int, true: str, said: str, written: int) -> bool:
    """Whether an hour of readings is imported with wrong instants and without a word."""
    first, last = (read(ts, true, said) for ts in (end - HOUR, end))
    if first is None or last is None or first < FIRST_PLAUSIBLE or last > NOW + 60_000:
        return False
    return doubt(first, last, said, written, NOW) is None


def test_no_pair_of_units_is_confused_in_silence_as_files_are_written():
    silent = [(true, said, end) for true, said in PAIRS for end in TRUE if is_silent(end, true, said, end + HOUR)]
    assert silent == []


def test_what_a_file_of_unknown_age_does_not_show():
    pairs = {(true, said) for true, said in PAIRS for end in TRUE if is_silent(end, true, said, 0)}
    of_1990 = ("ns", "ticks")  # nanoseconds of 1990, when nobody counted them
    assert pairs == {("s", "gps"), ("gps", "s"), ("excel", "excel1904"), ("excel1904", "excel"), of_1990}
    assert {(other, unit) for unit in UNITS for other in rivals(unit, NOW)} == pairs | {("ticks", "ns")}


@pytest.mark.parametrize("unit", [*COUNTS, *DAYS])
@pytest.mark.parametrize("age", [0, HOUR, 400 * DAY_MS, None])
def test_the_right_unit_is_not_doubted(unit, age):
    for end in range(FIRST_PLAUSIBLE + 200 * DAY_MS, NOW, 37 * DAY_MS):
        found = doubt(end - HOUR, end, unit, 0 if age is None else min(end + age, NOW), NOW)
        assert found is None or not found.is_sure


def files(folder, numbers, unit, written_ms):
    (folder / "exports").mkdir()
    for name, number in numbers.items():
        path = folder / "exports" / name
        path.write_text(f"time,FT-2\n{number - 1},1\n{number},2\n")
        os.utime(path, (written_ms / 1_000, written_ms / 1_000))
    readings = {"shape": "wide", "asset": {"const": "p2"}, "ts": {"path": "time", "unit": unit, "timezone": "UTC"}}
    return pump_site(folder, [{"name": "s", "type": "csv", "path": "exports/*.csv", "readings": readings}])


@pytest.mark.parametrize(
    ("unit", "number", "words", "is_whole"),
    [
        ("ns", 639_038_772_000_000_000, "with `unit: ticks` they would end at 2026-01-13T05:00:00Z", False),
        ("s", 1_452_315_618, "long before their file was written (2026-01-13); with `unit: gps` they would end", True),
        ("gps", 1_452_315_618, "", True),
        ("excel1904", 44_000, "after their file was written; with `unit: excel` they would end at 2020-06-18", False),
        ("excel", 44_573, "with `unit: excel1904` they would end at 2026-01-13", True),
        ("s", 1_768_280_400, "", True),
    ],
)
def test_an_import_names_the_other_unit(tmp_path, unit, number, words, is_whole):
    written = 1_592_500_000_000 if number == 44_000 else 1_768_280_500_000
    (report,) = import_sources(files(tmp_path, {"a.csv": number}, unit, written))
    notes = [note for note in import_notes([report]) if "with `unit:" in note]
    assert (report.whole, bool(notes)) == (is_whole, bool(words)) and words in "".join(notes)


def test_one_old_file_of_many_is_no_reason_for_doubt(tmp_path):
    numbers = {"a.csv": 1_452_315_618, "b.csv": 1_768_280_400, "c.csv": 1_768_270_400}
    (report,) = import_sources(files(tmp_path, numbers, "s", 1_768_280_500_000))
    assert report.doubts == []


def test_a_look_asks_for_the_unit(tmp_path):
    at = int(time.time()) - 315_964_800 + 18  # as GPS counts
    rows = "".join(f"{at - 600 + second},{second % 7}.5\n" for second in range(600))
    assert "with `unit: gps` they would end at" in questions(looked(tmp_path, {"a.csv": f"time,FT-2\n{rows}"}))
