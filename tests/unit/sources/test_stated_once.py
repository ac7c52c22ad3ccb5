"""Dates, and starts of elapsed time, that a file states once: in its name, or in a line above its table."""

from __future__ import annotations

from typing import Any

import openpyxl
import pytest
from support.csv_files import read_file
from support.table_files import read as read_table

from eugenie_cli.errors import EugenieError
from eugenie_cli.readings.reject_reasons import BAD_TIMESTAMP

T0 = 1_768_280_400_000  # 2026-01-13T05:00:00Z
HOUR, DAY = 3_600_000, 86_400_000
COMPACT = {"file": "log_{date}", "format": "%Y%m%d"}
CLOCK = "Time,FT-2\n05:00:00,2.41\n05:00:01,2.42\n"
TWO = [(0, 2.41), (1000, 2.42)]


def wide(path: str = "Time", **ts: Any) -> dict[str, Any]:
    return {"shape": "wide", "ts": {"path": path, "timezone": "UTC", **ts}}


def found(path, text: str, readings: dict[str, Any], **source: Any) -> list[tuple[int, float | None]]:
    """(ms after T0, value) of each reading."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    rows, _ = read_file(path, readings, **source)
    return [(ts - T0, value) for _, _, ts, value in rows]


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("log_20260113.csv", COMPACT),
        ("log_20260113.csv", {"file": "{*}_{date}", "format": "%Y%m%d"}),
        ("2026-01-13 pump.csv", {"file": "{date} *"}),
        ("Pumpe_13.1.2026.csv", {"file": "{*}_{date}", "format": "%d.%m.%Y"}),
        ("Pumpe13.01.2026.csv", {"file": "Pumpe{date}", "format": "%d.%m.%Y"}),
        ("a.csv", {"const": "2026-01-13"}),
    ],
)
def test_the_date_is_in_the_name_of_the_file(tmp_path, name, date):
    assert found(tmp_path / name, CLOCK, wide(date=date)) == TWO


@pytest.mark.parametrize(
    ("head", "date"),
    [
        ("Logger 7\nDate: 2026-01-13\n", {"line": "Date:"}),
        ("Logger 7\n Date ,2026-01-13,,\n", {"line": "Date"}),
        ('"Datum";"13.01.2026"\n', {"line": "Datum", "format": "%d.%m.%Y"}),
        ("Dateien: 2026-01-15\nDate 2026-01-13\n", {"line": "Date"}),
        ("Report of 13 January 2026, plant 4\n", {"line": "Report of", "format": "%d %B %Y"}),
        ("# 2026-01-13 00:00\n", {"line": "#"}),
    ],
)
def test_the_date_is_in_a_line_above_the_table(tmp_path, head, date):
    assert found(tmp_path / "a.csv", head + CLOCK, wide(date=date), table={"skip": head.count("\n")}) == TWO


@pytest.mark.parametrize(
    ("times", "days"),
    [
        (["23:59:58", "23:59:59", "00:00:00", "00:00:01"], [0, 0, 1, 1]),
        (["05:00", "11:00", "17:00", "23:00", "05:00", "11:00", "17:00", "23:00", "05:00"], [0] * 4 + [1] * 4 + [2]),
        (["14:00", "15:00", "08:00"], [0, 0, 1]),
        (["05:00:00", "05:00:02", "05:00:01", "05:00:03", "05:00:04"], [0] * 5),  # out of order
        (["23:59:58", "00:00:00", "23:59:59", "00:00:01", "00:00:02"], [0, 1, 0, 1, 1]),
        (["23:00:00", "24:00:00", "00:01:00"], [0, 0, 1]),
        (["05:00:02", "05:00:01", "05:00:00"], [0] * 3),  # newest first
    ],
)
@pytest.mark.parametrize("block", [None, 24])
def test_rows_may_pass_midnight(tmp_path, times, days, block):
    midnight = T0 - 5 * HOUR
    text = "Time,FT-2\n" + "".join(f"{time},{row}\n" for row, time in enumerate(times))
    parts = [[int(part) for part in f"{time}:00".split(":")[:3]] for time in times]
    at = [day * DAY + ((h * 60 + m) * 60 + s) * 1_000 for day, (h, m, s) in zip(days, parts, strict=True)]
    rows = found(tmp_path / "log_20260113.csv", text, wide(date=COMPACT), block_bytes=block)
    assert rows == [(midnight + after - T0, float(row)) for row, after in enumerate(at)]


LONG = {"ts": {"path": "t", "timezone": "UTC", "date": COMPACT}, "tag": {"path": "tag"}, "value": {"path": "v"}}


@pytest.mark.parametrize(
    ("rows", "days"),
    [
        # a tag's rows below those of another
        ("FT-2 23:58,FT-2 00:01,PT-2 23:58,PT-2 00:01", "0101"),
        # in the order of time
        ("FT-2 23:58,PT-2 23:58,FT-2 00:01,PT-2 00:01", "0011"),
        # a tag that rarely changes: the midnights are those of the other
        ("PT-2 05:00,FT-2 12:00,FT-2 23:00,FT-2 04:00,PT-2 06:00,FT-2 07:00", "0001?1"),
        # whether the second tag's rows are of the next day is not shown
        ("FT-2 22:00,FT-2 23:00,PT-2 00:30,PT-2 01:00", "00??"),
    ],
)
def test_tags_in_any_order(tmp_path, rows, days):
    text = "".join(f"{row.replace(' ', ',')},1\n" for row in rows.split(","))
    (tmp_path / "log_20260113.csv").write_text(f"tag,t,v\n{text}")
    got, tally = read_file(tmp_path / "log_20260113.csv", LONG)
    midnight = T0 - 5 * HOUR
    accepted = iter(got)
    for row, day in zip(rows.split(","), days, strict=True):
        if day != "?":
            hours, minutes = map(int, row.split()[1].split(":"))
            assert next(accepted)[2] == midnight + int(day) * DAY + (hours * 60 + minutes) * 60_000
    assert tally.rejected.get(BAD_TIMESTAMP, 0) == days.count("?")
    if "?" in days:
        assert "do not show whether midnight has passed" in tally.examples[BAD_TIMESTAMP][0]


def test_a_doubled_hour_is_no_midnight(tmp_path):
    text = "Time,FT-2\n01:30,0\n02:00,1\n02:30,2\n02:00,3\n02:30,4\n03:00,5\n"
    readings = wide(date={"file": "log_{date}", "format": "%Y%m%d"}, timezone="Europe/Berlin", ambiguous="order")
    start = 1_792_884_600_000 - T0
    assert found(tmp_path / "log_20261025.csv", text, readings) == [(start + n * HOUR // 2, float(n)) for n in range(6)]


def test_newest_first_across_midnight_is_refused(tmp_path):
    text = "Time,FT-2\n00:00:01,3\n00:00:00,2\n23:59:59,1\n"
    with pytest.raises(EugenieError, match=r"log_20260113\.csv: the rows are newest first and pass midnight"):
        found(tmp_path / "log_20260113.csv", text, wide(date=COMPACT))


def test_almost_a_day_later_or_out_of_order_is_rejected_from_there_on(tmp_path):
    path = tmp_path / "log_20260113.csv"
    path.write_text("Time,FT-2\n05:00,1\n06:00,2\n07:00,3\n06:30,4\n08:00,5\n")
    rows, tally = read_file(path, wide(date=COMPACT))
    assert [row[3] for row in rows] == [1, 2, 3] and tally.rejected == {BAD_TIMESTAMP: 2}


def test_a_line_below_the_header_states_the_next_date(tmp_path):
    text = "Date: 2026-01-13\n" + CLOCK + "Date: 2026-01-15\nTime,FT-2\n05:00:00,2.43\n"
    readings = wide(date={"line": "Date:"})
    expected = [*TWO, (2 * DAY, 2.43)]
    assert found(tmp_path / "a.csv", text, readings, table={"skip": 1}) == expected
    commented = text.replace("Date:", "# Date:")
    readings = wide(date={"line": "# Date:"})
    assert found(tmp_path / "a.csv", commented, readings, table={"comment": "#"}) == expected
    with pytest.raises(EugenieError, match=r"a\.csv:5.*no date"):
        found(tmp_path / "a.csv", text.replace("-15", "-1x"), wide(date={"line": "Date:"}), table={"skip": 1})


@pytest.mark.parametrize(
    ("ts", "text", "after"),
    [
        ({"unit": "s", "start": {"const": "2026-01-13T05:00:00Z"}}, "t,FT-2\n0,1\n1.5,2\n-0.5,3\n", [0, 1500, -500]),
        ({"unit": "ms", "start": {"const": "2026-01-13 05:00"}}, "t,FT-2\n0,1\n1500,2\n", [0, 1500]),
        ({"unit": "min", "start": {"const": "2026-01-13 05:00"}}, "t,FT-2\n0,1\n1.25,2\n", [0, 75_000]),
        ({"unit": "h", "start": {"const": "2026-01-13 05:00"}}, 't,FT-2\n"0,5",1\n48,2\n', [HOUR // 2, 2 * DAY]),
        ({"unit": "d", "start": {"line": "Start", "format": "%d.%m.%y %H:%M"}},
         "Start;13.01.26 05:00\nt,FT-2\n1E-1,1\n", [DAY // 10]),
        ({"unit": "duration", "start": {"line": "Start"}},
         "Start: 2026-01-13 05:00:00\nt,FT-2\n00:00:00,1\n25:00:01.5,2\n1.01:00:00,3\n\"1 day, 1:00:00\",4\n",
         [0, 25 * HOUR + 1500, 25 * HOUR, 25 * HOUR]),
        ({"unit": "s", "start": {"line": ["Date", "Time"], "format": "%Y/%m/%d %H:%M:%S,%f"}},
         "Date\t2026/01/13\nTime\t05:00:00,2500000000000000000\nt,FT-2\n0.000000,1\n", [250]),
    ],
)  # fmt: skip
def test_elapsed_time(tmp_path, ts, text, after):
    skip = text.split("t,FT-2")[0].count("\n")
    rows = found(tmp_path / "a.csv", text, wide("t", **ts), table={"skip": skip})
    assert rows == [(ms, float(number)) for number, ms in enumerate(after, 1)]


def test_the_start_of_elapsed_time_in_other_files(tmp_path):
    (tmp_path / "run_20260113T050000.json").write_text('[{"t": 0.5, "tag": "FT-2", "value": 1}]')
    readings = {"tag": {"path": "tag"}, **wide("t", unit="s", start={"file": "run_{start}", "format": "%Y%m%dT%H%M%S"})}
    rows, _ = read_table("json", tmp_path / "run_20260113T050000.json", {**readings, "shape": "long"})
    assert rows == [("p2", "flow", T0 + 500, 1.0)]
    book = openpyxl.Workbook()
    for row in (["Date", "13.01.2026"], ["Time", "FT-2"], ["05:00:00", 2.41], ["05:00:01", 2.42]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    rows, _ = read_table("excel", tmp_path / "a.xlsx", wide(date={"line": "Date", "format": "%d.%m.%Y"}))
    assert [(ts - T0, value) for *_, ts, value in rows] == TWO


@pytest.mark.parametrize(
    ("name", "text", "ts", "reason"),
    [
        ("log_old.csv", CLOCK, {"date": COMPACT}, "its name has no date in the format %Y%m%d"),
        ("2026-01-13 2026-01-14.csv", CLOCK, {"date": {"file": "*{date}*"}}, "several dates"),
        (
            "a.csv",
            "Day: 2026-01-13\n" + CLOCK,
            {"date": {"line": "Date:"}},
            "no line above the table begins with 'Date:'",
        ),
        ("a.csv", "Date: today\n" + CLOCK, {"date": {"line": "Date:"}}, "has no date in the format ISO 8601"),
        ("a.csv", "Date: 2026-01-13\n" + CLOCK, {"unit": "s", "start": {"line": "Date:"}}, "has no start"),
    ],
)
def test_what_a_file_does_not_state_fails_by_name(tmp_path, name, text, ts, reason):
    with pytest.raises(EugenieError) as raised:
        found(tmp_path / name, text, wide(**ts), table={"skip": text.count("\n") - 3})
    assert reason in raised.value.reason and name in raised.value.reason and "correct" in raised.value.hint
