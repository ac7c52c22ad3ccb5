"""Tables with columns of their own for the value, the instant and the quality of each tag, by name and by place."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.record_tables import ROUTER, assert_alike, by_the_rule, read, texts

from eugenie_cli.readings.columns.reader import compile_columns
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Reading
from eugenie_cli.site.readings_mapping import ReadingsMapping

FIVE = 1_768_280_400_000  # 2026-01-13T05:00:00Z
BY_NAME = {
    "shape": "wide", "format": "csv", "ts": {"timezone": "UTC"}, "quality": {"scheme": "opcda"}, "ignore": ["id"],
    "columns": {"value": "{tag}_VALUE", "ts": "{tag}_TIMESTAMP", "quality": "{tag}_QUALITY"},
}  # fmt: skip
NAMES = ["id", "FT-1_VALUE", "FT-1_TIMESTAMP", "FT-1_QUALITY", "7_VALUE", "7_TIMESTAMP", "7_QUALITY"]
SHARED = {"shape": "wide", "format": "csv", "ts": {"path": "ts", "timezone": "UTC"}}
TIME, LATER = "2026-01-13 05:00:00", "2026-01-13 05:00:00.4"


def test_columns_by_name():
    rows = [["1", "2.41", TIME, "192", "1", LATER, "192"], ["2", "0", LATER, "0", "", "", ""]]
    assert assert_alike(texts(rows, NAMES), BY_NAME) == [
        ("pump-1", "flow", FIVE, 2.41),
        ("pump-1", "flow", FIVE + 400, None),
        ("pump-1", "run", FIVE + 400, 1.0),
    ]


def test_what_is_wrong_with_one_tag_does_not_concern_others():
    rows = [["1", "soon", TIME, "192", "1", "soon", "192"], ["2", "1", "", "192", "1", TIME, "900"]]
    found, refusals, reader = read(texts(rows, NAMES), BY_NAME)
    assert found == [("pump-1", "run", FIVE, None)]
    assert refusals == [
        ("missing-field", [1], "FT-1_VALUE"), ("bad-value", [0], "FT-1_VALUE"), ("bad-timestamp", [0], "7_VALUE"),
    ]  # fmt: skip
    assert reader.lost == 1
    block = pa.RecordBatch.from_arrays(list(texts(rows, NAMES).values()), NAMES)
    assert reader.explain(block, 1, "FT-1_VALUE") == "FT-1_VALUE: no ts at 'FT-1_TIMESTAMP'"
    assert reader.explain(block, 0, "7_VALUE").startswith("7_VALUE: 'soon' is not ISO 8601")


def test_a_tag_without_its_columns_is_rejected():
    columns = texts([["1", TIME, "2"]], ["FT-1_VALUE", "FT-1_TIMESTAMP", "7_VALUE"])
    found, refusals, reader = read(columns, {**BY_NAME, "ignore": []})
    assert found == []
    assert refusals == [("missing-field", [0], "FT-1_VALUE"), ("missing-field", [0], "7_VALUE")]
    block = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    assert reader.explain(block, 0, "FT-1_VALUE") == "FT-1_VALUE: no quality at 'FT-1_QUALITY'"


def test_qualities_of_tags_beside_a_shared_instant():
    columns = texts([[TIME, "2.4", "Good", "1", "Bad"]], ["ts", "FT-1", "FT-1.Q", "7", "7.Q"])
    mapping = {
        "shape": "wide",
        "format": "csv",
        "ts": {"path": "ts", "timezone": "UTC"},
        "columns": {"quality": "{tag}.Q"},
    }
    found, refusals, reader = read(columns, mapping)
    assert found == [("pump-1", "flow", FIVE, 2.4), ("pump-1", "run", FIVE, None)]
    assert (refusals, reader.unknown_columns()) == ([], ())
    assert by_the_rule(columns, mapping) == (found, [])


@pytest.mark.parametrize("header", [["FT-1", "column 2", "7", "column 4"], ["column 1", "FT-1", "column 3", "7"]])
def test_pairs_of_instant_and_value_by_place(header):
    mapping = {"shape": "wide", "format": "csv", "ts": {"timezone": "UTC"}, "columns": {"repeat": ["ts", "value"]}}
    rows = [[TIME, "2.4", LATER, "1"], [LATER, "Bad", "", ""], [LATER, "", "", "5"]]
    found, refusals, _ = read(texts(rows, header), mapping)
    assert found == [
        ("pump-1", "flow", FIVE, 2.4), ("pump-1", "flow", FIVE + 400, None), ("pump-1", "flow", FIVE + 400, None),
        ("pump-1", "run", FIVE + 400, 1.0),
    ]  # fmt: skip
    assert refusals == [("missing-field", [2], header[3])]


def test_pairs_of_tag_and_value_by_place():
    mapping = {
        "shape": "wide", "format": "csv", "ts": {"path": "time", "timezone": "UTC"},
        "columns": {"repeat": ["tag", "value"]},
    }  # fmt: skip
    rows = [[TIME, "FT-1", "2.4", "7", "1", ""], [TIME, "7", "0", "", "", ""], [TIME, "XX", "0", "", "3", ""]]
    columns = texts(rows, ["time", "a", "b", "c", "d", "e"])
    found, refusals, _ = read(columns, mapping)
    assert sorted(found) == [("pump-1", "flow", FIVE, 2.4), ("pump-1", "run", FIVE, 0.0), ("pump-1", "run", FIVE, 1.0)]
    assert refusals == [("unknown-tag", [2], "b"), ("missing-field", [2], "d")]
    assert_alike(columns, mapping)


PLACES = st.sampled_from(["FT-1", "7", "", "XX", "1", TIME])
CELL = st.tuples(
    st.sampled_from(["2.5", "", " ", "Bad", "soon"]),
    st.sampled_from([TIME, LATER, "", "soon"]),
    st.sampled_from(["192", "0", "", "x"]),
)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8))
def test_columns_by_name_are_read_like_the_rule(rows):
    assert_alike(texts([["1", *first, *second] for first, second in rows], NAMES), BY_NAME)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["FT-1", "7", "", "XX", "1", TIME]), min_size=5, max_size=5), min_size=1, max_size=8
    )
)
def test_columns_by_place_are_read_like_the_rule(rows):
    columns = texts([[TIME, *row] for row in rows], ["ts", "a", "b", "c", "d", "e"])
    for repeat in (["tag", "value"], ["value", "tag", "quality"]):
        mapping = {"shape": "wide", "format": "csv", "ts": {"path": "ts"}, "columns": {"repeat": repeat}}
        assert_alike(columns, {**mapping, "quality": {"scheme": "opcda"}} if "quality" in repeat else mapping)


def test_messages_are_read_by_the_same_columns():
    mapping = ReadingsMapping(**{**BY_NAME, "format": "json"}).model_dump(mode="json")
    payload = b'{"id":1,"FT-1_VALUE":2.41,"FT-1_TIMESTAMP":"2026-01-13T05:00:00Z","FT-1_QUALITY":192}'
    assert compile_payload(mapping, "UTC")(payload) == [Reading(None, None, "FT-1", FIVE, 2.41, True)]
    found = compile_columns(mapping, "UTC", lambda *_: 4)([payload] * 3)
    assert found.ts.tolist() == [FIVE] * 3 and found.value.tolist() == [2.41] * 3 and found.place.tolist() == [4] * 3


def test_tags_without_regard_to_case():
    columns = texts([[TIME, "1", "2"]], ["ts", "ft-1", "RUN"])
    mapping = SHARED
    found, _, reader = read(columns, mapping)
    assert found == [] and reader.unknown_columns() == ("ft-1", "RUN")
    found, _, reader = read(columns, {**mapping, "case": "ignore"})
    assert found == [("pump-1", "flow", FIVE, 1.0), ("pump-1", "run", FIVE, 2.0)] and reader.unknown_columns() == ()
    exact = ROUTER.ignoring_case()
    assert exact.route(None, None, "ft-1") == ROUTER.route(None, None, "FT-1") == ("pump-1", 0)
    assert exact.route("fan-1", "SPEED", None) == ("fan-1", 0) and exact.route("fan-1", None, "ft-1") is None
