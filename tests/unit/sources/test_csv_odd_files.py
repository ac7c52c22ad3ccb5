"""Files that do not match the site file: each fails with its name and the next step, and the others are imported."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import re
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.csv_files import read_file
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.csv import lines as lines_module
from eugenie_cli.sources.files import finding, opening
from eugenie_cli.sources.files.kinds import kind_of
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.tables import history_view, import_notes

WIDE = {"shape": "wide", "asset": {"const": "p1"}}
GOOD = b"ts,flow,pressure\n2026-01-03T06:00:00Z,1,2\n2026-01-03T06:00:01Z,3,4\n"
PIECES = st.one_of(st.sampled_from([b"a", b"\xc2", b"\xff"]), st.text(max_size=1).map(str.encode))
PACKED = gzip.compress(random.Random(7).randbytes(4000) + GOOD * 500, mtime=0)


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name in names:
            packed.writestr(zipfile.ZipInfo(name), "x")
    return buffer.getvalue()


def import_exports(folder: Path, **source):
    site = pump_site(folder, [{"name": "s", "type": "csv", "path": "exports/*", "readings": WIDE, **source}])
    (report,) = import_sources(site)
    return report


@pytest.fixture
def exports(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "good.csv").write_bytes(GOOD)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"\xef\xbb\xbf", "the file is empty"),
        ("a.csv.gz", b"", "the file is empty"),
        ("a.csv.gz", gzip.compress(GOOD, mtime=0)[:-9], "cut off.*copy or export it again"),
        ("a.csv.gz", PACKED[: len(PACKED) // 2], "cut off"),
        ("a.csv.gz", gzip.compress(GOOD, mtime=0)[:30] + b"garbage" * 9, "damaged|cut off"),
        ("a.csv.GZ", gzip.compress(GOOD, mtime=0)[:-4] + b"\0\0\0\1", "damaged"),
        ("a.csv.gz", GOOD, "not compressed with gzip.*without .gz"),
        ("a.csv", gzip.compress(GOOD, mtime=0), "is compressed with gzip.*ends in .csv.gz"),
        ("a.csv", bz2.compress(GOOD), "compressed with bzip2.*unpack"),
        ("a.csv", lzma.compress(GOOD), "compressed with xz.*ends in .csv.xz"),
        ("a.csv", archive("[Content_Types].xml", "xl/workbook.xml"), "is a workbook.*save its sheet as CSV"),
        ("a.csv", archive("content.xml"), "is a workbook"),
        ("a.csv", archive("a.csv"), "is a zip archive.*rename it"),
        ("a.zip", archive(), "is a zip archive that contains no file"),
        ("a.zip", archive("b.csv"), "a.zip/b.csv:1: there is no column"),
        ("a.zip", archive("b.csv")[:-9], "is a zip archive that cannot be read.*unpack"),
        ("a.zip", archive("b.csv").replace(b"PK\1\2\x14\3\x14", b"PK\1\2\x14\3\x63"), "cannot be read.*unpack"),
        ("a.zip", archive("xl/workbook.xml"), "is a workbook"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "is a workbook"),
        ("a.csv", b"PAR1\x15\x04" + bytes(90), "is a Parquet file"),
        ("a.csv", GOOD.decode().encode("utf-16-le"), "UTF-16 text without a byte order mark.*utf-16-le"),
        ("a.csv", GOOD.decode().encode("utf-16-be"), "UTF-16 text without a byte order mark.*utf-16-be"),
        ("a.csv", "ts,flow,T [°C]\n".encode("cp1252"), r"not utf-8 text.*encoding.*cp1252.*T \[°C\]"),
        ("a.csv", "sep=,\nts,flow,T [°C]\n".encode("cp1252"), "not utf-8 text: byte 12 of its header"),
        ("a.csv", 'ts,flow,"T\n[°C]"\n'.encode("cp1252"), "not utf-8 text: byte 13 of its header"),
        ("a.csv", GOOD.replace(b",", b";"), '; looks like the delimiter.*`delimiter: ";"`'),
        ("a.csv", GOOD.replace(b",", b"\t"), "\\\\t looks like the delimiter"),
        ("a.csv", b"TS,flow\n1,2\n", "case matters: the column is called 'TS'"),
        ("a.csv", b"Report,May\n\nts,flow\n1,2\n", "line 3 looks like the header"),
        ("a.csv", b"2026-01-03T06:00:00Z,1\n", "first line looks like readings"),
        ("a.csv", b"sep=;\nts;flow\n", "names ';' as its delimiter"),
        ("a.json", b'{"ts": 1}', "looks like JSON"),
        ("a.htm", b"<html><table>", "looks like HTML"),
    ],
)
def test_a_file_of_another_kind_fails_by_name_and_the_others_are_imported(exports, name, content, message):
    (exports / name).write_bytes(content)
    report = import_exports(exports.parent)
    assert (report.new, report.readings, len(report.failed)) == (1, 4, 1)
    assert f"exports/{name}" in report.failed[0]
    assert re.search(message, report.failed[0]), report.failed[0]
    assert not report.whole
    assert next(import_notes([report])).startswith("s: failed: ")


@pytest.mark.parametrize("name", ["PAR1", "PARE", "FEA1"])
@pytest.mark.parametrize("rest", [",flow", "\tflow", ";flow", " flow,x", "\nflow", "_flow;PAR2"])
def test_a_header_that_begins_like_a_file_of_columns_is_text(name, rest):
    assert kind_of(f"{name}{rest}\n1,2\n".encode()) is None
    assert kind_of(name.encode() + b"\x15\x04\x15") is not None


@pytest.mark.parametrize(
    ("encoding", "content", "message"),
    [
        ("utf-16", GOOD.decode().encode("utf-16-le"), "without a byte order mark.*utf-16-le`"),
        ("utf_16", GOOD.decode().encode("utf-16-be"), "without a byte order mark.*utf-16-be`"),
        ("utf-32", GOOD.decode().encode("utf-32-le"), "without a byte order mark.*utf-32-le`"),
        ("utf-16", bytes(5000), "without a byte order mark, or not utf-16 text at all"),
        ("utf-16", GOOD, "is not utf-16 text"),
    ],
)
def test_utf_16_or_32_without_its_mark_fails_by_name_and_the_others_are_imported(exports, encoding, content, message):
    (exports / "good.csv").write_bytes(GOOD.decode().encode(encoding))
    (exports / "a.csv").write_bytes(content)
    report = import_exports(exports.parent, encoding=encoding)
    assert (report.new, report.readings, len(report.failed)) == (1, 4, 1)
    assert "a.csv" in report.failed[0] and re.search(message, report.failed[0])


@pytest.mark.parametrize("encoding", ["hex", "rot13", "base64", "zip", "idna", "undefined", "no-such"])
def test_a_codec_that_is_not_a_text_encoding_is_reported_with_the_next_step(exports, encoding):
    with pytest.raises(EugenieError, match=r"nothing could be imported: .*(encoding|read as \w+ text).*`encoding`"):
        import_exports(exports.parent, encoding=encoding)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["ﾀｲﾑ", "（时间）", "ｔｉｍｅ", "ﾻ", "ts"])
def test_a_header_that_begins_like_a_byte_order_mark_keeps_its_first_letters(tmp_path, mark, name):
    path = tmp_path / "a.csv"
    path.write_bytes(mark + GOOD.replace(b"ts,", f"{name},".encode()))
    assert len(read_file(path, {**WIDE, "ts": {"path": name}})[0]) == 4


@pytest.mark.parametrize("encoding", ["cp1252", "cp1251", "latin-1", "shift-jis"])
def test_a_utf_8_byte_order_mark_under_another_encoding_is_reported(exports, encoding):
    (exports / "good.csv").write_bytes(b"\xef\xbb\xbf" + GOOD)
    with pytest.raises(EugenieError, match="UTF-8's byte order mark: remove `encoding: " + encoding):
        import_exports(exports.parent, encoding=encoding)


def test_pipes_devices_broken_links_and_folders_fail_without_hanging(exports):
    os.mkfifo(exports / "pipe.csv")
    (exports / "zero.csv").symlink_to("/dev/zero")
    (exports / "gone.csv").symlink_to("nowhere.csv")
    (exports / "folder.csv").mkdir()
    (exports / "archive").mkdir()  # an ordinary folder that `*` matches
    report = import_exports(exports.parent)
    assert report.new == 1
    kinds = {
        "pipe": "a pipe, socket or device",
        "zero": "a pipe",
        "gone": "a link to nowhere.csv",
        "folder": "a folder",
    }
    assert len(report.failed) == len(kinds)
    for name, kind in kinds.items():
        assert any(f"{name}.csv is {kind}" in error and "next:" in error for error in report.failed)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
@pytest.mark.parametrize(("owner", "where"), [(Path, "open"), (os, "stat")])
def test_a_file_that_the_system_cannot_open_fails_by_name(exports, monkeypatch, error, owner, where):
    (exports / "a.csv").write_bytes(GOOD)
    real = getattr(owner, where)

    def refuse(path, *arguments, **named):
        if str(path).endswith("/a.csv"):
            raise error
        return real(path, *arguments, **named)

    monkeypatch.setattr(owner, where, refuse)
    report = import_exports(exports.parent)
    assert (report.new, report.readings) == (1, 4)
    assert error.strerror in report.failed[0]
    assert "exports/a.csv cannot be read" in report.failed[0]


def test_a_folder_that_cannot_be_listed_is_reported(exports, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(finding.os, "scandir", refuse)
    with pytest.raises(EugenieError, match="exports cannot be listed: Permission denied"):
        import_exports(exports.parent)


def test_a_subfolder_that_cannot_be_listed_is_reported(exports, monkeypatch):
    def fail(folder, pattern):
        raise OSError(5, "Input/output error", str(folder / "2025"))

    monkeypatch.setattr(Path, "glob", fail)
    with pytest.raises(EugenieError, match="exports/2025 cannot be listed: Input/output error"):
        import_exports(exports.parent, path="exports/**/*.csv")


NAMES = st.sets(st.text("aB.cs v[-", min_size=1, max_size=6).map("x".__add__), max_size=6)


@settings(max_examples=40)
@given(names=NAMES, pattern=st.sampled_from(["*", "*.csv", "x*", "x?", "x[a-c]*", "*.*", "x[", "*B*"]))
def test_files_are_found_as_pathlib_finds_them(names, pattern, tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    for name in names:
        (folder / name).touch()
    assert finding.matching(folder / pattern) == [str(path) for path in sorted(folder.glob(pattern))]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="a valid pattern since Python 3.13")
def test_an_invalid_pattern_is_reported_with_the_next_step(exports):
    with pytest.raises(EugenieError, match=r"exports/\*\*\.csv is not a valid pattern.*exports/\*\*/\*\.csv"):
        import_exports(exports.parent, path="exports/**.csv")


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_leftovers_of_a_folder_that_cannot_be_listed_are_reported(exports, monkeypatch, error):
    import_exports(exports.parent)

    def refuse(path):
        raise error

    real = Path.exists
    monkeypatch.setattr(finding.os, "scandir", refuse)
    monkeypatch.setattr(Path, "exists", lambda path: refuse(path) if path.name == "good.csv" else real(path))
    site = pump_site(exports.parent, [{"name": "s", "type": "csv", "path": "exports/*", "readings": WIDE}])
    (left,) = history_view(site, open_history(site)).left
    assert (left.item, left.why) == ("exports/good.csv", f"its file cannot be accessed: {error.strerror}")


@pytest.mark.parametrize("change", ["grow", "vanish"])
def test_a_file_that_changes_while_it_is_read_fails_and_the_history_keeps_its_readings(exports, monkeypatch, change):
    path = exports / "a.csv"
    path.write_bytes(GOOD)
    assert import_exports(exports.parent).readings == 8
    path.write_bytes(GOOD + b"2026-01-03T06:00:02Z,5,6\n")
    real = opening.CountingFile.readinto

    def readinto(self, buffer):
        if path.exists() and path.stat().st_size > len(GOOD):
            path.unlink() if change == "vanish" else path.write_bytes(GOOD * 2)
        return real(self, buffer)

    monkeypatch.setattr(opening.CountingFile, "readinto", readinto)
    report = import_exports(exports.parent)
    assert "history keeps the 4 readings of its last import" in report.failed[0]
    assert "a.csv" in report.failed[0]


@pytest.mark.slow
def test_a_byte_far_down_that_is_not_in_the_encoding_costs_only_its_line(tmp_path):
    rows = [b"2026-01-03T06:%02d:%02dZ,1.5,x" % divmod(second, 60) for second in range(600)]
    rows[300] = rows[300][:-1] + "gestört".encode("cp1252")
    path = tmp_path / "a.csv"
    path.write_bytes(b"\n".join([b"ts,flow,note", *rows]) + b"\n")
    for block in (None, 100, 1000):
        rows_read, tally = read_file(path, {**WIDE, "ignore": ["note"]}, block)
        assert len(rows_read) == 599
        assert tally.examples == {
            "bad-value": [
                "a.csv:302: not utf-8 text: set the source's `encoding` (perhaps cp1252): "
                "2026-01-03T06:05:00Z,1.5,gest\\xf6rt"
            ]
        }
    assert len(read_file(path, {**WIDE, "ignore": ["note"]}, encoding="cp1252")[0]) == 600


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(PIECES, max_size=20), st.data())
def test_the_next_byte_that_is_not_utf_8_is_found_with_any_piece_size(pieces, data):
    text = b"".join(pieces)
    at = data.draw(st.integers(0, len(text)))
    try:
        text[at:].decode()
        expected = -1
    except UnicodeDecodeError as error:
        expected = at + error.start
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "_DECODED", data.draw(st.integers(4, 9)))
        assert lines_module.Decoder("utf-8").bad(text, at) == expected


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1254", "gb18030", "shift-jis"])
@pytest.mark.parametrize("block", [None, 65])
def test_encodings_are_read_with_any_block_size(tmp_path, encoding, block):
    path = tmp_path / "a.csv"
    text = 'ts,"flow",note\r\n' + "".join(f'2026-01-03T06:00:{n:02d}Z,{n},"a\r\nb,c"\r\n' for n in range(20))
    path.write_bytes((text + "2026-01-03T06:00:20Z,kaputt,x\r\n").encode(encoding))
    rows, tally = read_file(path, {**WIDE, "ignore": ["note"]}, block, encoding=encoding)
    assert [value for *_, value in rows] == list(range(20))
    assert tally.examples["bad-value"][0].startswith("a.csv:42: flow: 'kaputt'")


@pytest.mark.parametrize(
    ("content", "poor"),
    [
        (b"ts,flow\n", "exports/a.csv contains no rows"),
        (b"ts,flow\n\n\n", "exports/a.csv contains no rows"),
        (b"ts,flow\n13.01.2026,1\n13.01.2027,2\n", "exports/a.csv gave no readings: 2 rejections in 2 rows"),
        (b"ts,FLOW\n2026-01-03T06:00:00Z,1\n", "exports/a.csv gave no readings: its columns match no sensor"),
        (
            b"ts,flow\n" + b"soon,1\n" * 3 + b"2026-01-03T06:00:00Z,1\n" * 2,
            "exports/a.csv: 3 of its 5 rows were rejected",
        ),
        (
            b"ts,flow,pressure\n2026-01-03T06:00:00Z,1;5,2;5\n2026-01-03T06:00:01Z,1;5,2\n",
            "3 values were rejected, 1 imported",
        ),
        (b"ts,flow\nsoon,1\n2026-01-03T06:00:00Z,1\n", None),
        (b"ts,flow\n2026-01-03T06:00:00Z,Bad\n", None),
    ],
)
def test_a_file_that_lost_most_of_its_rows_is_reported_first_at_each_import(exports, content, poor):
    (exports / "a.csv").write_bytes(content)
    for _ in range(2):
        report = import_exports(exports.parent)
        assert not report.failed
        assert report.whole == (poor is None)
        if poor is not None:
            assert poor in next(import_notes([report]))


def test_rows_and_headers_that_end_with_a_delimiter(tmp_path):
    path = tmp_path / "a.csv"
    for header, row, width in (("ts;flow", "{};1;", 2), ("ts;flow;", "{};1;", 3), ("ts;flow;", "{};1", 2)):
        lines = [row.format(f"2026-01-03T06:00:0{n}Z") for n in range(5)]
        path.write_text("\n".join([header, *lines, lines[0] + "more" + ";" * (not row.endswith(";"))]) + "\n")
        rows, tally = read_file(path, WIDE, delimiter=";")
        assert len(rows) == (6 if width == 3 else 5), (header, row)
        assert sum(tally.rejected.values()) == (0 if width == 3 else 1)
        assert tally.companions == ({"column 3": "unnamed"} if width == 3 else {})
        assert tally.unknown_columns == []


def test_the_third_column_with_the_same_name_gets_a_unique_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("ts,flow,flow,flow,flow 2\n2026-01-03T06:00:00Z,1,2,3,4\n")
    rows, tally = read_file(path, WIDE)
    assert [value for *_, value in rows] == [1.0]
    assert set(tally.companions) == {"flow 2", "flow 3", "flow 2 2"}


@pytest.mark.parametrize("name", ["p2.csv.gz", "p2.csv.GZ", "p2.csv", "p2.txt.gz"])
def test_the_stem_of_a_compressed_file_is_that_of_its_content(tmp_path, name):
    content = b"ts,FT-2\n2026-01-03T06:00:00Z,1.5\n"
    path = tmp_path / name
    path.write_bytes(content if name.endswith(".csv") else gzip.compress(content))
    rows, _ = read_file(path, {"shape": "wide", "asset": {"file": "{stem}"}})
    assert rows == [("p2", "flow", 1767420000000, 1.5)]


@pytest.mark.parametrize("given", ["\\t", "\t", "tab"])
def test_a_tab_is_a_tab_however_the_site_file_writes_it(tmp_path, given):
    path = tmp_path / "a.csv"
    path.write_text("ts\tflow\n2026-01-03T06:00:00Z\t1.5\n")
    assert len(read_file(path, WIDE, delimiter=given)[0]) == 1


@pytest.mark.parametrize("given", ["", ";;", '"', "\n", "§"])
def test_an_invalid_delimiter_is_refused(tmp_path, given):
    with pytest.raises(ValueError, match="must be one ASCII character"):
        pump_site(tmp_path, [{"name": "s", "type": "csv", "path": "x", "delimiter": given}])
