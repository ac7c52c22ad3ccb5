"""JSON files: lines, arrays, documents with arrays of records; cut off, damaged, and of other kinds."""

from __future__ import annotations

import gzip
import json
import math
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history_sites import pump_site
from support.table_files import read
from typer.testing import CliRunner

from eugenie_cli.errors import EugenieError
from eugenie_cli.main import app
from eugenie_cli.readings.mapping import NOT_A_VALUE
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.sources.interface import router_of
from eugenie_cli.sources.json import documents, importer, messages
from eugenie_cli.sources.json.scanner import NotJson, Scanner

pytestmark = pytest.mark.slow

T0 = 1_767_420_000_000  # 2026-01-03T06:00:00Z
SIX = "2026-01-03T06:00:00Z"
SECOND = "2026-01-03T06:00:01Z"
TAGGED = {"tag": {"path": "tag"}}
PI = {
    "records": "Items",
    "tag": {"file": "{stem}"},
    "ts": {"path": "Timestamp"},
    "value": {"path": "Value"},
    "quality": {"path": "Good", "scheme": "boolean"},
}
ONE = [("p2", "flow", T0, 1.5)]


def line(value: Any = 1.5, tag: str = "FT-2", ts: str = SIX) -> str:
    return json.dumps({"tag": tag, "ts": ts, "value": value})


def reason(path: Path, readings: dict[str, Any]) -> str:
    with pytest.raises(EugenieError) as raised:
        read("json", path, readings)
    return f"{raised.value.reason} ({raised.value.hint})"


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        (line() + "\n", TAGGED),
        (line(), TAGGED),
        (f"\n{line()}\n\n", TAGGED),
        (f"{line()}\r\n{line(tag='PT-2')}\r\n", TAGGED),
        (f"[{line()}]", TAGGED),
        (f"[\n  {line()}\n]\n", TAGGED),
        (f"[{line()}]\n[]\n", {**TAGGED, "records": "."}),
        (
            json.dumps({"data": {"values": [{"t": SIX, "v": 1.5}]}, "tag": "FT-2"}, indent=1),
            {**TAGGED, "records": "data.values", "ts": {"path": "t"}, "value": {"path": "v"}},
        ),
        (json.dumps({"a.b": [{"ts": SIX, "value": 1.5}], "tag": "FT-2"}), {**TAGGED, "records": "a.b"}),
        (json.dumps({"tag": "FT-2", "ts": SIX, "value": 1.5}, indent=2), TAGGED),
        (f"{line()} {line(tag='PT-2')}", TAGGED),
    ],
)
def test_shapes_of_files(tmp_path, text, mapping):
    for name, content in {
        "a.json": text.encode(),
        "b.json": b"\xef\xbb\xbf" + text.encode(),
        "c.json": text.encode("utf-16"),
        "d.json": text.encode("utf-16-le"),
        "e.json.gz": gzip.compress(text.encode()),
    }.items():
        (tmp_path / name).write_bytes(content)
        rows, tally = read("json", tmp_path / name, mapping)
        assert [row for row in rows if row[1] == "flow"] == ONE, name
        assert not tally.rejected
        (tmp_path / name).unlink()


def test_values_of_pi_web_api_with_states(tmp_path):
    states = [
        {"Name": "OPEN", "Value": 1, "IsSystem": False},
        {"Name": "Bad", "Value": 307},
        {"Name": "Shutdown", "Value": 254, "IsSystem": True},
        {"Some": "object"},
    ]
    later = [f"2026-01-03T06:00:0{second}.1234567Z" for second in range(2, 6)]
    items = [
        {"Timestamp": SIX, "Value": 2.41, "UnitsAbbreviation": "bar", "Good": True, "Questionable": False},
        {"Timestamp": SECOND, "Value": {"Name": "No Data", "Value": 248, "IsSystem": True}, "Good": False},
        *({"Timestamp": ts, "Value": state, "Good": True} for ts, state in zip(later, states, strict=True)),
    ]
    (tmp_path / "PT-2.json").write_text(json.dumps({"Links": {}, "Items": items, "UnitsAbbreviation": ""}))
    rows, tally = read("json", tmp_path / "PT-2.json", PI)
    expected = [(0, 2.41), (1_000, None), (2_123, 1.0), (3_123, None), (4_123, None)]
    assert rows == [("p2", "pressure", T0 + ms, value) for ms, value in expected]
    assert tally.examples == {"bad-value": [f"PT-2.json:Items[5]: {NOT_A_VALUE}"]}


def test_stream_sets_of_pi_web_api_are_arrays_in_arrays(tmp_path):
    streams = [
        {"Name": "FT-2", "Items": [{"Timestamp": SIX, "Value": 1.5, "Good": True}]},
        {"Name": "PT-2", "Items": [{"Timestamp": SIX, "Value": 3, "Good": False}, {"Timestamp": "soon", "Value": 1}]},
        {"Name": "XX", "Items": [{"Timestamp": SIX, "Value": 3, "Good": True}]},
        {"Name": "IT-2", "Items": []},
    ]
    (tmp_path / "set.json").write_text(json.dumps({"Links": {}, "Items": streams}))
    mapping = {**PI, "records": "Items.Items", "tag": {"path": "Name"}}
    rows, tally = read("json", tmp_path / "set.json", mapping)
    assert rows == [*ONE, ("p2", "pressure", T0, None)]
    assert tally.examples["bad-timestamp"][0].startswith("set.json:Items[1].Items[1]: 'soon'")
    assert tally.examples["unknown-tag"] == ["set.json:Items[2].Items[0]: the site has no tag 'XX'"]
    assert tally.records == 4


def test_rejections_name_the_line_or_the_index(tmp_path):
    (tmp_path / "a.jsonl").write_text(f"{line()}\n\n{{broken\n{line(tag='nobody')}\n{line(ts='x')}\n")
    rows, tally = read("json", tmp_path / "a.jsonl", TAGGED)
    assert rows == ONE
    assert [examples[0].split(": ")[0] for _, examples in sorted(tally.examples.items())] == [
        *("a.jsonl:3", "a.jsonl:5", "a.jsonl:4")
    ]
    assert (tally.records, tally.lost) == (4, 3)
    (tmp_path / "b.json").write_text(f'[{line()}, 7, {line(ts="x")}, {line("x")}, {{"ts": NaN}}, {line(tag="no")}]')
    rows, tally = read("json", tmp_path / "b.json", TAGGED)
    assert rows == ONE
    places = {example.split(": ")[0] for examples in tally.examples.values() for example in examples}
    assert places == {f"b.json:[{index}]" for index in range(1, 6)}
    assert (tally.records, tally.lost) == (6, 5)


def test_members_of_wide_records_that_no_asset_has_are_reported_once(tmp_path, monkeypatch):
    monkeypatch.setattr(importer, "BATCH_RECORDS", 2)
    rows = [{"ts": f"2026-01-03T06:00:{n:02d}Z", "FT-2": n, "note": "text", "more": {"a": 1}, "x": 1} for n in range(6)]
    (tmp_path / "p2.json").write_text(json.dumps(rows))
    mapping = {"shape": "wide", "asset": {"file": "{stem}"}}
    found, tally = read("json", tmp_path / "p2.json", mapping)
    assert [value for *_, value in found] == [0, 1, 2, 3, 4, 5]
    assert tally.unknown_columns == ["more", "note", "x"]
    assert (tally.records, tally.lost, dict(tally.rejected)) == (6, 0, {})


@pytest.mark.parametrize("form", ["{}", "[{}]", "{}\n{}\n"])
def test_members_that_look_like_a_quality_are_reported_if_they_are_not_mapped(tmp_path, form):
    record = json.dumps({"tag": "FT-2", "ts": SIX, "value": 1.5, "Good": False})
    (tmp_path / "a.json").write_text(form.replace("{}", record))
    assert read("json", tmp_path / "a.json", TAGGED)[1].companions == {"Good": "row"}
    mapped = {**TAGGED, "quality": {"path": "Good", "scheme": "boolean"}}
    rows, tally = read("json", tmp_path / "a.json", mapped)
    assert (rows[0][3], tally.companions) == (None, {})
    wide = json.dumps({"ts": SIX, "FT-2": 1.5, "FT-2.quality": 0, "Good": True, "PT_2": 1})
    (tmp_path / "p2.json").write_text(form.replace("{}", wide))
    _, tally = read("json", tmp_path / "p2.json", {"shape": "wide", "asset": {"file": "{stem}"}})
    assert tally.companions == {"FT-2.quality": "quality", "Good": "row", "PT_2": "spelling"}
    assert tally.unknown_columns == []


def test_records_must_be_where_the_mapping_says(tmp_path):
    (tmp_path / "FT-2.json").write_text(json.dumps({"Items": [{"Timestamp": SIX}], "deep": {"er": [{}]}}))
    shown = reason(tmp_path / "FT-2.json", {**PI, "records": "items"})
    assert "there is no array at 'items', the `records` of the mapping" in shown
    assert "write `records: Items, records: deep.er`" in shown
    shown = reason(tmp_path / "FT-2.json", {key: part for key, part in PI.items() if key != "records"})
    assert "does not say which are the records (write in the source's `readings`: records: Items" in shown
    (tmp_path / "FT-2.json").write_text("[{}]")
    assert "remove `records`" in reason(tmp_path / "FT-2.json", PI)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b'[{"ts": 1}, {"ts": ', "is cut off: it ends in line 1"),
        (b'{"Items": [{"ts": 1}', "is cut off"),
        (b'[{"ts": "20', "is cut off"),
        (b'[{"ts": 1},\n {"ts": 2} {"ts": 3}]', "is not JSON in line 2: ',' is missing"),
        (b'[{"ts": 1},\n\n {"ts" 2}]' + b" " * 200, "is not JSON in line 3"),
        (b"ts,value\n1,2\n", "looks like CSV, not JSON (set the source's `type: csv`"),
        (b"PAR1....PAR1", "is a Parquet file, not JSON (set the source's `type: parquet`"),
        (b"<html>", "is XML or HTML, not JSON"),
        (b"", "is empty"),
        (b"hello", "is not JSON"),
        (b'["\xff"]', "is not utf-8 text"),
        (b'[{"v": ' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, content, what):
    (tmp_path / "a.json").write_bytes(content)
    assert what in reason(tmp_path / "a.json", TAGGED)


SITE = """
site: plant
sources:
  - {name: pi, type: json, path: "exports/*.json*", readings: {tag: {path: tag}}}
classes: {pump: {sensors: [{name: flow}]}}
assets: {p1: {class: pump, tags: {flow: FT-1}}}
"""


@pytest.mark.slow
def test_a_bad_file_does_not_stop_the_others(tmp_path, monkeypatch):
    (tmp_path / "site-configs").mkdir()
    (tmp_path / "site-configs" / "plant.yaml").write_text(SITE)
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "a.json").write_text(f"[{line(tag='FT-1')}]")
    (tmp_path / "exports" / "b.json").write_text(f"[{line(tag='FT-1')}")
    (tmp_path / "exports" / "c.jsonl.gz").write_bytes(gzip.compress(line(tag="FT-1").encode() * 9)[:-5])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EUGENIE_SITE", raising=False)
    result = CliRunner().invoke(app, ["import", "-o", "json"], catch_exceptions=False)
    assert result.exit_code == 6, result.output
    (report,) = json.loads(result.stdout)
    assert (report["new"], report["readings"]) == (1, 1)
    assert "b.json is cut off" in report["failed"][0]
    assert "c.jsonl.gz is cut off" in report["failed"][1]
    again = json.loads(CliRunner().invoke(app, ["import", "-o", "json"]).stdout)
    assert (again[0]["unchanged"], len(again[0]["failed"])) == (1, 2)


def test_workbooks_are_named_with_their_type(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.json", "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    assert "is a workbook (.xlsx), not JSON (set the source's `type: excel`" in reason(tmp_path / "a.json", TAGGED)


def test_a_damaged_file_in_an_archive_fails_alone(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("FT-2.json", json.dumps({"Items": [{"Timestamp": SIX, "Value": 1.5}]}))
    assert read("json", tmp_path / "a.zip", PI)[0] == ONE


STATES = [{"Name": "a", "Value": 1}, {"Name": "No Data", "Value": 2, "IsSystem": True}]
VALUES = st.sampled_from(
    [1, 2.5, "3", "Bad", "x", None, True, *STATES, [], 1e300, {"doubleValue": 1.5}, 10**30, float("nan")]
)
RECORDS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"ts": st.sampled_from([SIX, SECOND, "x", None, 5]), "value": VALUES},
            optional={
                "tag": st.sampled_from(["FT-2", "PT-2", "no", " FT-2 ", 3]),
                "q": st.sampled_from([True, False, "true", "what", 1]),
                "meta": st.fixed_dictionaries({"tag": st.sampled_from(["IT-2", "no"])}),
            },
        ),
        st.sampled_from([1, "text", None, [1]]),
    ),
    max_size=12,
)
AROUND = st.fixed_dictionaries({}, optional={"tag": st.just("PT-2"), "q": st.booleans(), "ts": st.just(SECOND)})
MAPPING = {"ts": {"path": "ts"}, "tag": {"path": "tag"}, "quality": {"path": "q", "scheme": "boolean"}}


def by_reference(path: Path, mapping: dict[str, Any], payloads: list[bytes]) -> tuple[list[Any], dict[str, int]]:
    """What `compile_payload` reads from messages, routed."""
    site = pump_site(path.parent, [{"name": "s", "type": "json", "path": path.name, "readings": mapping}])
    of_payload = compile_payload(site.sources[0].readings.model_dump(mode="json"), site.timezone)
    router, rows, rejected = router_of(site), [], {}
    for outcome in (outcome for payload in payloads for outcome in of_payload(payload)):
        if isinstance(outcome, Rejected):
            rejected[outcome.reason] = rejected.get(outcome.reason, 0) + 1
        elif (route := router.route(*outcome[:3])) is None:
            rejected["unknown-tag"] = rejected.get("unknown-tag", 0) + 1
        else:
            value = None if math.isnan(outcome.value) else outcome.value
            rows.append((route[0], router.sensors_of(route[0])[route[1]], outcome.ts, value))
    return sorted(rows, key=str), rejected


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(RECORDS, AROUND, st.integers(1, 5), st.sampled_from(["array", "path", "lines"]))
def test_files_are_read_as_messages_are(elements, around, batch, shape):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(importer, "BATCH_RECORDS", batch)
        path = Path(folder) / "a.json"
        if shape == "lines":
            mapping, texts = MAPPING, [json.dumps(element) for element in [*elements, {"ts": SIX}, {"ts": SIX}]]
            path.write_text("\n".join(texts) + "\n")
            if not importer.in_lines(path.read_text()):
                return
        elif shape == "array":
            mapping, texts = {**MAPPING, "records": "."}, [json.dumps(elements)]
            path.write_text(texts[0])
        else:
            mapping, texts = {**MAPPING, "records": "a.list"}, [json.dumps({"a": {"list": elements}, **around})]
            path.write_text(json.dumps({"a": {"list": elements}, **around}, indent=1))
        if any(isinstance(e, dict) and isinstance(e.get("value"), float) and math.isnan(e["value"]) for e in elements):
            texts = [json.dumps(e) for e in elements] if shape == "lines" else []
            if shape != "lines":  # the reference refuses the whole message; here only the record
                read("json", path, mapping)
                return
            texts += [json.dumps({"ts": SIX})] * 2
        found, tally = read("json", path, mapping)
        expected, rejected = by_reference(path, mapping, [text.encode() for text in texts])
        assert found == expected
        assert dict(tally.rejected) == rejected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSON, min_size=1, max_size=3), st.integers(1, 7), st.sampled_from([None, 1]))
@settings(max_examples=50, deadline=None)
def test_values_are_read_in_pieces_of_any_size(values, size, indent):
    text = "\n ".join(json.dumps(value, indent=indent) for value in values)
    pieces = iter([text[start : start + size] for start in range(0, len(text), size)])
    scanner = Scanner(lambda _: next(pieces, ""))
    found = []
    while scanner.peek():
        found.append(scanner.value())
    assert found == values


@pytest.mark.slow
@given(st.lists(JSON, max_size=9), st.integers(1, 40), st.sampled_from([None, 1]))
@settings(max_examples=50, deadline=None)
def test_elements_are_read_in_lists_of_any_length(values, size, indent):
    text = json.dumps(values, indent=indent) + " 7"
    pieces = iter([text[start : start + size] for start in range(0, len(text), size)])
    scanner = Scanner(lambda _: next(pieces, ""))
    assert [element for elements in scanner.elements() for element in elements] == values
    assert scanner.value() == 7


@given(st.text(alphabet='{}[]",:1 a\\n', max_size=12))
@settings(max_examples=50, deadline=None)
def test_other_texts_are_refused(text):
    try:
        expected: Any = [json.loads(text)]
    except ValueError:
        expected = None
    pieces = iter(text)
    scanner, found = Scanner(lambda _: next(pieces, "")), []
    try:
        while scanner.peek():
            found.append(scanner.value())
    except NotJson:
        assert expected is None
    else:
        assert expected is None or found == expected


def test_large_objects_around_records_are_not_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(messages, "LARGEST_AROUND", 50)
    document = {"tag": "FT-2", "other": ["x" * 100] * 10, "list": [{"ts": SIX, "value": 1.5}]}
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert read("json", tmp_path / "a.json", {**TAGGED, "records": "list"})[0] == ONE


def test_messages_are_made_smaller_until_they_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(messages, "MAX_PAYLOAD", 150)
    texts = [line(n, ts=f"2026-01-03T06:00:{n:02d}Z") for n in range(20)] + [line(ts="x")]
    (tmp_path / "a.json").write_text(f"[{','.join(texts)}]")
    rows, tally = read("json", tmp_path / "a.json", TAGGED)
    assert [value for *_, value in rows] == [float(n) for n in range(20)]
    assert tally.examples["bad-timestamp"][0].startswith("a.json:[20]: 'x'")


def test_an_array_that_occurs_in_several_documents(tmp_path):
    one, two = ({"tag": tag, "list": [{"ts": SIX, "value": 1.5}, {"value": 2}]} for tag in ("FT-2", "PT-2"))
    (tmp_path / "a.json").write_text(json.dumps(one, indent=1) + json.dumps(two, indent=1))
    rows, tally = read("json", tmp_path / "a.json", {**TAGGED, "records": "list"})
    assert rows == [*ONE, ("p2", "pressure", T0, 1.5)]
    assert tally.examples["missing-field"] == [f"a.json:document {number}, list[1]: no ts at 'ts'" for number in (1, 2)]


def test_paths_of_records():
    def found(document: Any, path: str) -> list[tuple[Any, str]]:
        text = json.dumps(document)
        outline = documents.outlines(Scanner(_once(text)), path)
        return [(record.value, record.place) for record in documents.records(Scanner(_once(text)), path, outline, "a")]

    assert found([1, 2], ".") == [(1, "a:[0]"), (2, "a:[1]")]
    assert found({"a": {"b": [1]}, "b": [2]}, "a.b") == [(1, "a:a.b[0]")]
    assert found({"a": [{"b": {"c": [1, 2]}}, {"b": {}}, 3]}, "a.b.c") == [
        *((1, "a:a[0].b.c[0]"), (2, "a:a[0].b.c[1]"), ({"b": {}}, "a:a[1]"), (3, "a:a[2]"))
    ]


def _once(text: str):
    pieces = iter([text])
    return lambda _: next(pieces, "")
