"""Parquet and Arrow files: typed columns, bounded memory, damaged files and files of other kinds."""

from __future__ import annotations

import datetime as dt
import gzip
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.csv_files import read_file as read_csv
from support.table_files import read

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.parquet import columns

T0 = 1_767_420_000_000  # 2026-01-03T06:00:00Z
UTC = dt.timezone.utc
IN_UTC = pa.timestamp("us", "UTC")
LONG = {"asset": {"path": "machine"}, "sensor": {"path": "sensor"}}
WIDE = {"shape": "wide", "asset": {"file": "{stem}"}}


def instants(*seconds: float) -> list[dt.datetime]:
    return [dt.datetime.fromtimestamp(T0 / 1_000 + second, UTC) for second in seconds]


def long_table(type: pa.DataType = IN_UTC) -> pa.Table:
    return pa.table(
        {
            "machine": pa.array(["p1", "p1", "p9"]).dictionary_encode(),
            "sensor": ["flow", "flow", "flow"],
            "ts": pa.array(instants(0, 1, 2), pa.timestamp("us", "UTC")).cast(type),
            "value": pa.array([1.5, None, 2.0], pa.float32()),
            "note": [["a list"], [], None],
        }
    )


def write(path: Path, table: pa.Table) -> None:
    """By the name of the file."""
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=2)
    elif path.suffix == ".feather":
        pyarrow.feather.write_feather(table, path)
    else:
        with pa.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrows"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_columns_are_read_with_their_types(tmp_path, name, unit):
    write(tmp_path / name, long_table(pa.timestamp(unit, "UTC")))
    rows, tally = read("parquet", tmp_path / name, LONG)
    assert rows == [("p1", "flow", T0, 1.5), ("p1", "flow", T0 + 1_000, None)]
    assert dict(tally.rejected) == {"unknown-tag": 1}
    assert tally.examples["unknown-tag"] == [f"{name}:row 3: the site has no asset 'p9', sensor 'flow'"]


FEW = 10  # readings in the first batch that agree; what does not comes later


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrows"])
@pytest.mark.parametrize("late", [0, FEW])
def test_columns_that_are_not_read_are_named_as_those_of_a_csv_file(tmp_path, monkeypatch, name, late):
    monkeypatch.setattr(columns, "FEWEST_ROWS", 4)
    monkeypatch.setattr(columns, "BATCH_CELLS", 4)
    table = pa.table(
        {
            "ts": pa.array(instants(*range(late + 4)), IN_UTC),
            "machine": ["p1"] * (late + 4),
            "sensor": [*["flow"] * (late + 2), *["motor current"] * 2],
            "value": pa.array([*[1.5] * (late + 2), None, None]),
            "intvalue": pa.array([*[None] * (late + 2), 1, 2], pa.int64()),
            "uom": [*["bar"] * (late + 1), "psi", "A", "A"],
            "quality": [192] * (late + 4),
            "point": [*["FT-2"] * (late + 4)],
            "note": [["a list"]] * (late + 4),
        }
    )
    write(tmp_path / name, table)
    _, tally = read("parquet", tmp_path / name, LONG)
    expected = {"intvalue": "value", "uom": "units", "quality": "row", "point": "tags"}
    assert tally.companions == expected
    names = [column for column in table.column_names if column != "note"]
    lines = [",".join("" if row[column] is None else str(row[column]) for column in names) for row in table.to_pylist()]
    (tmp_path / "a.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    _, tally = read("csv", tmp_path / "a.csv", LONG)
    assert tally.companions == expected


def test_local_times_without_a_zone_are_of_the_site(tmp_path):
    write(tmp_path / "a.parquet", long_table(pa.timestamp("ms")))
    rows, _ = read("parquet", tmp_path / "a.parquet", LONG)
    assert [ts for _, _, ts, _ in rows] == [T0 - 3_600_000, T0 - 3_600_000 + 1_000]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40).map(lambda second: f"2026-01-03T06:00:{second:02d}Z"),
            st.sampled_from(["1.5", "", "Bad", "1,5", "-3e2", " 7 ", "nan"]),
            st.sampled_from(["", "2", "oops"]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_text_columns_are_read_as_those_of_csv(cells):
    with tempfile.TemporaryDirectory() as folder:
        names = ["ts", "FT-2", "PT-2"]
        text = "\n".join([";".join(names), *(";".join(row) for row in cells)])
        (Path(folder) / "p2.csv").write_text(text)
        arrays = [pa.array(list(column), pa.string()) for column in zip(*cells, strict=True)]
        write(Path(folder) / "p2.parquet", pa.table(arrays, names=names))
        expected, of_csv = read_csv(Path(folder) / "p2.csv", WIDE, delimiter=";")
        found, tally = read("parquet", Path(folder) / "p2.parquet", WIDE)
        assert found == sorted(expected, key=str)
        assert tally.rejected == of_csv.rejected


def test_wide_tables_report_unknown_columns_and_read_only_what_they_need(tmp_path):
    table = pa.table(
        {"ts": instants(0, 1), "FT-2": [1, 2], "PT-2": [None, 3.5], "PT-2.quality": [192, 0], "other": ["x", "y"]}
    )
    write(tmp_path / "p2.parquet", table)
    rows, tally = read("parquet", tmp_path / "p2.parquet", WIDE)
    assert rows == [
        *(("p2", "flow", T0, 1.0), ("p2", "flow", T0 + 1_000, 2.0)),
        *(("p2", "pressure", T0, None), ("p2", "pressure", T0 + 1_000, 3.5)),
    ]
    assert tally.unknown_columns == ["other"]
    assert tally.companions == {"PT-2.quality": "quality"}


def test_members_of_structures_are_columns_and_names_may_have_dots(tmp_path):
    meta = [{"machine": "p1", "at": {"ts": instant}} for instant in instants(0, 1)]
    write(tmp_path / "a.parquet", pa.table({"meta": meta, "flow.PV": [1.0, 2.0], "x": [1, 2]}))
    mapping = {
        "asset": {"path": "meta.machine"},
        "sensor": {"const": "flow"},
        "ts": {"path": "meta.at.ts"},
        "value": {"path": "flow.PV"},
    }
    assert read("parquet", tmp_path / "a.parquet", mapping)[0] == [
        ("p1", "flow", T0, 1.0),
        ("p1", "flow", T0 + 1_000, 2.0),
    ]


def test_batches_are_small_whatever_the_size_of_the_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "BATCH_CELLS", 1)
    monkeypatch.setattr(columns, "FEWEST_ROWS", 7)
    count = 50
    table = pa.table(
        {"machine": ["p1"] * count, "sensor": ["flow"] * count, "ts": instants(*range(count)), "value": range(count)}
    )
    for name in ("a.parquet", "a.feather"):
        pq.write_table(table, tmp_path / name) if name == "a.parquet" else write(tmp_path / name, table)
        with (tmp_path / name).open("rb") as file:
            opened = columns.open_columns(file, (tmp_path / name).read_bytes()[:16])
            assert {batch.num_rows for batch in opened.batches(["ts", "value"])} == {7, 1}
        assert len(read("parquet", tmp_path / name, LONG)[0]) == count


def test_compressed_files_and_files_in_archives(tmp_path):
    write(tmp_path / "p2.parquet", pa.table({"ts": instants(0), "FT-2": [1.0]}))
    content = (tmp_path / "p2.parquet").read_bytes()
    (tmp_path / "p2.parquet").unlink()
    (tmp_path / "p2.parquet.gz").write_bytes(gzip.compress(content))
    assert read("parquet", tmp_path / "p2.parquet.gz", WIDE)[0] == [("p2", "flow", T0, 1.0)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("p1/p2.parquet", content)
    assert read("parquet", tmp_path / "a.zip", WIDE)[0] == [("p2", "flow", T0, 1.0)]


def reason(type: str, path: Path, readings: dict, **source) -> str:
    with pytest.raises(EugenieError) as raised:
        read(type, path, readings, **source)
    return f"{raised.value.reason} ({raised.value.hint})"


@pytest.mark.parametrize("cut", [20, 100, -1, -8, -20])
@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrows"])
def test_a_file_that_is_cut_off_fails(tmp_path, name, cut):
    write(tmp_path / name, long_table())
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:cut])
    assert "is cut off or damaged" in reason("parquet", tmp_path / name, LONG)


def test_a_damaged_page_fails(tmp_path):
    write(tmp_path / "a.parquet", long_table())
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[4:60] = b"\xff" * 56
    (tmp_path / "a.parquet").write_bytes(content)
    assert "is cut off or damaged" in reason("parquet", tmp_path / "a.parquet", LONG)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"ts,value\n2026-01-03T06:00:00Z,1\n",
            "looks like CSV, not a Parquet or Arrow file (set the source's `type: csv`",
        ),
        (b'[{"ts": 1}]', "is JSON, not a Parquet or Arrow file (set the source's `type: json`"),
        (b"", "is empty (export it again, or remove it)"),
        (b"FEA1....", "a Feather file of version 1"),
        (gzip.compress(b"x"), "compressed with gzip, not a Parquet or Arrow file (rename it, so that it ends in .gz)"),
        (b"PK\x03\x04 is no archive", "a zip archive or workbook that is damaged"),
        (b"<html></html>", "is XML or HTML"),
        (b"hello", "is not a Parquet or Arrow file"),
    ],
)
def test_another_kind_of_file_is_named_with_the_type_that_reads_it(tmp_path, content, what):
    (tmp_path / "a.parquet").write_bytes(content)
    assert what in reason("parquet", tmp_path / "a.parquet", LONG)


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    write(tmp_path / "a.parquet", long_table())
    shown = reason("parquet", tmp_path / "a.parquet", {**LONG, "quality": {"path": "status"}})
    assert "there is no column 'status' for quality; columns: machine, sensor, ts, value, note" in shown
    shown = reason("parquet", tmp_path / "a.parquet", {**LONG, "value": {"path": "note"}})
    assert "the column 'note' cannot be read" in shown
