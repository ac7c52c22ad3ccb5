"""Tables that do not begin with a header in the first line: `table` of a source, comments, several headers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.csv_files import read_file
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.csv import importer as csv_module

PAGE = (Path(__file__).parents[3] / "docs" / "readings.md").read_text(encoding="utf-8")
T0 = 1767420000000  # 2026-01-03T06:00:00Z
WIDE = {"shape": "wide", "asset": {"const": "p1"}}
LONG = {"tag": {"path": "tag"}}
FLOWS = [("p1", "flow", T0, 1.0), ("p1", "flow", T0 + 1000, 2.0)]
BOTH = [("p1", "flow", T0, 1.0), ("p1", "pressure", T0, 5.0)]
A, B = "2026-01-03T06:00:00Z", "2026-01-03T06:00:01Z"
NUMBERED = {"shape": "wide", "asset": {"const": "p1"}, "ts": {"path": "column 1"}}


def read(folder, text, readings=WIDE, block=None, head=None, **source):
    """(readings, tally) of a file; `block`, `head`: bytes read at a time, below and for the header."""
    path = folder / "a.csv"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        for name, count in (("BLOCK_BYTES", block), ("HEAD_BYTES", head)):
            if count is not None:
                patch.setattr(csv_module, name, count)
        return read_file(path, readings, **source)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        (f"plant 7\nshift A\nts,flow\n{A},1\n{B},2\n", {"table": {"skip": 2}}, FLOWS),
        (f"{A},1\n{B},2\n", {"table": {"names": ["ts", "flow"]}}, FLOWS),
        (f"{A},9,1\n{B},9,2\n", {"table": {"names": ["ts", None, "flow"]}}, FLOWS),
        (f"{A};1;\n{B};2;\n", {"delimiter": ";", "table": {"names": ["ts", "flow"]}}, FLOWS),
        (f"old;names\n{A};1\n{B};2\n", {"delimiter": ";", "table": {"names": ["ts", "flow"], "skip": 1}}, FLOWS),
        (f'# by x\nts,flow\n# 3" pipe\n{A},1\n  # note\n{B},2\n# end\n', {"table": {"comment": "#"}}, FLOWS),
        (f'"# one, two"\n*\nts,flow\n{A},1\n{B},2\n', {"table": {"comment": ["#", "*"]}}, FLOWS),
        (f"a,b\n[Data]\r\nts,flow\r\n{A},1\r\n{B},2\r\n", {"table": {"after": "[Data]"}}, FLOWS),
        (f"[Data],,\nunit 1\nts,flow\n{A},1\n{B},2\n", {"table": {"after": "[Data]", "skip": 1}}, FLOWS),
        (f"ts,flow\n{A},1\n{B},2\nTotal: 2\nmean,1.5\n", {"table": {"until": "Total"}}, FLOWS),
        (f"ts,flow\n,bar\n{A},1\n{B},2\n", {"table": {"data": 3}}, FLOWS),
        (f"Site,7\n\nts,flow\nTS,m3\nx,Avg\n{A},1\n{B},2\n", {"table": {"header": 2, "data": 5}}, FLOWS),
        (f"ts,1,2\n,flow,pressure\n{A},1,5\n", {"table": {"header": 2}, "readings": NUMBERED}, BOTH),
        (f"sep=,\n{A},1\n{B},2\n", {"table": {"names": ["ts", "flow"]}}, FLOWS),
        (f"  ts    flow\n {A}   1\n\t{B}  \t 2  ", {"delimiter": "blanks"}, FLOWS),
        (f'ts "x  y" flow\n{A} "a  b" 1 \n{B} , 2\n', {"delimiter": "blanks"}, FLOWS),
        (f"ts flow\n{A}    1\n", {"delimiter": "blanks", "table": {"skip": 1, "names": ["ts", "flow"]}}, FLOWS[:1]),
        (f"ts,flow\r{A},1\r#\r{B},2\r", {"table": {"comment": "#"}}, FLOWS),
        (f'\r\nts,flow\r\n,,,\r\n{A},1\r\n,\r\n" ",\r\n{B},2\r\n,,\r\n', {}, FLOWS),
    ],
)
@pytest.mark.parametrize("block", [None, 7])
def test_a_table_is_found_where_the_settings_say(tmp_path, text, source, expected, block):
    rows, tally = read(tmp_path, text, **{"block": block, **source})
    assert sorted(rows) == sorted(expected)
    assert dict(tally.rejected) == {}
    assert (tally.records, tally.lost) == (len({ts for _, _, ts, _ in rows}), 0)


def test_header_rows_are_joined_and_merged_cells_continue(tmp_path):
    table = {"table": {"header": [1, 2]}}
    text = f"ts,FT,,motor,note\n,-2,old,current,\n{A},1,9,3,x\n"
    tags = {"shape": "wide", "asset": {"const": "p1"}, "ignore": ["FT -2", "FT old", "note"]}
    rows, tally = read(tmp_path, text, tags, **table)
    assert rows == [("p1", "motor current", T0, 3.0)]
    assert tally.unknown_columns == []


@pytest.mark.parametrize(
    ("text", "source", "message"),
    [
        (f"x\nts,flow\n{A},1\n", {"table": {"after": "[Data]"}}, r"no line begins with '\[Data\]'.*after"),
        ("x\ny\n", {"table": {"header": 3}}, "header should be in row 3, but there are only 2 rows"),
        ("# x\n# y\n", {"table": {"comment": "#"}}, "header should be in row 1, but there are only 0 rows"),
        (f"{A},1\n", {}, r"no column 'ts'.*looks like readings.*table: \{names: \[ts, column_2\]\}"),
        (f"a\nb\nts,flow\n{A},1\n", {}, r"line 3 looks like the header: set `table: \{skip: 2\}`"),
        (f"{A},1,2\n{B},1,2\n", {"table": {"names": ["ts", "flow"]}}, r"a\.csv:1: 3 fields, but `table.names` has 2"),
        (f"{A};1\n", {"table": {"names": ["ts", "flow"]}}, '; looks like the delimiter: set `delimiter: ";"`'),
        (f"ts;flow\n{A};1\n", {}, '; looks like the delimiter: set `delimiter: ";"`'),
        (f"ts\tflow\n{A}\t1\n", {"delimiter": ";"}, r'delimiter: "\\t"'),
        (f"ts     flow\n{A}     1\n", {}, "any number of blanks looks like the delimiter: set `delimiter: blanks`"),
        (f"ts,flow\n{A},1\nts,Flow,time\n", {"table": {"header": [1, 2], "data": 3}}, "no column 'ts'"),
    ],
)
def test_a_table_that_is_not_there_fails_with_what_to_write(tmp_path, text, source, message):
    with pytest.raises(EugenieError) as raised:
        read(tmp_path, text, **source)
    assert re.search(message, f"{raised.value.reason} {raised.value.hint}", re.DOTALL)


@pytest.mark.parametrize(
    ("text", "source", "place"),
    [
        (f"*tag,ts,value\n*FT-2,{A},1\nFT-2,{B},2\n", {"table": {"comment": "*", "names": ["tag", "ts", "value"]}}, 2),
        (f"tag,ts,value\nFT-2,{B},2\nend\nFT-2,{A},1\n", {"table": {"until": "end"}}, 4),
    ],
)
def test_an_unread_line_that_reads_as_a_row_is_rejected(tmp_path, text, source, place):
    rows, tally = read(tmp_path, text, LONG, **source)
    assert rows == [("p2", "flow", T0 + 1000, 2.0)]
    (example,) = tally.examples["missing-field"]
    assert example.startswith(f"a.csv:{place}: ")
    assert "reads as a row: correct `table." in example


@pytest.mark.parametrize(
    "table",
    [
        {"skip": -1},
        {"header": []},
        {"header": [2, 1]},
        {"header": 0},
        {"header": 3, "data": 3},
        {"data": 1},
        {"names": []},
        {"names": ["ts", "ts"]},
        {"names": ["ts"], "header": 2},
        {"names": ["ts"], "data": 2},
        {"comment": ""},
        {"after": "a\nb"},
        {"unknown": 1},
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path, table):
    with pytest.raises(ValueError, match=r"table"):
        pump_site(tmp_path, [{"name": "s", "type": "csv", "path": "x", "table": table}])


@pytest.mark.parametrize("line", re.findall(r"^table: .*", PAGE, re.MULTILINE))
def test_an_example_on_the_page_is_valid(tmp_path, line):
    pump_site(tmp_path, [{"name": "s", "type": "csv", "path": "x", **yaml.safe_load(line)}])


def test_unused_settings_do_not_change_a_source(tmp_path):
    def dumped(**source):
        return pump_site(tmp_path, [{"name": "s", "type": "csv", "path": "x", **source}]).sources[0].model_dump()

    assert "table" not in dumped()
    assert dumped(table={"comment": "#"})["table"] == {"comment": ("#",)}


# -- several headers -------------------------------------------------------------------------------------


def test_a_repeated_header_and_its_units_are_no_records(tmp_path):
    text = f"ts,flow\n,bar\n{A},1\nts,flow\n,bar\n{B},2\n"
    rows, tally = read(tmp_path, text, table={"data": 3})
    assert rows == FLOWS
    assert (tally.records, tally.lost, dict(tally.rejected)) == (2, 0, {})


@pytest.mark.parametrize("block", [None, 30])
def test_rows_below_a_changed_header_belong_to_its_columns(tmp_path, block):
    text = f"ts,flow,pressure\n{A},1,5\nts,pressure,flow\n{B},6,2\nkaputt,1,1\nts,flow,x,pressure\n{A},3,0,7\n"
    rows, tally = read(tmp_path, text, block=block)
    assert sorted(rows) == sorted(
        [
            *BOTH,
            ("p1", "flow", T0 + 1000, 2.0),
            ("p1", "pressure", T0 + 1000, 6.0),
            ("p1", "flow", T0, 3.0),
            ("p1", "pressure", T0, 7.0),
        ]
    )
    assert dict(tally.rejected) == {"bad-timestamp": 1}
    assert tally.examples["bad-timestamp"][0].startswith("a.csv:5: ")
    assert tally.unknown_columns == ["x"]


def test_headers_of_different_lengths_are_read_in_the_order_of_lines(tmp_path):
    text = f"ts,flow,x\nts,flow\n{A},1\nts,x,flow\n{B},9,2\n"
    rows, tally = read(tmp_path, text, {**WIDE, "ignore": ["x"]})
    assert rows == FLOWS
    assert (tally.records, dict(tally.rejected)) == (2, {})


def test_a_changed_header_without_a_needed_column_fails_with_its_line(tmp_path):
    with pytest.raises(EugenieError, match=r"a\.csv:3: there is no column 'ts'.*columns: Time, flow"):
        read(tmp_path, f"ts,flow\n{A},1\nTime,flow\n{B},2\n")


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    tables=st.lists(
        st.tuples(st.permutations(["ts", "flow", "pressure", "note"]), st.integers(0, 3)), min_size=1, max_size=5
    ),
    block=st.integers(5, 200),
)
def test_tables_one_below_the_other_are_read_like_files(tmp_path_factory, tables, block):
    folder, text, expected, second = tmp_path_factory.mktemp("tables"), "", [], 0
    for names, count in tables:
        text += ",".join(names) + "\n"
        for _ in range(count):
            cells = {"ts": f"2026-01-03T06:00:{second:02}Z", "flow": second, "pressure": second + 0.5, "note": "x"}
            text += ",".join(str(cells[name]) for name in names) + "\n"
            expected += [("p1", name, T0 + 1000 * second, float(cells[name])) for name in ("flow", "pressure")]
            second += 1
    for read_at_a_time in (None, block):
        rows, tally = read(folder, text, {**WIDE, "ignore": ["note"]}, block=read_at_a_time)
        assert sorted(rows) == sorted(expected)
        assert (tally.records, tally.lost) == (second, 0)


ANNOTATED = """\
#group,false,false,true,true,false,false,true\r
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string\r
#default,_result,,,,,,\r
,result,table,_start,_stop,_time,_value,tag\r
,,0,{a},{b},{a},1,FT-2\r
,,0,{a},{b},{b},2,FT-2\r
\r
#group,false,false,true,true,false,true,true,false\r
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,string,string,double\r
#default,_result,,,,,,,\r
,result,table,_start,_stop,_time,unit,tag,_value\r
,,1,{a},{b},{a},bar,PT-2,5\r
"""


@pytest.mark.parametrize("block", [None, 11])
def test_influx_annotated_csv_is_read_without_a_setting(tmp_path, block):
    readings = {"tag": {"path": "tag"}, "ts": {"path": "_time"}, "value": {"path": "_value"}}
    rows, tally = read(tmp_path, ANNOTATED.format(a=A, b=B), readings, block=block)
    assert rows == [("p2", "flow", T0, 1.0), ("p2", "flow", T0 + 1000, 2.0), ("p2", "pressure", T0, 5.0)]
    assert dict(tally.rejected) == {}


def test_an_influx_error_in_the_middle_of_the_results_is_not_silent(tmp_path):
    readings = {"tag": {"path": "tag"}, "ts": {"path": "_time"}, "value": {"path": "_value"}}
    text = ANNOTATED.format(a=A, b=B) + "\r\n#datatype,string,string\r\n,error,reference\r\n,query timed out,897\r\n"
    _, tally = read(tmp_path, text, readings)
    assert "query timed out" in " ".join(tally.examples["missing-field"])
