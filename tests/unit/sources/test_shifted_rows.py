"""Rows that fit the columns of a CSV file, but not as they seem: numbers with unquoted separators, cells left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.csv_files import read_file
from support.table_files import read as read_table

from eugenie_cli.readings.reject_reasons import BAD_TIMESTAMP, MISSING_FIELD

T0 = 1_768_280_400_000  # 2026-01-13T05:00:00Z
TIMES = [f"2026-01-13 05:00:{second:02d}" for second in range(60)]
WIDE: dict[str, Any] = {"shape": "wide", "ts": {"path": "time", "timezone": "UTC"}}
LONG: dict[str, Any] = {"ts": {"path": "time", "timezone": "UTC"}, "tag": {"path": "tag"}, "value": {"path": "v"}}


def values(rows: list) -> list[tuple[str, int, float | None]]:
    """(sensor, seconds after T0, value) of p2."""
    return sorted((sensor, (ts - T0) // 1_000, value) for _, sensor, ts, value in rows)


@pytest.mark.parametrize(
    ("header", "rows", "mapping", "kept"),
    [
        ("time,FT-2,PT-2,note", ["952,31,ok", "1,031,31", "953,32,ok"], {**WIDE, "ignore": ["note"]}, [0, 2]),
        ("time,FT-2,PT-2,", ["952,31,", "1,031,31", "953,32,"], WIDE, [0, 2]),
        ("time,FT-2,note", ["1,031", "1,032"], {**WIDE, "ignore": ["note"]}, []),
        ("time,FT-2,PT-2", ["1,031.5", "1,132.5", "-1,032.5"], WIDE, []),
        ("time,FT-2,PT-2", ["7,31", "7,131", "8,132"], WIDE, [0, 1, 2]),  # nothing shows a separator
        ("time,FT-2,PT-2", ["7,0.31", "8,0.311"], WIDE, [0, 1]),
        ("time,FT-2,PT-2", ['"1","031"'], WIDE, [0]),
        ("time,FT-2,PT-2", ["0007,031"], WIDE, [0]),
    ],
)
@pytest.mark.parametrize("block", [None, 64])
def test_a_separator_that_is_the_delimiter_too(tmp_path, header, rows, mapping, kept, block):
    text = "".join(f"{time},{row}\n" for time, row in zip(TIMES, rows, strict=False))
    (tmp_path / "a.csv").write_text(f"{header}\n{text}")
    got, tally = read_file(tmp_path / "a.csv", mapping, block_bytes=block)
    assert sorted({(ts - T0) // 1_000 for *_, ts, _ in got}) == kept
    assert tally.rejected.get(MISSING_FIELD, 0) == len(rows) - len(kept) == tally.lost
    if len(kept) < len(rows):
        (number,) = [number for number in range(len(rows)) if number not in kept][:1]
        assert tally.examples[MISSING_FIELD][0].startswith(f"a.csv:{number + 2}: ")
        assert "may be one number, whose separator is also the delimiter" in tally.examples[MISSING_FIELD][0]


def test_a_separator_in_a_long_table(tmp_path):
    (tmp_path / "a.csv").write_text(f"time,tag,v,unit\n{TIMES[0]},FT-2,952,bar\n{TIMES[1]},FT-2,1,031\n")
    rows, tally = read_file(tmp_path / "a.csv", LONG)
    assert values(rows) == [("flow", 0, 952.0)] and tally.rejected == {MISSING_FIELD: 1}


@pytest.mark.parametrize("block", [None, 40])
def test_empty_cells_repeat_the_cell_above(tmp_path, block):
    text = "Date,Time,FT-2\n2026-01-13,05:00:00,1\n,05:00:01,2\n  ,05:00:02,3\n2026-01-14,05:00:00,4\n,05:00:01,5\n"
    (tmp_path / "a.csv").write_text(text)
    mapping = {"shape": "wide", "ts": {"path": ["Date", "Time"], "timezone": "UTC"}, "fill": ["Date"]}
    rows, tally = read_file(tmp_path / "a.csv", mapping, block_bytes=block)
    assert values(rows) == [("flow", after, n) for n, after in enumerate([0, 1, 2, 86_400, 86_401], 1)]
    assert not tally.rejected


def test_nothing_is_carried_on_over_a_row_that_is_rejected(tmp_path):
    text = "tag,time,v\nFT-2,{0},1\n,{1},2\nPT-2,{2},3,4\n,{3},5\nFT-2,{4},6\n\n,{5},7\n,,\n,{6},8\n"
    (tmp_path / "a.csv").write_text(text.format(*TIMES))
    rows, tally = read_file(tmp_path / "a.csv", {**LONG, "fill": ["tag"]})
    assert values(rows) == [("flow", n, value) for n, value in ((0, 1), (1, 2), (4, 6), (5, 7), (6, 8))]
    assert tally.rejected == {MISSING_FIELD: 2}
    assert [example.split(":")[1] for example in tally.examples[MISSING_FIELD]] == ["4", "5"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["FT-2", "PT-2", "", " ", "broken"]), min_size=1, max_size=30), st.integers(30, 300))
def test_filled_in_blocks_of_any_size(tmp_path_factory, tags, block):
    path = tmp_path_factory.mktemp("f") / "a.csv"
    lines = [f"{TIMES[n]},{tag},{n}" + ",x" * (tag == "broken") for n, tag in enumerate(tags)]
    path.write_text("time,tag,v\n" + "".join(f"{line}\n" for line in lines))
    rows, tally = read_file(path, {**LONG, "fill": ["tag"]}, block_bytes=block)
    expected, last = [], ""
    for n, tag in enumerate(tags):
        last = "" if tag == "broken" else tag.strip() or last
        expected += [({"FT-2": "flow", "PT-2": "pressure"}[last], n, float(n))] if last else []
    assert values(rows) == sorted(expected)
    assert sum(tally.rejected.values()) == len(tags) - len(expected)


def test_a_quality_of_some_tags(tmp_path):
    mapping = {**WIDE, "columns": {"quality": "{tag}_q", "optional": ["quality"]}, "quality": {"scheme": "opcda"}}
    (tmp_path / "a.csv").write_text(f"time,FT-2,FT-2_q,PT-2,q\n{TIMES[0]},1,192,5,0\n{TIMES[1]},2,0,6,192\n")
    rows, _ = read_file(tmp_path / "a.csv", {**mapping, "ignore": ["q"]})
    assert values(rows) == [("flow", 0, 1.0), ("flow", 1, None), ("pressure", 0, 5.0), ("pressure", 1, 6.0)]
    mapping["quality"] = {"scheme": "opcda", "path": "q"}  # of the record: for all of its tags
    rows, _ = read_file(tmp_path / "a.csv", mapping)
    assert values(rows) == [("flow", 0, None), ("flow", 1, None), ("pressure", 0, None), ("pressure", 1, 6.0)]


def test_a_total_of_the_day_is_no_midnight(tmp_path):
    format = "%d.%m.%Y %H:%M:%S"
    lines = [
        "13.01.2026",
        "13.01.2026 05:00:00",
        "13.01.2026 06:00:00",
        "13.01.2026",
        "14.01.2026",
        "14.01.2026 05:00:00",
    ]
    (tmp_path / "a.csv").write_text("time,FT-2\n" + "".join(f"{line},{n}\n" for n, line in enumerate(lines)))
    rows, tally = read_file(tmp_path / "a.csv", {"shape": "wide", "ts": {"path": "time", "format": format}})
    assert [value for *_, value in rows] == [0, 1, 2, 4, 5] and tally.rejected == {BAD_TIMESTAMP: 1}
    assert "a total or mean of the day" in tally.examples[BAD_TIMESTAMP][0]
    lines = [line for n, line in enumerate(lines) if n != 3]
    for order in (lines, lines[::-1]):  # midnights, as spreadsheets write them
        (tmp_path / "a.csv").write_text("time,FT-2\n" + "".join(f"{line},1\n" for line in order))
        rows, tally = read_file(tmp_path / "a.csv", {"shape": "wide", "ts": {"path": "time", "format": format}})
        assert len(rows) == 5 and not tally.rejected


HALVES = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
ORDERED: dict[str, Any] = {"ts": {"path": "t", "timezone": "Europe/Berlin", "ambiguous": "order"}}


@pytest.mark.parametrize(
    ("name", "text", "mapping"),
    [
        ("a.jsonl", "".join(json.dumps({"t": f"2026-10-25 {t}", "FT-2": n}) + "\n" for n, t in enumerate(HALVES)),
         {"shape": "wide", **ORDERED}),
        ("a.json", json.dumps([{"t": f"2026-10-25 {t}", "tag": "FT-2", "v": n} for n, t in enumerate(HALVES)]),
         {**LONG, **ORDERED}),
        ("a.json", json.dumps({"tag": "FT-2", "Items": [{"t": f"2026-10-25 {t}", "v": n}
                                                        for n, t in reversed([*enumerate(HALVES)])]}),
         {**LONG, **ORDERED, "records": "Items"}),
    ],
)  # fmt: skip
def test_the_order_of_records_in_json(tmp_path, name, text, mapping):
    (tmp_path / name).write_text(text)
    rows, tally = read_table("json", tmp_path / name, mapping)
    start = 1_792_884_600_000
    assert sorted((ts - start) // 1_800_000 for *_, ts, _ in rows) == list(range(6)) and not tally.rejected
    assert all(value == (ts - start) // 1_800_000 for *_, ts, value in rows)


def test_an_order_of_records_that_does_not_show_it(tmp_path):
    records = [{"t": f"2026-10-25 {t}", "tag": "FT-2", "v": n} for n, t in enumerate(["01:00", "02:20", "04:20"])]
    (tmp_path / "a.json").write_text(json.dumps({"Items": records, "tag": "FT-2"}))
    rows, tally = read_table("json", tmp_path / "a.json", {**LONG, **ORDERED, "records": "Items"})
    assert len(rows) == 2 and tally.rejected == {BAD_TIMESTAMP: 1}
    (example,) = tally.examples[BAD_TIMESTAMP]
    assert example.startswith("a.json:Items[1]: the local time occurs twice") and "divide the source" in example
