"""Exports that a mapping reads only in part: a report says what is missing, and what to write to read it."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from openpyxl import Workbook
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.load import open_site
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.tables import import_notes

LONG = {"tag": {"path": "tag"}, "value": {"path": "value"}}
WIDE = {"shape": "wide", "ts": {"path": "time"}}
DATED = {"shape": "wide", "ts": {"path": "Date", "format": "%d.%m.%Y %H:%M:%S"}}
A, B = "2026-01-03T06:00:00Z", "2026-01-03T06:00:01Z"


def imported(folder, text, readings, **source):
    """(the report, its notes) of an import of one file."""
    exports = folder / "exports"
    exports.mkdir()
    (exports / "a.csv").write_bytes(text.encode())
    site = pump_site(folder, [{"name": "s", "type": "csv", "path": "exports/*", "readings": readings, **source}])
    (report,) = import_sources(site)
    return report, list(import_notes([report]))


@pytest.mark.parametrize(
    ("text", "source", "line"),
    [
        (f"time,FT-2\n{A},1\n{B},2\n", {"table": {"data": 3}}, 2),
        (f"time,FT-2\nunits,bar\n{A},1\n{B},2\n", {"table": {"header": 1, "data": 4}}, 3),
        (f"{A},1\n{B},2\n", {"table": {"names": ["time", "FT-2"], "skip": 1}}, 1),
        (f"old\r{A},1\r{B},2\r", {"table": {"names": ["time", "FT-2"], "skip": 2}}, 2),
    ],
)
def test_a_row_above_the_readings_is_not_lost_unseen(tmp_path, text, source, line):
    report, notes = imported(tmp_path, text, WIDE, **source)
    assert (report.readings, report.rejected) == (1, {"missing-field": 1})
    assert any(f"a.csv:{line}: above the readings, but it reads as a row: correct `table`" in note for note in notes)


@pytest.mark.parametrize(
    ("text", "readings", "words"),
    [
        # Ignition: a column for each type of value
        (
            f"ts,tag,value,intvalue,id\n{A},FT-2,2.5,NULL,7\n{A},PT-2,,1,8\n",
            LONG,
            r"a number where the column of the value is empty.*`value: \{path: \[.*imported as bad quality: intvalue$",
        ),
        # a column of instants for each tag
        (f"time,FT-2,time,PT-2\n{A},1,{B},2\n", WIDE, r"tag has one of its own.*repeat: \[ts, value\].*: time 2$"),
        # Schneider's time;tag;value, read as a table with a column for each tag
        (f"time,name,v,FT-2\n{A},PT-2,2,1\n", WIDE, r"names of tags.*shape: long.*repeat: \[tag, value\].*: name$"),
        (f"ts,tag,value,tag2,value2\n{A},PT-2,2,FT-2,1\n", LONG, r"names of tags.*: tag2$"),
        (f"ts,Millitm,tag,value\n{A},250,PT-2,2\n", LONG, r"of the instant.*path: \[\.\.\., Millitm\].*: Millitm$"),
        (f"ts,Time_ms,tag,value\n{A},46035208333,PT-2,2\n", LONG, "path: Time_ms, unit: wincc.*: Time_ms$"),
        (f"ts,tag,value,Status\n{A},PT-2,2,\n{B},PT-2,0,U\n", LONG, "scheme: factorytalk.*: Status$"),
        (f"ts,tag,value,Status\n{A},PT-2,2,G\n{B},PT-2,0,U\n", LONG, "quality of a row: map it.*: Status$"),
        (
            f"ts,tag,value,Unit\n{A},PT-2,2,bar\n{A},FT-2,1,l/h\n{B},PT-2,2000,mbar\n",
            LONG,
            "several units of one tag.*: Unit$",
        ),
        (
            f"ts,tag,value,Bad\n{A},PT-2,2,0\n",
            {**LONG, "quality": {"path": "Bad", "scheme": "boolean"}},
            "true for bad values.*`bad: .*: Bad$",
        ),
        (
            f"ts,tag,value,q\n{A},PT-2,2,1\n{B},PT-2,3,1\n",
            {**LONG, "quality": {"path": "q", "scheme": "opcda"}},
            "all 2 readings are of bad quality: check `quality`",
        ),
        (
            "Time (UTC),FT-2\n2026-01-03 06:00:00,1\n",
            {"shape": "wide", "ts": {"path": "Time (UTC)"}},
            r"a zone in their name.*`timezone` of `ts`.*: Time \(UTC\)$",
        ),
        (
            "Time; GMT+02:00,FT-2\n2026-01-03 06:00:00,1\n",
            {"shape": "wide", "ts": {"path": "Time; GMT+02:00"}},
            r"a zone in their name.*: Time; GMT\+02:00$",
        ),
        (f"time,ft-2,FT-2\n{A},1,1\n", WIDE, "almost match a tag.*`case: ignore`.*: ft-2$"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named(tmp_path, text, readings, words):
    _, notes = imported(tmp_path, text, readings)
    assert any(re.search(words, note) for note in notes), notes


@pytest.mark.parametrize(
    ("text", "readings", "names"),
    [
        (f"{A},1\n", {"shape": "wide", "ts": {"path": "column 1"}}, "column 1, column_2"),
        (f"FT-2,{A},1,x\n", LONG, "tag, ts, value, column_4"),
        ("1767420000,FT-2,1\n", {**LONG, "ts": {"path": "t", "unit": "s"}}, "t, tag, value"),
        ("13.01.2026,05:00,1\n", {"shape": "wide", "ts": {"path": ["day", "time"]}}, "day, time, column_3"),
    ],
)
def test_a_file_without_a_header_gets_the_names_that_the_mapping_needs(tmp_path, text, readings, names):
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "a.csv").write_text(text)
    site = pump_site(tmp_path, [{"name": "s", "type": "csv", "path": "exports/*", "readings": readings}])
    with pytest.raises(EugenieError, match="nothing could be imported") as refused:
        import_sources(site)
    assert f"`table: {{names: [{names}]}}`" in refused.value.reason
    table = {"names": names.replace("column_2", "FT-2").replace("column_3", "FT-2").split(", ")}
    if "day" in names:
        readings["ts"]["format"] = "%d.%m.%Y %H:%M"
    site = pump_site(
        tmp_path, [{"name": "s", "type": "csv", "path": "exports/*", "readings": readings, "table": table}]
    )
    assert import_sources(site)[0].readings == 1


def test_the_row_that_contains_tags_is_named(tmp_path):
    text = f"Date,1,2\n,FT-2,PT-2\n,bar,bar\n{A},2,3\n"
    _, notes = imported(tmp_path, text, {"shape": "wide", "ts": {"path": "Date"}})
    assert any("row 2 contains tags of the site, FT-2, PT-2" in note and "header: 2" in note for note in notes), notes


@pytest.mark.parametrize(
    ("unit", "text", "words"),
    [
        ("s", "46035.2083", "with `unit: excel` it would be 2026-01-13"),
        ("ms", "1768280400", "such as s for ms, it would be 2026-01-13T05:00:00Z"),
    ],
)
def test_an_implausible_instant_gets_the_unit_in_which_it_is_plausible(tmp_path, unit, text, words):
    report, notes = imported(tmp_path, f"time,FT-2\n{text},1\n", {**WIDE, "ts": {"path": "time", "unit": unit}})
    assert not report.whole and words in notes[0]


@pytest.mark.parametrize(
    "text",
    [
        f"ts,tag,value,batch\n{A},FT-2,2.5,7\n{A},PT-2,,1\n",  # a number beside every value
        f"ts,tag,value,remark\n{A},FT-2,2.5,\n{A},PT-2,,no answer\n",
        f"ts,tag,value,other\n{A},FT-2,2.5,\n{A},PT-2,,\n",
        f"ts,tag,value,Unit\n{A},PT-2,2,bar\n{A},FT-2,1,l/h\n{B},PT-2,2,\n",  # each tag has one
    ],
)
def test_a_column_that_is_no_part_of_a_reading_is_not_named(tmp_path, text):
    _, notes = imported(tmp_path, text, LONG)
    assert notes == []


@pytest.mark.parametrize(
    ("column", "text", "more"),
    [
        ("Time (UTC)", A, {}),  # it has an offset
        ("Time (UTC)", "2026-01-03 06:00:00", {"timezone": "UTC"}),
        ("Time, GMT", "1767420000", {"unit": "s"}),
        ("Recorded", "2026-01-03 06:00:00", {}),
    ],
)
def test_a_zone_in_a_name_that_the_instants_do_not_need_is_not_named(tmp_path, column, text, more):
    _, notes = imported(tmp_path, f'"{column}",FT-2\n{text},1\n', {**WIDE, "ts": {"path": column, **more}})
    assert notes == []


def test_dates_that_excel_may_have_exchanged_are_said(tmp_path):
    (tmp_path / "exports").mkdir()
    workbook = Workbook()
    for row in (["time", "FT-2"], [datetime(2026, 3, 1, 5), 1], ["13/01/2026 05:00:00", 2]):
        workbook.active.append(row)
    workbook.save(tmp_path / "exports" / "a.xlsx")
    readings = {"shape": "wide", "ts": {"path": "time", "format": "%d/%m/%Y %H:%M:%S"}}
    site = pump_site(tmp_path, [{"name": "s", "type": "excel", "path": "exports/*", "readings": readings}])
    (report,) = import_sources(site)
    assert report.readings == 2
    assert any(
        "'time' has 1 dates and 1 texts such as '13/01/2026 05:00:00'" in note for note in import_notes([report])
    )


def test_dates_whose_time_is_elsewhere_are_said_first(tmp_path):
    rows = "".join(f"{day}.01.2026,0{hour}:00:00,{hour}\n" for day in (13, 14) for hour in range(3))
    report, notes = imported(tmp_path, "Date,Time,FT-2\n" + rows, DATED)
    assert not report.whole
    assert "exports/a.csv: its instants are dates without a time of day, and 4 readings repeat one" in notes[0]
    assert any(re.search(r"path: \[Date, Time\].*: Date$", note) for note in notes)


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("13.01.2026,1\n14.01.2026,2\n", True),  # one reading a day: midnight is meant
        ("13.01.2026 23:59:59,1\n14.01.2026,2\n", False),  # spreadsheets leave out midnight
        ("13.01.2026,1\n13.01.2026 00:00:01,2\n", False),
    ],
)
def test_dates_that_stand_for_midnight_are_imported(tmp_path, rows, named):
    report, notes = imported(tmp_path, "Date,FT-2\n" + rows, DATED)
    assert report.whole and report.readings == 2
    assert any("dates without a time of day" in note for note in notes) == named


@pytest.mark.parametrize(
    ("dates", "named"),
    [
        ([f"{day:02}/01/2025" for day in range(1, 13)], True),  # days of January, or the first of each month
        ([f"{month}/{day}/2025" for month in range(1, 4) for day in range(1, 13)], False),
        (["01/01/2025", "02/01/2025"], False),
        (["01/13/2025"], False),
    ],
)
def test_days_that_may_be_months_are_said(tmp_path, dates, named):
    text = "time,FT-2\n" + "".join(f"{date} 05:00:00,1\n" for date in dates)
    readings = {"shape": "wide", "ts": {"path": "time", "format": "%m/%d/%Y %H:%M:%S"}}
    report, notes = imported(tmp_path, text, readings)
    assert report.readings == len(dates)
    assert any("`format` has %d and %m exchanged: time" in note for note in notes) == named


def test_decimal_commas_between_commas_are_said(tmp_path):
    _, notes = imported(tmp_path, f"time,FT-2\n{A},2,41\n", WIDE)
    assert any("3 fields, expected 2" in note and "decimal commas" in note for note in notes)


def test_milliseconds_behind_a_colon_are_not_taken_for_tenths(tmp_path):
    text = "time,FT-2\n" + "".join(f"2026-01-13 05:00:00:{ms},1\n" for ms in ("7", "70", "700", "07"))
    readings = {"shape": "wide", "ts": {"path": "time", "format": "%Y-%m-%d %H:%M:%S:%f"}}
    report, notes = imported(tmp_path, text, readings)
    assert (report.readings, report.rejected) == (1, {"bad-timestamp": 3})
    assert any("7 behind a colon may be milliseconds or a fraction: export three digits" in note for note in notes)


def test_a_row_of_a_sheet_is_named_in_a_site_file_without_brackets(tmp_path):
    (tmp_path / "exports").mkdir()
    workbook = Workbook()
    for row in (["report"], ["time", "FT-2"], ["2026-01-03T06:00:00Z", 2.5]):
        workbook.active.append(row)
    workbook.save(tmp_path / "exports" / "a.xlsx")
    site = tmp_path / "site-configs" / "site.yaml"
    site.parent.mkdir()
    site.write_text(
        "site: x\nsources:\n  - {name: s, type: excel, path: exports/*, header: 2,"
        " readings: {shape: wide, ts: {path: time}}}\n"
        "classes: {pump: {sensors: [{name: flow}]}}\nassets: {p2: {class: pump, tags: {flow: FT-2}}}\n"
    )
    (report,) = import_sources(open_site(site))
    assert report.readings == 1
