"""Workbooks: sheets, headers, the types of cells, merged and empty cells, damaged files and files of other kinds."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from support.table_files import read

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.excel import columns

T0 = 1_767_416_400_000  # 2026-01-03T06:00:00 in Berlin
WIDE = {"shape": "wide", "asset": {"file": "{stem}"}, "ts": {"path": "time"}}
SIX = dt.datetime(2026, 1, 3, 6)


def book(path: Path, sheets: dict[str, list[list[Any]]], merged: tuple[str, ...] = (), mac: bool = False) -> Path:
    """Write a workbook; `merged`: areas of its first sheet."""
    workbook = Workbook()
    if mac:
        workbook.epoch = CALENDAR_MAC_1904
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    for area in merged:
        workbook.worksheets[0].merge_cells(area)
    workbook.save(path)
    return path


def test_cells_are_read_with_their_types(tmp_path):
    rows = [
        ["time", "FT-2", "PT-2", "IT-2", "remark"],
        [SIX, 1.5, 3, True, "start"],
        [SIX + dt.timedelta(seconds=1, milliseconds=250), "2.5", "No Data", False, None],
        [None, None, None, None, None],
        [SIX + dt.timedelta(seconds=2), None, 4, None, None],
    ]
    found, tally = read("excel", book(tmp_path / "p2.xlsx", {"data": rows}), WIDE)
    assert found == [
        ("p2", "flow", T0, 1.5),
        ("p2", "flow", T0 + 1_250, 2.5),
        ("p2", "flow", T0 + 2_000, None),
        ("p2", "motor current", T0, 1.0),
        ("p2", "motor current", T0 + 1_250, 0.0),
        ("p2", "motor current", T0 + 2_000, None),
        ("p2", "pressure", T0, 3.0),
        ("p2", "pressure", T0 + 1_250, None),
        ("p2", "pressure", T0 + 2_000, 4.0),
    ]
    assert (tally.records, tally.unknown_columns, dict(tally.rejected)) == (3, ["remark"], {})


@pytest.mark.parametrize("header", [None, 1])
def test_each_tag_has_a_column_of_instants(tmp_path, header):
    rows = [["time", "FT-2", "time", "PT-2"], [SIX, 1.5, SIX + dt.timedelta(seconds=1), 2], [None, None, SIX, 3]]
    mapping = {"shape": "wide", "columns": {"repeat": ["ts", "value"]}}
    more = {} if header is None else {"header": header}
    found, tally = read("excel", book(tmp_path / "a.xlsx", {"data": rows}), mapping, **more)
    expected = [("p2", "flow", T0, 1.5), ("p2", "pressure", T0, 3.0), ("p2", "pressure", T0 + 1000, 2.0)]
    assert (sorted(found), dict(tally.rejected)) == (expected, {})


def test_names_that_are_numbers_are_text(tmp_path):
    rows = [["when", "machine", "sensor", "value"], [SIX, "p1", "flow", 1], [SIX, 7, "flow", 1], [SIX, "p1", 101, 2]]
    mapping = {"ts": {"path": "when"}, "asset": {"path": "machine"}, "sensor": {"path": "sensor"}}
    found, tally = read("excel", book(tmp_path / "a.xlsx", {"data": rows}), mapping)
    assert found == [("p1", "flow", T0, 1.0)]
    assert tally.examples["unknown-tag"] == [
        "a.xlsx:data row 3: the site has no asset '7', sensor 'flow'",
        "a.xlsx:data row 4: the site has no asset 'p1', sensor '101'",
    ]


def test_timestamps_may_be_text_numbers_dates_or_in_two_columns(tmp_path):
    texts = [["time", "FT-2"], ["03.01.2026 06:00", 1], [SIX + dt.timedelta(minutes=1), 2]]
    mapping = {**WIDE, "ts": {"path": "time", "format": "%d.%m.%Y %H:%M"}}
    found, tally = read("excel", book(tmp_path / "p2.xlsx", {"data": texts}), mapping)
    assert found == [("p2", "flow", T0, 1.0), ("p2", "flow", T0 + 60_000, 2.0)]
    serial = [["time", "FT-2"], [46_025.25, 1]]  # days since 1899-12-30, in a cell without a date format
    found, _ = read(
        "excel", book(tmp_path / "p2.xlsx", {"d": serial}), {**WIDE, "ts": {"path": "time", "unit": "excel"}}
    )
    assert found == [("p2", "flow", T0, 1.0)]
    found, tally = read("excel", book(tmp_path / "p2.xlsx", {"d": serial}), WIDE)
    assert not found
    assert "with `unit: excel` it would be 2026-01-03" in tally.examples["bad-timestamp"][0]
    midnight = [["time", "FT-2"], [dt.date(2026, 1, 3), 1], [SIX, 2]]
    found, _ = read("excel", book(tmp_path / "p2.xlsx", {"d": midnight}), WIDE)
    assert [ts for _, _, ts, _ in found] == [T0 - 6 * 3_600_000, T0]


def test_the_system_that_counts_days_from_1904(tmp_path):
    path = book(tmp_path / "p2.xlsx", {"d": [["time", "FT-2"], [SIX, 1]]}, mac=True)
    assert read("excel", path, WIDE)[0] == [("p2", "flow", T0, 1.0)]


def test_merged_cells_count_as_the_value_that_they_show(tmp_path):
    mapping = {"ts": {"path": "time"}, "asset": {"const": "p2"}, "tag": {"path": "tag"}}
    rows = [["time", "tag", "value"], [SIX, "FT-2", 1], [None, "PT-2", 2]]
    found, _ = read("excel", book(tmp_path / "a.xlsx", {"d": rows}, merged=("A2:A3",)), mapping)
    assert found == [("p2", "flow", T0, 1.0), ("p2", "pressure", T0, 2.0)]
    found, tally = read("excel", book(tmp_path / "a.xlsx", {"d": rows}), mapping)  # empty, but not merged
    assert found == [("p2", "flow", T0, 1.0)]
    assert tally.examples["missing-field"] == ["a.xlsx:d row 3: no ts at 'time'"]


def test_the_header_is_found_below_a_title_or_given_by_its_rows(tmp_path):
    title = [["Report of the shift", None, None], [], ["time", "FT-2", "PT-2"], [SIX, 1, 2]]
    path = book(tmp_path / "p2.xlsx", {"data": title}, merged=("A1:C1",))
    assert read("excel", path, WIDE)[0] == [("p2", "flow", T0, 1.0), ("p2", "pressure", T0, 2.0)]
    two = [[None, "FT-2", None], ["time", "value", "state"], [SIX, 1, "Good"]]
    path = book(tmp_path / "p2.xlsx", {"data": two}, merged=("B1:C1",))
    mapping = {
        "ts": {"path": "time"},
        "tag": {"const": "FT-2"},
        "value": {"path": "FT-2 value"},
        "quality": {"path": "FT-2 state"},
    }
    assert read("excel", path, mapping, header=[1, 2])[0] == [("p2", "flow", T0, 1.0)]


def test_the_sheet_is_the_one_with_the_columns_or_given_by_name_or_number(tmp_path):
    data = [["time", "FT-2"], [SIX, 1]]
    other = [["time", "FT-2"], [SIX, 2]]
    path = book(tmp_path / "p2.xlsx", {"cover": [["Hello"]], "data": data, "empty": []})
    assert read("excel", path, WIDE)[0] == [("p2", "flow", T0, 1.0)]
    path = book(tmp_path / "p2.xlsx", {"one": data, "two": other})
    for sheet in ("two", 2):
        assert read("excel", path, WIDE, sheet=sheet)[0] == [("p2", "flow", T0, 2.0)]
    assert "several sheets have the columns of the mapping: 'one', 'two' (set `sheet`" in reason(path, WIDE)
    assert "has no sheet 'three'; sheets with cells: 'one', 'two' (correct `sheet`" in reason(path, WIDE, sheet="three")
    assert "has no sheet 3" in reason(path, WIDE, sheet=3)
    assert "no row of the sheet 'one' names the columns 'when'; row 1: time, FT-2; row 2:" in reason(
        path, {**WIDE, "ts": {"path": "when"}}
    )
    assert "sheet 'one': there is no column 'when' for ts; columns: time, FT-2 (correct `header`" in reason(
        path, {**WIDE, "ts": {"path": "when"}}, sheet=1, header=1
    )


def test_chunks_do_not_matter(tmp_path, monkeypatch):
    rows = [["time", "FT-2"], *([SIX + dt.timedelta(seconds=n), n if n % 3 else "x"] for n in range(20))]
    path = book(tmp_path / "p2.xlsx", {"d": rows})
    whole = read("excel", path, WIDE)
    monkeypatch.setattr("eugenie_cli.sources.excel.importer.BATCH_ROWS", 3)
    small = read("excel", path, WIDE)
    assert small[0] == whole[0]
    assert small[1].examples == whole[1].examples
    assert whole[1].examples["bad-value"][0].startswith("p2.xlsx:d row 2: FT-2: 'x'")


def test_repeated_and_missing_names_of_columns():
    assert columns.names_of([["a", None, "a", 101.0, " b\nc "]]) == ["a", "column 2", "a 2", "101", "b c"]


def ods(rows: list[list[str]]) -> bytes:
    """A workbook of LibreOffice, by hand."""
    cells = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows)
    content = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"><office:body>'
        f'<office:spreadsheet><table:table table:name="Data">{cells}</table:table></office:spreadsheet>'
        "</office:body></office:document-content>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
    return buffer.getvalue()


def test_workbooks_of_libreoffice(tmp_path):
    def text(word: str) -> str:
        return f'<table:table-cell office:value-type="string"><text:p>{word}</text:p></table:table-cell>'

    date = '<table:table-cell office:value-type="date" office:date-value="2026-01-03T06:00:00"/>'
    number = '<table:table-cell office:value-type="float" office:value="1.5"/>'
    (tmp_path / "p2.ods").write_bytes(ods([[text("time"), text("FT-2")], [date, number]]))
    assert read("excel", tmp_path / "p2.ods", WIDE)[0] == [("p2", "flow", T0, 1.5)]


OLD = (  # of Excel 97: three rows of time, FT-2 and PT-2, with the cells of PT-2 merged
    "c-"
    "rk)O=uHA6#iy6X?|?dq^8nV4547HwE=%FQfO19KVDLz2x=8HwSktJRMK4PL8~<<5fo2~mqI;wse17Tf6$wP(5eSP5K=`io&*ICZP"
    "qt$H?^%58qh*yzGdFLeKX(8+xdC3yVFzt-"
    "1wc^87x67bmR>e$`;rJC0F6b2P!uVsTOi4B}1X4;BwMLmf7*p^U@*bP|o)ZG~Bj5BME$<bOa~SJ(Nm>RuQ||hq#bFw2&0IP8Kg}*"
    "sDsG$62mrd5dd4V%f%)i!58HZcg-ID$?D!(^|y`wK^{ILbiL4Iq%rA4OMt9SMixk!mMk@uJl0sM2QsyZRMB%O=wpll}O9`YTTfa!"
    "XZL98V$F%hx+@QlgZ}c;T!@q>l65Hgn(~_?fo>Q?5k@RAp4KScE=y=PMXc7_A8nV7=>|+cS{!K@YrOD4ejwvd=?uhqJtBeGXu#4W"
    "u5!O+bN4t=9a;ogMn{RF!1muDJR*73fBF+Rea>c?9H#QqrI`nQMQco0bm{z8>KTaa8@#i?1kwHEEgJ?v4!P1ZgoBDwJZa)jw!E?R"
    "ar{s7}q(^rS;U$4#u0vrUiNf>De!P?+3FVBb!N|?3y_hn0y-<M;#qoeZ-g77@9<rxOP?IL8OoiE2O+<S@T<XacVxxcf&dhD=-"
    "H)tA3W|og5u8f2UbvCD~#LTc<G*9LipFRHI?!bK7Im1-"
    "EcmldT511<BQx;hJIa@`bI;J*~N|xsfCNgq~irdY62C8NSZ^o>zP3`8xC0I8457@jua%NUwBmu~n<YUD-"
    "7S*<Wx&K|w)5K|w)5p+q3~C3F6}fZn&w*M5ifUuTX|Ui~KdZ?O+UbY<vUvI8l~(-<jg{j7ss6xtFi<P`oFN*tix(-"
    "=fA`!QJb`lZh{vG93TO!WP|EmUm(`C|P1$Nm2V(skZv"
)


def test_workbooks_of_excel_97(tmp_path):
    (tmp_path / "p2.xls").write_bytes(zlib.decompress(base64.b85decode(OLD)))
    assert read("excel", tmp_path / "p2.xls", WIDE)[0] == [
        *(("p2", "flow", T0 + second * 1_000, second * 1.5) for second in (1, 2, 3)),
        *(("p2", "pressure", T0 + second * 1_000, 7.0) for second in (1, 2, 3)),
    ]


def test_compressed_workbooks_and_workbooks_in_archives(tmp_path):
    content = book(tmp_path / "p2.xlsx", {"d": [["time", "FT-2"], [SIX, 1]]}).read_bytes()
    (tmp_path / "p2.xlsx").unlink()
    (tmp_path / "p2.xlsx.gz").write_bytes(gzip.compress(content))
    assert read("excel", tmp_path / "p2.xlsx.gz", WIDE)[0] == [("p2", "flow", T0, 1.0)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("p2.xlsx", content)
    assert read("excel", tmp_path / "a.zip", WIDE)[0] == [("p2", "flow", T0, 1.0)]


def reason(path: Path, readings: dict[str, Any], **source: Any) -> str:
    with pytest.raises(EugenieError) as raised:
        read("excel", path, readings, **source)
    return f"{raised.value.reason} ({raised.value.hint})"


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"time,FT-2\n1,2\n", "looks like CSV, not a workbook (set the source's `type: csv`"),
        (b"PAR1xxxxPAR1", "is a Parquet file, not a workbook (set the source's `type: parquet`"),
        (b"", "is empty"),
        (b"<html><table></table></html>", "is XML or HTML, not a workbook"),
        (
            OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"),
            "is a workbook that is protected with a password (save it",
        ),
        (OLE + b"\0" * 600, "is cut off or damaged"),
    ],
)
def test_another_kind_of_file_is_named_with_the_type_that_reads_it(tmp_path, content, what):
    (tmp_path / "p2.xlsx").write_bytes(content)
    assert what in reason(tmp_path / "p2.xlsx", WIDE)


def test_a_workbook_that_is_cut_off_fails(tmp_path):
    content = book(tmp_path / "p2.xlsx", {"d": [["time", "FT-2"], [SIX, 1]]}).read_bytes()
    for end in (100, len(content) // 2, -30):
        (tmp_path / "p2.xlsx").write_bytes(content[:end])
        assert "damaged" in reason(tmp_path / "p2.xlsx", WIDE)
