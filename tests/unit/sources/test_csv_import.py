"""CSV files: the vectorised reader gives the same readings as `compile_mapping` row by row."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.columns import instants
from eugenie_cli.readings.mapping import bind_file, compile_mapping
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.sources.csv.importer import CsvImporter
from eugenie_cli.sources.interface import Tally, importer_for, router_of


@pytest.fixture(autouse=True, scope="module")
def small_columns():
    """Use the vectorised reader for few texts too: normally the scalar rule, which is faster there, reads them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instants, "FEWEST", 1)
        yield


LONG = {
    "asset": {"path": "asset"},
    "sensor": {"path": "sensor"},
    "tag": {"path": "tag"},
    "quality": {"path": "q", "scheme": "opcda"},
}
WIDE = {"shape": "wide", "asset": {"path": "asset"}, "quality": {"path": "q"}, "ignore": ["label"]}


def import_file(path: Path, readings: dict, **source) -> tuple[list[tuple], Tally]:
    site = pump_site(path.parent, [{"name": "s", "type": "csv", "path": path.name, "readings": readings, **source}])
    importer = importer_for(site.sources[0], site)
    assert isinstance(importer, CsvImporter)
    tally, rows = Tally(), []
    for item in importer.items():
        for batch in importer.read(item, tally, lambda amount: None):
            for index, ts, value in zip(batch.index, batch.ts, batch.value, strict=True):
                rows.append((*batch.series[index], int(ts), None if math.isnan(value) else float(value)))
    return rows, tally


def by_the_rules(path: Path, readings: dict, unknown: list[str]) -> tuple[list[tuple], Counter]:
    """Row by row with `compile_mapping`; wide columns in `unknown` are ignored."""
    site = pump_site(path.parent, [{"name": "s", "type": "csv", "path": path.name, "readings": readings}])
    mapping = bind_file(site.sources[0].readings.model_dump(mode="json"), str(path))
    record_of, router = compile_mapping(mapping, site.timezone), router_of(site)
    rows, rejected = [], Counter()
    with path.open(newline="", encoding="utf-8") as file:
        for record in csv.DictReader(file):
            for outcome in record_of({name: text for name, text in record.items() if name not in unknown}):
                if isinstance(outcome, Rejected):
                    rejected[outcome.reason] += 1
                    continue
                place = router.route(outcome.asset, outcome.sensor, outcome.tag)
                if place is None:
                    # a wide table of several classes: an empty cell in a column of another class is not a reading
                    rejected[reject_reasons.UNKNOWN_TAG] += mapping["shape"] == "long" or record[outcome.tag] != ""
                    continue
                value = None if math.isnan(outcome.value) else outcome.value
                rows.append((place[0], router.sensors_of(place[0])[place[1]], outcome.ts, value))
    return rows, +rejected


INSTANTS = st.one_of(
    st.sampled_from(
        [
            *(
                "2026-01-03T06:00:00Z",
                "2026-01-03 06:00:00",
                "2026-01-03 06:00:00.5",
                "2026-01-03T06:00:00,1239999Z",
            ),
            *(
                "2026-01-03T06:00:00+05:30",
                "2026-01-03T06:00:00-0530",
                "2026-01-03 06:00:00 +01",
                "2026-01-03T06:00",
            ),
            *("2026-10-25T02:30:00", "2026-10-25T03:00:00", "2026-03-29T02:30:00", "2026-03-29T01:59:59.999"),
            *("2024-02-29T23:59:59", "2026-02-29T00:00:00", "2026-13-01T00:00:00", "2026-01-03T24:00:00Z"),
            *("2026-01-03T06:00:60Z", "1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
            *("", " ", " 2026-01-03T06:00:00Z ", "2026-01-03", "soon", "2026-01-03T06:00:00.1234567890Z"),
            *(
                "2026-01-03T06:00:00+19:00",
                "2026-01-03T06:00:00+05:77",
                "2026-01-0:T06:00:00Z",
                "２026-01-03T06:00Z",
            ),
        ]
    ),
    st.datetimes().map(lambda d: d.isoformat()),
    st.datetimes().map(lambda d: d.isoformat(" ", "seconds") + "Z"),
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *(
                "1.5",
                "-0.25",
                "+1.5",
                ".5",
                "5.",
                "1e5",
                "1E-7",
                "1e999",
                "1e39",
                "nan",
                "-inf",
                "NaN(x)",
                "0x10",
            ),
            *(
                "",
                " ",
                "Bad Input",
                "Inp OutRange",
                "null",
                "true",
                "FALSE",
                "open",
                "1,5",
                "1.012,5",
                "1_0",
                " 7 ",
                "٣",
            ),
        ]
    ),
    st.floats(allow_nan=False).map(repr),
    st.integers().map(str),
)
ASSETS = st.sampled_from(["p1", "p2", " p1", "p9", ""])
QUALITIES = st.sampled_from(["192", "0", "64", "24", "", " 192 ", "good", "70000"])
WORDS = st.sampled_from(["good", "Bad", "uncertain", "", "huh"])


def write(path: Path, header: list[str], rows: list[list[str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    path.write_text(buffer.getvalue(), encoding="utf-8")


same_folder = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@same_folder
@given(
    st.lists(
        st.tuples(
            ASSETS,
            st.sampled_from(["flow", "pressure", "", "nope", " flow "]),
            st.sampled_from(["", "FT-2", "flow", "nope"]),
            INSTANTS,
            VALUES,
            QUALITIES,
        ).map(list),
        min_size=1,
        max_size=30,
    )
)
def test_long_files_are_read_by_the_rules(tmp_path, rows):
    path = tmp_path / "long.csv"
    write(path, ["asset", "sensor", "tag", "ts", "value", "q"], rows)
    expected, rejected = by_the_rules(path, LONG, [])
    imported, tally = import_file(path, LONG)
    assert imported == expected
    assert tally.rejected == rejected


@pytest.mark.slow
@same_folder
@given(
    st.lists(
        st.tuples(ASSETS, INSTANTS, WORDS, VALUES, VALUES, VALUES, st.just("x"), VALUES).map(list),
        min_size=1,
        max_size=20,
    )
)
def test_wide_files_are_read_by_the_rules(tmp_path, rows):
    path = tmp_path / "wide.csv"
    write(path, ["asset", "ts", "q", "flow", "PT-2", "motor current", "label", "other"], rows)
    expected, rejected = by_the_rules(path, WIDE, ["other"])
    imported, tally = import_file(path, WIDE)
    assert Counter(imported) == Counter(expected)
    assert tally.rejected == rejected
    assert tally.unknown_columns == ["other"]


@pytest.mark.parametrize(
    ("ts", "texts"),
    [
        (
            {"unit": "s"},
            ["1767420000", "1767420000.1239", "1.76742e9", "-1", "1767420000000", "", "x", "12.", "0x10"],
        ),
        (
            {"unit": "ms"},
            ["1767420000000", "1767420000000.9", "0", "999999999999999999", "99999999999999999999"],
        ),
        ({"unit": "us"}, ["1767420000000999", "1", "253402300799999999", "253402300800000000"]),
        ({"unit": "ns"}, ["1767420000000999999", "999999999999999999", "1"]),
        (
            {"format": "%d.%m.%Y %H:%M:%S"},
            ["03.01.2026 07:00:00", "3.1.2026 7:00:00", "25.10.2026 02:30:00", "31.02.2026 00:00:00"],
        ),
        (
            {"format": "%Y-%m-%d %H:%M:%S.%f"},
            ["2026-01-03 06:00:00.123456", "2026-01-03 06:00:00.1", "2026-01-03 06:00:00"],
        ),
        ({"format": "%m/%d/%Y %I:%M:%S %p"}, ["01/03/2026 06:00:00 PM", "13/03/2026 06:00:00 PM"]),
        ({"format": "%Y%m%dT%H%M%S%z"}, ["20260103T060000+0100", "20260103T060000"]),
        ({"timezone": "America/St_Johns"}, ["2026-01-03T06:00:00", "2026-11-01T01:30:00"]),
        (
            {"timezone": "Australia/Lord_Howe"},
            ["2026-04-05T01:45:00", "2026-04-05T01:15:00", "2026-10-04T02:15:00"],
        ),
    ],
)
def test_every_kind_of_instant_is_read_by_the_rules(tmp_path, ts, texts):
    readings = {**LONG, "ts": {"path": "ts", **ts}}
    path = tmp_path / "instants.csv"
    write(
        path,
        ["asset", "sensor", "tag", "ts", "value", "q"],
        [["p1", "flow", "", text, "1", ""] for text in texts],
    )
    expected, rejected = by_the_rules(path, readings, [])
    imported, tally = import_file(path, readings)
    assert imported == expected
    assert imported, "at least one text must be an instant"
    assert tally.rejected == rejected


def test_rejections_are_shown_with_their_lines(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text(
        "asset,sensor,tag,ts,value,q\n"
        "p1,flow,,2026-01-03T06:00:00Z,1,192\n"
        "\n"
        "p1,flow,,2026-01-03T06:00:01Z\n"
        "p1,flow,,2026-01-03T06:00:02Z,open,192\n"
        "p1,flow,,soon,1,192\n"
        "p9,flow,,2026-01-03T06:00:02Z,1,192\n"
    )
    rows, tally = import_file(path, LONG)
    assert len(rows) == 1
    assert tally.rejected == {"missing-field": 1, "bad-value": 1, "bad-timestamp": 1, "unknown-tag": 1}
    assert tally.examples == {
        "missing-field": ["long.csv:4: 4 fields, expected 6: p1,flow,,2026-01-03T06:00:01Z"],
        "bad-value": [
            "long.csv:5: 'open' is neither a number (decimal '.') nor a known status text: as a state,"
            " `map: {open: <its number>}`"
            " in the mapping's value; as bad quality, `bad: [open]`"
        ],
        "bad-timestamp": ["long.csv:6: 'soon' is not ISO 8601, such as 2026-01-03T06:00:00.250Z"],
        "unknown-tag": ["long.csv:7: the site has no asset 'p9', sensor 'flow'"],
    }


def test_the_rejection_of_a_wide_record_names_its_column(tmp_path):
    path = tmp_path / "wide.csv"
    write(path, ["ts", "asset", "flow", "pressure"], [["2026-01-03T06:00:00Z", "p1", "1", "open"]])
    _, tally = import_file(path, {"shape": "wide", "asset": {"path": "asset"}})
    assert tally.examples["bad-value"][0].startswith("wide.csv:2: pressure: 'open'")


def test_only_the_first_examples_are_kept_and_all_are_counted(tmp_path):
    path = tmp_path / "long.csv"
    write(path, ["asset", "sensor", "tag", "ts", "value", "q"], [["p1", "flow", "", "soon", "1", ""]] * 50)
    _, tally = import_file(path, LONG)
    assert tally.rejected == {"bad-timestamp": 50}
    assert [example.split(": ")[0] for example in tally.examples["bad-timestamp"]] == [
        f"long.csv:{n}" for n in (2, 3, 4)
    ]


@pytest.mark.slow
def test_files_of_many_blocks_are_read_completely(tmp_path, monkeypatch):
    monkeypatch.setattr("eugenie_cli.sources.csv.importer.BLOCK_BYTES", 1 << 18)
    path = tmp_path / "wide.csv"
    count = 60_000  # 2.7 MB: eleven blocks
    rows = [
        [f"2026-01-03T{k // 3600:02d}:{k // 60 % 60:02d}:{k % 60:02d}.{k % 1000:03d}Z", f"{k / 7:.6f}", "x"]
        for k in range(count)
    ]
    rows[-1][1] = "open"
    write(path, ["ts", "flow", "label"], rows)
    imported, tally = import_file(path, {**WIDE, "asset": {"const": "p1"}, "quality": None})
    assert len(imported) == count - 1
    assert imported[12_345][3] == pytest.approx(12_345 / 7, abs=1e-6)
    assert tally.examples["bad-value"][0].startswith(f"wide.csv:{count + 1}: flow")


def test_decimal_comma_semicolons_bom_crlf_and_latin1(tmp_path):
    readings = {"shape": "wide", "asset": {"const": "p1"}, "value": {"decimal": ",", "status": ["Störung"]}}
    text = "ts;flow;pressure\r\n2026-01-03T06:00:00Z;1,5;Störung\r\n2026-01-03T06:00:01Z;-2;1.012,5\r\n"
    for encoding in ("utf-8-sig", "utf-8", "latin-1"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))
        rows, tally = import_file(path, readings, delimiter=";", encoding=encoding.removesuffix("-sig"))
        values = [(sensor, value) for _, sensor, _, value in rows]
        assert values == [("flow", 1.5), ("flow", -2.0), ("pressure", None)]
        assert tally.rejected == {"bad-value": 1}


def test_gzip_and_the_asset_from_the_files_name(tmp_path):
    path = tmp_path / "p2.csv.gz"
    path.write_bytes(gzip.compress(b"ts,FT-2\n2026-01-03T06:00:00Z,1.5\n"))
    rows, _ = import_file(path, {"shape": "wide", "asset": {"file": "p2"}})
    assert rows == [("p2", "flow", 1767420000000, 1.5)]


def test_the_file_of_an_asset_that_is_not_in_the_site_is_named(tmp_path):
    path = tmp_path / "p7.csv"
    path.write_text("ts,flow\n2026-01-03T06:00:00Z,1.5\n")
    with pytest.raises(EugenieError, match=r"p7\.csv: the site has no asset 'p7'"):
        import_file(path, {"shape": "wide", "asset": {"file": "{stem}"}})


def test_a_column_without_a_name_is_named_by_its_position(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(",flow\n2026-01-03T06:00:00Z,1.5\n")
    rows, _ = import_file(path, {"shape": "wide", "ts": {"path": "column 1"}, "asset": {"const": "p1"}})
    assert rows == [("p1", "flow", 1767420000000, 1.5)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"time;flow\n1;2\n", r"wide\.csv:1: there is no column 'ts' for ts; columns: time;flow"),
        (b"", r"wide\.csv: the file is empty"),
        (b"ts,fl\xff\n2026-01-03T06:00:00Z,1\n", r"wide\.csv is not utf-8 text: byte 6 of its header"),
    ],
)
def test_a_file_that_does_not_match_its_settings_is_named(tmp_path, content, message):
    path = tmp_path / "wide.csv"
    path.write_bytes(content)
    with pytest.raises(EugenieError, match=message):
        import_file(path, {"shape": "wide", "asset": {"const": "p1"}})


def test_a_header_without_rows_is_an_empty_file(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("ts,flow\n")
    assert import_file(path, {"shape": "wide", "asset": {"const": "p1"}})[0] == []
