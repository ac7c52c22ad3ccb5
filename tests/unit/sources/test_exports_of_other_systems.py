"""Exports as historians, loggers, databases and spreadsheets write them, each with a mapping that reads it rightly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.csv_files import read_file
from support.table_files import read as read_table

T0 = 1_768_280_400_000  # 2026-01-13T05:00:00Z
NOON = 12 * 3_600_000
FLOW, BAD = ("p2", "flow"), None


def rows(*given: tuple[int, float | None]) -> list[tuple[str, str, int, float | None]]:
    """Readings of p2's flow: milliseconds after T0, value."""
    return [(*FLOW, T0 + after, value) for after, value in given]


def ts(path: str | list[str] = "time", **more: Any) -> dict[str, Any]:
    return {"ts": {"path": path, "timezone": "UTC", **more}}


def wide(**more: Any) -> dict[str, Any]:
    return {"shape": "wide", **ts(), **more}


def long(**more: Any) -> dict[str, Any]:
    return {**ts(), "tag": {"path": "tag"}, "value": {"path": "value"}, **more}


TWO = rows((0, 2.41), (1000, 2.42))
GERMAN = {"value": {"decimal": ","}}
EXPORTS: dict[str, tuple[str | bytes, dict[str, Any], dict[str, Any], list]] = {
    # name: text, mapping, other settings of the source, readings
    "PI DataLink": (
        "Time,FT-2\n13-Jan-26 05:00:00,2.41\n13-Jan-26 05:00:01,I/O Timeout\n",
        wide(**ts("Time", format="%d-%b-%y %H:%M:%S")), {}, rows((0, 2.41), (1000, BAD)),
    ),
    "PI DataLink, a named column of instants for each tag": (
        "Time,FT-2,Time,PT-2\n2026-01-13 05:00:00,2.41,2026-01-13 05:00:01,5\n2026-01-13 05:00:01,2.42,,\n",
        {"shape": "wide", "ts": {"timezone": "UTC"}, "columns": {"repeat": ["ts", "value"]}}, {},
        [*TWO, ("p2", "pressure", T0 + 1000, 5.0)],
    ),
    "one tag with its instants": (
        "Timestamp,FT-2\n2026-01-13 05:00:00,2.41\n",
        {"shape": "wide", "ts": {"timezone": "UTC"}, "columns": {"repeat": ["ts", "value"]}}, {}, TWO[:1],
    ),
    "a tag above its instants": (
        "FT-2,Value,PT-2,Value\n2026-01-13 05:00:00,2.41,2026-01-13 05:00:01,5\n",
        {"shape": "wide", "ts": {"timezone": "UTC"}, "columns": {"repeat": ["ts", "value"]}}, {},
        [*TWO[:1], ("p2", "pressure", T0 + 1000, 5.0)],
    ),
    "Uniformance PHD": (
        "TagName,TimeStamp,Value,Confidence\nFT-2,01/13/2026 05:00:00,2.41,100\nFT-2,01/13/2026 05:00:01,0,-1\n",
        {**ts("TimeStamp", format="%m/%d/%Y %H:%M:%S"), "tag": {"path": "TagName"}, "value": {"path": "Value"},
         "quality": {"path": "Confidence", "good": ["1..100"], "bad": ["-1", "0"]}},
        {}, rows((0, 2.41), (1000, BAD)),
    ),
    "IP.21 in columns of blanks": (
        "NAME   IP_TREND_TIME      VALUE STATUS\n------ ----------------- ------ ------\n"
        "FT-2   13-JAN-26 05:00:00.5  2.41 Good\nFT-2   13-JAN-26 05:00:01.0  0.00 Bad\n\n2  rows selected.\n",
        {**ts(["d", "t"], format="%d-%b-%y %H:%M:%S.%f"), "tag": {"path": "n"}, "value": {"path": "v"},
         "quality": {"path": "q"}},
        {"delimiter": "blanks", "table": {"skip": 2, "names": ["n", "d", "t", "v", "q"], "until": "2 rows sel"}},
        rows((500, 2.41), (1000, BAD)),
    ),
    "SQL Server's report with a footer": (
        "tag   time                        value\r\n----- --------------------------- -----\r\n"
        "FT-2  2026-01-13 05:00:00.0000000 2.41\r\nFT-2  2026-01-13 05:00:01.5000000 NULL\r\n\r\n(2 rows affected)\r\n",
        long(**ts(["d", "t"])),
        {"delimiter": "blanks", "table": {"skip": 2, "names": ["tag", "d", "t", "value"], "until": "(2 rows"}},
        rows((0, 2.41), (1500, BAD)),
    ),
    "PostgreSQL's COPY": (
        "2026-01-13 05:00:00+00\tFT-2\t2.41\n2026-01-13 06:00:01+01\tFT-2\t\\N\n",
        long(), {"delimiter": "\t", "table": {"names": ["time", "tag", "value"]}}, rows((0, 2.41), (1000, BAD)),
    ),
    "Oracle SQL Developer": (
        'tag,time,value\n"FT-2",13-JAN-26 05.00.00.000000000 AM,2.41\n"FT-2",13-JAN-26 05.00.01.250000000 PM,2.42\n',
        long(**ts(format="%d-%b-%y %I.%M.%S.%f %p")), {}, rows((0, 2.41), (NOON + 1250, 2.42)),
    ),
    "WinCC with its marks": (
        '"VarName";"TimeString";"VarValue";"Validity";"Time_ms"\r\n"FT-2";"13.01.2026 05:00:00";2,41;1;46035208333,333'
        '\r\n"FT-2";"13.01.2026 05:00:00";2,42;0;46035208339,120\r\n"$RT_COUNT$";2;;;\r\n',
        {**ts("Time_ms", unit="wincc"), "tag": {"path": "VarName"}, "value": {"path": "VarValue", "decimal": ","},
         "quality": {"path": "Validity", "scheme": "boolean"}},
        {"delimiter": ";", "table": {"until": "$RT_COUNT$"}}, rows((0, 2.41), (500, BAD)),
    ),
    "Ignition's dataset": (
        '"#NAMES"\n"t_stamp","FT-2"\n"#TYPES"\n"date","D"\n"#ROWS","2"\n"2026-01-13 05:00:00","2.41"\n',
        wide(**ts("t_stamp")), {"table": {"after": "#NAMES", "data": 3, "comment": "#"}}, TWO[:1],
    ),
    "Citect": (
        "Date,Time,Milliseconds,FT-2\n13/01/2026,5:00:00 AM,120,2.41\n13/01/2026,5:00:01 PM,5,<Gated>\n",
        wide(**ts(["Date", "Time", "Milliseconds"], format="%d/%m/%Y %I:%M:%S %p"), value={"bad": ["<Gated>"]}),
        {}, rows((120, 2.41), (NOON + 1005, BAD)),
    ),
    "Campbell's TOA5": (
        '"TOA5","St7"\r\n"time","RECORD","FT-2"\r\n"TS","RN","bar"\r\n"","","Avg"\r\n"2026-01-13 05:00:00",0,2.41\r\n'
        '"2026-01-13 05:00:00.5",1,"NAN"\r\n',
        wide(ignore=["RECORD"]), {"table": {"header": 2, "data": 5}}, rows((0, 2.41), (500, BAD)),
    ),
    "Fluke": (
        '"Fluke 289"\n"Sample","Start"\n"2.41 bar DC","1/13/2026 5:00:00 AM"\n"OL bar DC","1/13/2026 5:00:01 AM"\n',
        {**ts("Start", format="%m/%d/%Y %I:%M:%S %p"), "tag": {"const": "FT-2"},
         "value": {"path": "Sample", "unit": "bar DC", "bad": ["OL bar DC"]}},
        {"table": {"skip": 1}}, rows((0, 2.41), (1000, BAD)),
    ),
    "Siemens, UTF-16 by its mark": (
        "time\tFT-2\r\n2026-01-13 05:00:00\t2,41\r\n2026-01-13 05:00:01\t2,42\r\n".encode("utf-16"),
        wide(**GERMAN), {"delimiter": "\t"}, TWO,
    ),
    "UTF-32, although the site file says another": (
        "time,FT-2\n2026-01-13 05:00:00,2.41\n".encode("utf-32"), wide(), {"encoding": "cp1252"}, TWO[:1],
    ),
    "Japanese": (
        "time,FT-2\r\n2026年1月13日 5時00分00秒,2.41\r\n2026年1月13日 5時00分01秒,2.42\r\n".encode("cp932"),
        wide(**ts(format="%Y年%m月%d日 %H時%M分%S秒")), {"encoding": "cp932"}, TWO,
    ),
    "Japanese, halves of a day": (
        "time,FT-2\n2026/01/13 午前 5:00:00,2.41\n2026/01/13 午後 5:00:00,2.42\n2026/01/13 午後 0:00:00,2.43\n",
        wide(**ts(format="%Y/%m/%d %p %I:%M:%S")), {}, rows((0, 2.41), (7 * 3_600_000, 2.43), (NOON, 2.42)),
    ),
    "Korean": (
        "time,FT-2\n2026-01-13 오전 5:00:00,2.41\n2026-01-13 오후 5:00:00,2.42\n",
        wide(**ts(format="%Y-%m-%d %p %I:%M:%S")), {}, rows((0, 2.41), (NOON, 2.42)),
    ),
    "Spanish": (
        "time;FT-2\n13/01/2026 5:00:00 a. m.;2,41\n13/01/2026 5:00:00 p.\u00a0m.;2,42\n",
        wide(**ts(format="%d/%m/%Y %I:%M:%S %p"), **GERMAN), {"delimiter": ";"}, rows((0, 2.41), (NOON, 2.42)),
    ),
    "Russian": (
        "time;FT-2\n13 янв 2026 05:00:00;2,41\n13 января 2026 05:00:01;2,42\n".encode("cp1251"),
        wide(**ts(format="%d %b %Y %H:%M:%S"), **GERMAN), {"delimiter": ";", "encoding": "cp1251"}, TWO,
    ),
    "German in the doubled hour": (
        "time,FT-2\n25.10.2026 02:30:00 MESZ,1\n25.10.2026 02:30:00 MEZ,2\n",
        wide(ts={"path": "time", "format": "%d.%m.%Y %H:%M:%S %Z"}), {},
        [(*FLOW, 1_792_888_200_000, 1.0), (*FLOW, 1_792_891_800_000, 2.0)],
    ),
    "Swiss": (
        "time;FT-2\n2026-01-13 05:00:00;1'031.2\n2026-01-13 05:00:01;1’031.3\n",
        wide(value={"thousands": "'"}), {"delimiter": ";"}, rows((0, 1031.2), (1000, 1031.3)),
    ),
    "Java": ("time,FT-2\n2026-01-13T06:00:00+01:00[Europe/Berlin],2.41\n", wide(), {}, TWO[:1]),
    "twelve digits of a second": ("time,FT-2\n2026-01-13 05:00:00.123456789012,2.41\n", wide(), {}, rows((123, 2.41))),
    "seconds with a comma": (
        "time;FT-2\n1768280400,500;2,41\n", wide(**ts(unit="s"), **GERMAN), {"delimiter": ";"}, rows((500, 2.41)),
    ),
    "laboratory": (
        "time,FT-2\n2026-01-13 05:00:00,<0.5\n2026-01-13 05:00:01,>1E+02\n2026-01-13 05:00:02,--.--\n",
        wide(value={"strip": ["<", ">"]}), {}, rows((0, 0.5), (1000, 100.0), (2000, BAD)),
    ),
    "typographer's minus": ("time,FT-2\n2026-01-13 05:00:00,−2.41\n", wide(), {}, rows((0, -2.41))),
    "header again, with other columns": (
        "time,FT-2,PT-2\n2026-01-13 05:00:00,2.41,5\ntime,PT-2,FT-2\n2026-01-13 05:00:01,6,2.42\n", wide(), {},
        [*TWO, ("p2", "pressure", T0, 5.0), ("p2", "pressure", T0 + 1000, 6.0)],
    ),
    "form feed, Ctrl-Z": (
        "time,FT-2\r\n2026-01-13 05:00:00,2.41\r\n\x0ctime,FT-2\r\n2026-01-13 05:00:01,2.42\r\n\x1a", wide(), {}, TWO,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_rightly(tmp_path, name):
    text, mapping, source, expected = EXPORTS[name]
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found, tally = read_file(path, mapping, **source)
    assert sorted(found) == sorted(expected)
    assert sum(tally.rejected.values()) == ("form feed" in name), dict(tally.examples)


OF_JSON: dict[str, tuple[Any, dict[str, Any], list]] = {
    "Prometheus, a matrix": (
        {"data": {"result": [{"metric": {"tag": "FT-2"}, "values": [[T0 / 1000, "2.41"], [T0 / 1000 + 1, "NaN"]]}]}},
        {"records": "data.result.values", "tag": {"path": "metric.tag"}, "ts": {"path": "0", "unit": "s"},
         "value": {"path": "1"}},
        rows((0, 2.41), (1000, BAD)),
    ),
    "Prometheus, a vector": (
        {"data": {"result": [{"metric": {"tag": "FT-2"}, "value": [T0 / 1000, "2.41"]}]}},
        {"records": "data.result", "tag": {"path": "metric.tag"}, "ts": {"path": "value.0", "unit": "s"},
         "value": {"path": "value.1"}},
        TWO[:1],
    ),
    "InfluxDB": (
        {"results": [{"series": [{"tags": {"tag": "FT-2"}, "values": [["2026-01-13T05:00:00Z", 2.41]]}]}]},
        {"records": "results.series.values", "tag": {"path": "tags.tag"}, "ts": {"path": "0"}, "value": {"path": "1"}},
        TWO[:1],
    ),
    "Grafana": (
        [{"target": "FT-2", "datapoints": [[2.41, T0], [None, T0 + 1000]]}],
        {"records": "datapoints", "tag": {"path": "target"}, "ts": {"path": "1", "unit": "ms"}, "value": {"path": "0"}},
        rows((0, 2.41), (1000, BAD)),
    ),
    "PI Web API, several tags": (
        {"Items": [{"Name": "FT-2", "Items": [
            {"Timestamp": "2026-01-13T05:00:00Z", "Value": 2.41, "Good": True},
            {"Timestamp": "2026-01-13T05:00:01.1234567Z",
             "Value": {"Name": "Bad Input", "Value": 255, "IsSystem": True},
             "Good": False},
            {"Timestamp": "2026-01-13T05:00:02Z", "Good": True,
             "Value": {"Name": "OPEN", "Value": 1, "IsSystem": False}},
        ]}]},
        {"records": "Items.Items", "tag": {"path": "Name"}, "ts": {"path": "Timestamp"}, "value": {"path": "Value"},
         "quality": {"path": "Good", "scheme": "boolean"}},
        rows((0, 2.41), (1123, BAD), (2000, 1.0)),
    ),
    "states as words": (
        [{"time": T0, "tag": "FT-2", "value": "OPEN"}, {"time": T0 + 1000, "tag": "FT-2", "value": "Maintenance"}],
        {"ts": {"path": "time", "unit": "ms"}, "tag": {"path": "tag"},
         "value": {"path": "value", "map": {"Open": 1, "maintenance": None}}},
        rows((0, 1.0), (1000, BAD)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_JSON)
def test_a_document_is_read_rightly(tmp_path, name):
    document, mapping, expected = OF_JSON[name]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    found, tally = read_table("json", path, mapping)
    assert sorted(found) == sorted(expected)
    assert dict(tally.rejected) == {}
