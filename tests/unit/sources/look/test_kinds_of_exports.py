"""Exports as historians, loggers and spreadsheets write them: the proposal reads what was written, or says what to
check."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.looked import checks, imported, looked, questions

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.look.first_bytes import type_of

pytestmark = pytest.mark.slow  # seconds together

T = 1_772_355_600_000  # 2026-03-01T09:00:00Z
ISO = "2026-03-01 09:00:0"
PLAIN = {("F1.PV", T): 1.5, ("F1.PV", T + 1_000): 2.5}
TWO = {("F1.PV", T): 1.5, ("F2.PV", T): 10.0, ("F1.PV", T + 1_000): 2.5, ("F2.PV", T + 1_000): 11.0}
HALF_BAD = {("F1.PV", T): 1.5, ("F1.PV", T + 1_000): None}
ZONE = ["timezone"]

WIDE = f"time,F1.PV,F2.PV\n{ISO}0,1.5,10\n{ISO}1,2.5,11\n"
GERMAN = "Zeit;F1.PV\n01.03.2026 09:00:00;1,5\n01.03.2026 09:00:01;2,5\n14.03.2026 09:00:00;3,25\n"
GERMAN_READ = {**PLAIN, ("F1.PV", T + 13 * 86_400_000): 3.25}

# name: (content, readings, keys to check)
CASES = {
    "plain": (WIDE, TWO, ZONE),
    "offsets": (WIDE.replace("0,1.5", "0Z,1.5").replace("1,2.5", "1Z,2.5"), TWO, []),
    "german": (GERMAN, GERMAN_READ, ZONE),
    "byte order mark, quoted": (f'\ufeff"time","F1.PV"\r\n"{ISO}0","1.5"\r\n"{ISO}1","2.5"\r\n', PLAIN, ZONE),
    "utf-16, tabs": (WIDE.replace(",", "\t").encode("utf-16"), TWO, ZONE),
    "utf-16 without a mark": (WIDE.replace(",", "\t").encode("utf-16-le"), TWO, ZONE),
    "lone carriage returns": (WIDE.replace("\n", "\r"), TWO, ZONE),
    "sep=": ("sep=|\n" + WIDE.replace(",", "|"), TWO, ZONE),
    "blanks": ("time            F1\n2026-03-01T09:00:00Z   1.5\n2026-03-01T09:00:01Z  2.5\n",
               {("F1", T): 1.5, ("F1", T + 1_000): 2.5}, []),
    "a fixed width, date and time below one name": (
        f"Timestamp            F1.PV     note\n{ISO}0      1.5       7\n{ISO}1     2.5       8\n",
        {**PLAIN, ("note", T): 7.0, ("note", T + 1_000): 8.0}, ZONE),
    "a date and a time below one name": (
        "when;F1.PV\n[s];[bar]\n01.03.2026;09:00:00;1,5\n01.03.2026;09:00:01;2,5\n", PLAIN, ZONE),
    "delimiter at the end of rows": (f"time;F1.PV\n{ISO}0;1.5;\n{ISO}1;2.5;\n", PLAIN, ZONE),
    "lines above": (
        f"Report of line 3\nmade: 2026-03-02\n\ntime,F1.PV,F2.PV\n{ISO}0,1.5,10\n{ISO}1,2.5,11\n", TWO, ZONE),
    "section": (f"*comment\n[Data]\ntime,F1.PV\n{ISO}0,1.5\n{ISO}1,2.5\n*end\n", PLAIN, ZONE),
    "units below": (f"time,F1.PV,F2.PV\n,bar,A\n{ISO}0,1.5,10\n{ISO}1,2.5,11\n", TWO, ZONE),
    "logger with four header rows": (
        f'"TOA5","CR1000","x"\n"TIMESTAMP","RECORD","F1.PV"\n"TS","RN","bar"\n"","","Avg"\n"{ISO}0",1,1.5\n"{ISO}1",2,2.5\n',
        PLAIN, ["ignore", "timezone"]),
    "names in the second row": (
        "Date,Time,1,2\n,,F1.PV,F2.PV\n,,INT,INT\n2026/03/01,09:00:00,1.5,10\n2026/03/01,09:00:01,2.5,11\n", TWO, ZONE),
    "merged cells above names that repeat": (
        ",F1,,F2,\nTime,PV,SP,PV,SP\n2026-03-01T09:00:00Z,1,2,3,4\n",
        {("F1 PV", T): 1.0, ("F1 SP", T): 2.0, ("F2 PV", T): 3.0, ("F2 SP", T): 4.0}, []),
    "a table of tags above": (
        f"TagName,Description,Units\nF1.PV,Flow,m3/h\n\nDateTime,F1.PV\n{ISO}0,1.5\n{ISO}1,2.5\n", PLAIN, ZONE),
    "ticks of .NET": ("time,F1.PV\n639079524000000000,1.5\n639079524010000000,2.5\n", PLAIN, ZONE),
    "ticks, in UTC by their name": ("time_utc,F1.PV\n639079524000000000,1.5\n639079524010000000,2.5\n", PLAIN, []),
    "seconds of LabVIEW": ("time,F1.PV\n3855200400.0,1.5\n3855200401.0,2.5\n", PLAIN, []),
    "days of MATLAB": ("time,F1.PV\n740042.3750000000,1.5\n740042.3750115741,2.5\n", PLAIN, ZONE),
    "Julian days": ("time,F1.PV\n2461100.87500000,1.5\n2461100.87501157,2.5\n", PLAIN, []),
    "modified Julian days": ("time,F1.PV\n61100.37500000,1.5\n61100.37501157,2.5\n", PLAIN, []),
    "file times of Windows": ("time,F1.PV\n134168292000000000,1.5\n134168292010000000,2.5\n", PLAIN, []),
    "a name twice": (
        f"time,F1.PV,F1.PV\n{ISO}0,1.5,7\n", {("F1.PV", T): 1.5, ("F1.PV 2", T): 7.0}, ["readings", "timezone"]),
    "begin and end": (
        "tag,start,end,value\nF1.PV,2026-03-01T09:00:00Z,2026-03-01T09:10:00Z,1.5\n", {("F1.PV", T): 1.5}, ["ts"]),
    "machine and tag": (
        "machine,tag,time,value\nP1,F1,2026-03-01T09:00:00Z,1\nP1,F2,2026-03-01T09:00:00Z,2\n"
        "P2,F3,2026-03-01T09:00:00Z,3\n",
        {("F1", T): 1.0, ("F2", T): 2.0, ("F3", T): 3.0}, []),
    "status of a machine": (
        "time,F1,status\n2026-03-01T09:00:00Z,1,0\n2026-03-01T09:00:01Z,2,1\n",
        {("F1", T): 1.0, ("F1", T + 1_000): 2.0, ("status", T): 0.0, ("status", T + 1_000): 1.0}, []),
    "no header": (f"{ISO}0;F1.PV;1.5\n{ISO}1;F1.PV;2.5\n", PLAIN, ["table", "timezone"]),
    "tag and value pairs": (f"{ISO}0;F1.PV;1.5;F2.PV;10;\n{ISO}1;F1.PV;2.5;F2.PV;11;\n", TWO, ["table", "timezone"]),
    "line break in a cell": (
        f'time,F1.PV,note\n{ISO}0,1.5,"called\nthe shift"\n{ISO}1,2.5,\n', PLAIN, ["ignore", "timezone"]),
    "instant and value of each tag, by place": (
        "F1.PV,,F2.PV,\n01-Mar-26 09:00:00,1.5,01-Mar-26 09:00:02,10\n01-Mar-26 09:00:01,2.5,01-Mar-26 09:00:03,11\n",
        {("F1.PV", T): 1.5, ("F1.PV", T + 1_000): 2.5, ("F2.PV", T + 2_000): 10.0, ("F2.PV", T + 3_000): 11.0}, ZONE),
    "the same, with names of instants": (
        f"Time,F1.PV,Time,F2.PV\n{ISO}0,1.5,{ISO}2,10\n{ISO}1,2.5,{ISO}3,11\n",
        {("F1.PV", T): 1.5, ("F1.PV", T + 1_000): 2.5, ("F2.PV", T + 2_000): 10.0, ("F2.PV", T + 3_000): 11.0}, ZONE),
    "columns of each tag, by name": (
        "id,F1_VALUE,F1_TIMESTAMP,F1_QUALITY,F2_VALUE,F2_TIMESTAMP,F2_QUALITY\n"
        f"1,1.5,{ISO}0,192,10,{ISO}0.5,192\n2,0,{ISO}1,0,11,{ISO}1.5,192\n",
        {("F1", T): 1.5, ("F1", T + 1_000): None, ("F2", T + 500): 10.0, ("F2", T + 1_500): 11.0}, ZONE),
    "quality beside each tag": (f"time,F1.PV,F1.PV_Q\n{ISO}0,1.5,192\n{ISO}1,7,0\n", HALF_BAD, ZONE),
    "long": (f"Tag,Timestamp,Value,Quality\nF1.PV,{ISO}0,1.5,Good\nF1.PV,{ISO}1,7,Bad\n", HALF_BAD, ZONE),
    "long, status codes": (
        f"NodeId,SourceTimestamp,Value,StatusCode\nF1.PV,{ISO}0Z,1.5,0\nF1.PV,{ISO}1Z,,2150891520\n", HALF_BAD, []),
    "long, value columns by type": (
        "tagpath,intvalue,floatvalue,dataintegrity,t_stamp\n"
        f"F1.PV,,1.5,192,{T}\nF1.PV,,7,0,{T + 1000}\nF2.PV,10,,192,{T}\n",
        {**HALF_BAD, ("F2.PV", T): 10.0}, []),
    "data log of FactoryTalk": (
        '"Date";"Time";"Millitm";"Tagname";"Value";"Status";"Marker"\n'
        "03/01/2026;09:00:00;0;F1.PV;1.5;;B\n03/01/2026;09:00:01;0;F1.PV;0;U;\n03/14/2026;09:00:00;250;F1.PV;2;;E\n",
        {**HALF_BAD, ("F1.PV", T + 13 * 86_400_000 + 250): 2.0}, ZONE),
    "log of WinCC": (
        '"VarName";"TimeString";"VarValue";"Validity";"Time_ms"\n'
        '"F1.PV";"01.03.2026 09:00:00";1,5;1;46082375000\n"F1.PV";"01.03.2026 09:00:01";7,0;0;46082375011,5741\n'
        '"F1.PV";"01.03.2026 09:00:01";2,5;1;46082375017,3611\n"$RT_OFF$";"01.03.2026 09:00:02";0;2;46082375023,1481\n',
        {("F1.PV", T): 1.5, ("F1.PV", T + 1_000): None, ("F1.PV", T + 1_500): 2.5}, ZONE),
    "annotated CSV": (
        "#group,false,false,false,false,true,true\n#datatype,string,long,dateTime:RFC3339,double,string,string\n"
        "#default,_result,,,,,\n,result,table,_time,_value,_field,asset\n"
        ",,0,2026-03-01T09:00:00Z,1.5,F1.PV,pump-1\n,,0,2026-03-01T09:00:01Z,2.5,F1.PV,pump-1\n",
        PLAIN, []),
    "spreadsheet days": ("time,F1.PV\n46082.375,1.5\n46082.3750115741,2.5\n", PLAIN, ZONE),
    "milliseconds": (f"time,F1.PV\n{T},1.5\n{T + 1000},2.5\n", PLAIN, []),
    "seconds": (f"ts,F1.PV\n{T // 1000},1.5\n{T // 1000 + 1},2.5\n", PLAIN, []),
    "AM and PM, months first": (
        "time,F1.PV\n3/1/2026 9:00:00 AM,1.5\n3/1/2026 9:00:01 AM,2.5\n3/14/2026 9:00:00 PM,3\n",
        {**PLAIN, ("F1.PV", T + 13 * 86_400_000 + 43_200_000): 3.0}, ZONE),
    "text of a Java date": (
        "t_stamp,F1.PV\nSun Mar 01 10:00:00 CET 2026,1.5\nSun Mar 01 10:00:01 CET 2026,2.5\n", PLAIN, ZONE),
    "the word UTC": (f"time,F1.PV\n{ISO}0 UTC,1.5\n{ISO}1 UTC,2.5\n", PLAIN, []),
    "Turkish months": ("time,F1.PV\n01-Mar-2026 09:00:00,1.5\n01-Mar-2026 09:00:01,2.5\n15-Ağu-2026 09:00:00,3\n",
                       {**PLAIN, ("F1.PV", T + 167 * 86_400_000): 3.0}, ZONE),
    "midnight without a time": ("time;F1.PV\n28.02.2026 23:59:59;1.5\n01.03.2026;2.5\n",
                                {("F1.PV", T - 32_401_000): 1.5, ("F1.PV", T - 32_400_000): 2.5}, ZONE),
    "compact": ("time,F1.PV\n20260301T090000,1.5\n20260301T090001,2.5\n", PLAIN, ZONE),
    "thousands": (
        f'time;F1.PV\n{ISO}0;"1.012,5"\n{ISO}1;950\n', {("F1.PV", T): 1012.5, ("F1.PV", T + 1_000): 950.0}, ZONE),
    "units behind numbers": (f"time,F1.PV\n{ISO}0,1.5 bar\n{ISO}1,2.5 bar\n", PLAIN, ZONE),
    "ON and OFF": (f"time,F1.PV\n{ISO}0,ON\n{ISO}1,OFF\n", {("F1.PV", T): 1.0, ("F1.PV", T + 1_000): 0.0}, ZONE),
    "states": (f"Tag,Timestamp,Value\nF1.PV,{ISO}0,OPEN\nF1.PV,{ISO}1,CLOSED\n",
               {("F1.PV", T): 1.0, ("F1.PV", T + 1_000): 0.0}, ["timezone", "value"]),
    "status texts": (f"Tag,Timestamp,Value\nF1.PV,{ISO}0,1.5\nF1.PV,{ISO}1,I/O Timeout\n", HALF_BAD, ZONE),
    "-9999": (f"time,F1.PV\n{ISO}0,1.5\n{ISO}1,-9999\n", HALF_BAD, ["timezone", "value"]),
    "a row of NUL bytes": (f"time,F1.PV\n{ISO}0,1.5\n" + "\0" * 40 + f"\n{ISO}1,2.5\n", PLAIN, ZONE),
    "an open quote": (
        f'time,F1.PV\n{ISO}0,1.5\n{ISO}1,2.5\n{ISO}2,"3\n{ISO}3,4.5\n', {**PLAIN, ("F1.PV", T + 3_000): 4.5}, ZONE),
    "an hour that is repeated": (
        "time,F1.PV\n2026-10-25 01:30:00,1\n2026-10-25 02:00:00,2\n2026-10-25 02:30:00,3\n2026-10-25 02:00:00,4\n"
        "2026-10-25 02:30:00,5\n2026-10-25 03:00:00,6\n",
        {("F1.PV", 1_792_884_600_000 + 1_800_000 * n): float(n + 1) for n in range(6)}, ZONE),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_proposal_reads_what_was_written(tmp_path, name):
    content, readings, to_check = CASES[name]
    found = looked(tmp_path, {"a.csv": content})
    assert found.is_right, found.refused
    assert imported(tmp_path, found)[0] == readings
    assert checks(found) == to_check, questions(found)


def test_columns_and_rows_of_other_kinds_of_files(tmp_path):
    records = [{"tag": "F1.PV", "ts": T, "value": 1.5}, {"tag": "F1.PV", "ts": T + 1_000, "value": 2.5}]
    columns = pa.table({"time": pa.array([T, T + 1_000], pa.timestamp("ms", "UTC")), "F1.PV": [1.5, 2.5]})
    buffer, archive = io.BytesIO(), io.BytesIO()
    pq.write_table(columns, buffer)
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("in.csv", WIDE)
    no_data = {"Name": "No Data", "Value": 248}
    items = {"Items": [{"Timestamp": "2026-03-01T09:00:00Z", "Value": 1.5, "Good": True},
                       {"Timestamp": "2026-03-01T09:00:01Z", "Value": no_data, "Good": False}]}  # fmt: skip
    nested = [{"ts": "2026-03-01T09:00:00Z", "values": {"F1.PV": 1.5, "F2.PV": 10}},
              {"ts": "2026-03-01T09:00:01Z", "values": {"F1.PV": 2.5, "F2.PV": 11}}]  # fmt: skip
    kinds = {
        "lines.jsonl": ("\n".join(map(json.dumps, records)).encode(), PLAIN, []),
        "array.json": (json.dumps(records).encode(), PLAIN, []),
        "F1.PV.json": (json.dumps(items).encode(), HALF_BAD, ["tag"]),
        "nested.json": (json.dumps(nested).encode(), TWO, []),
        "a.parquet": (buffer.getvalue(), PLAIN, []),
        "a.csv.gz": (gzip.compress(WIDE.encode()), TWO, ZONE),
        "a.zip": (archive.getvalue(), TWO, ZONE),
    }
    for name, (content, readings, to_check) in kinds.items():
        folder = tmp_path / name.replace(".", "-")
        found = looked(folder, {name: content})
        assert found.is_right, (name, found.refused)
        assert imported(folder, found)[0] == readings, name
        assert checks(found) == to_check, (name, questions(found))


REFUSED = {
    "empty": (b"", "is empty"),
    "a header alone": (b"time,F1.PV\n", "no readings below its header"),
    "dates alone": (b"time,F1.PV\n01.03.2026,1.5\n02.03.2026,1.6\n", "without a time of day"),
    "times of day alone": (b"time,F1.PV\n09:00:00,1.5\n09:00:01,1.6\n", "without a date"),
    "no instants": (b"name;value\nF1.PV;1.5\nF2.PV;2.5\n", "none of its rows has an instant"),
    "no values": (b"time;note\n2026-03-01 09:00:00;started\n2026-03-01 10:00:00;went home\n", "no column has numbers"),
    "a status behind each number": (
        b"time,F1,F2\n2026-03-01 09:00:00,1.5 [Good],2.5 [Bad]\n2026-03-01 09:00:01,1.6 [Good],2.7 [Good]\n",
        "numbers are followed by their status, such as '1.5 [Good]'"),
    "LabVIEW": (b"LabVIEW Measurement\t\nWriter_Version\t2\n", "a LabVIEW measurement file"),
    "a decimal comma between commas": (
        b"time,F1,F2\n2026-03-01 09:00:00,1,5,2,5\n2026-03-01 09:00:01,1,6,2,7\n", "decimal sign"),
    "HTML": (b"<html><body><table><tr><td>time</td></tr></table>", "HTML"),
    "a PDF": (b"%PDF-1.7 x", "a PDF"),
    "a database": (b"SQLite format 3\0", "SQLite"),
    "7-Zip": (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    "gzip by another name": (gzip.compress(b"time"), "gzip"),
    "cut off": (b"\x1f\x8b\x08\0", "gzip"),
    "not text": (bytes(range(1, 32)) * 20, "not text"),
    "prose": (b"Dear all,\nplease find the readings below.\n", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_source_reads_is_refused_with_what_to_do(tmp_path, name):
    content, words = REFUSED[name]
    found = looked(tmp_path, {"a.xls": content})
    assert found.proposals == [] and not found.is_right
    (refusal,) = found.refused
    assert words in refusal.why and refusal.next


def test_a_workbook_is_recognized_by_its_first_bytes(tmp_path):
    path = tmp_path / "a.csv"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("xl/workbook.xml", "")
    assert type_of(path) == "excel"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(EugenieError, match="damaged"):
        type_of(path)
