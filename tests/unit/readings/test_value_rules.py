"""States, thousands, sentinels, ranges, stripped texts and scales: by the rule and as columns."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.record_tables import assert_alike, texts

from eugenie_cli.readings.columns.values import Values
from eugenie_cli.readings.values import MAX_VALUE, ValueRule, compile_rule

BAD, REFUSED = math.nan, None
STATES = {"map": {"OPEN": 1, "CLOSED": 0, "2": 20, "Maintenance": None}}


def both(part: dict, text: str) -> float | None:
    """The value of a text, by the rule and as a column, which must agree; None if it is refused."""
    try:
        value = compile_rule(ValueRule.of(part))(text.strip(" \t"))
    except ValueError:
        value = None
    for column in ([text], [text, "1", text], [text] * 20):
        found, read = Values(part).of_texts(pa.array(column, pa.string()))
        assert read[0] == (value is not None), text
        assert value is None or found[0] == value or (math.isnan(found[0]) and math.isnan(value)), text
    return value


@pytest.mark.parametrize(
    ("part", "text", "expected"),
    [
        (STATES, "OPEN", 1), (STATES, " open ", 1), (STATES, "Closed", 0), (STATES, "maintenance", BAD),
        (STATES, "2", 20), (STATES, "2.0", 20), (STATES, "3", 3), (STATES, "opening", REFUSED),
        ({"map": {"0": 1, "1": 0}}, "0", 1), ({"map": {"0": 1, "1": 0}}, "1.0", 0),
        ({"map": {"on": 0, "off": 1}}, "ON", 0),  # a contact that opens
        ({"map": {"Bad": 5}}, "bad", 5),  # states precede the well-known words
        ({"thousands": ","}, "1,012.5", 1012.5), ({"thousands": ","}, "-12,345,678", -12345678),
        ({"thousands": ","}, "1,5", REFUSED), ({"thousands": ","}, "1,2345", REFUSED),
        ({"thousands": ","}, "12,34,567.5", 1234567.5),  # lakhs
        ({"thousands": ","}, "1012.5", 1012.5), ({"thousands": ","}, "+1,012", 1012),
        ({"thousands": ".", "decimal": ","}, "1.012,5", 1012.5), ({"thousands": ".", "decimal": ","}, "1.5", REFUSED),
        ({"thousands": " ", "decimal": ","}, "1 012,5", 1012.5),
        ({"thousands": " "}, "1\u00a0012.5", 1012.5), ({"thousands": " "}, "1\u202f012", 1012),
        ({"thousands": "'"}, "1'012.5", 1012.5), ({"thousands": "'"}, "1\u2019012", 1012),
        ({}, "1,012.5", REFUSED), ({}, "1 012", REFUSED),
        ({"bad": ["-9999"]}, "-9999", BAD), ({"bad": ["-9999"]}, "-9999.000", BAD),
        ({"bad": ["-9999"]}, "-9998", -9998),
        ({"bad": ["-10000..-9000"]}, "-9999.5", BAD), ({"bad": ["..-100"]}, "-101", BAD),
        ({"bad": ["..-100"]}, "-99", -99),
        ({"bad": ["32767.."]}, "32767", BAD), ({"bad": ["Kein Wert"]}, "kein wert", BAD),
        ({"strip": ["<", "*"]}, "<0.5", 0.5), ({"strip": ["<", "*"]}, "< 0.5 *", 0.5),
        ({"strip": ["<"]}, ">0.5", REFUSED),
        ({"strip": ["<"]}, "<Bad", BAD), ({"strip": ["bar"]}, "2.4 bar", 2.4),
        ({"unit": "bar"}, "2.4\u00a0bar", 2.4), ({"strip": ["bar"]}, "2.4\u202fbar", 2.4),
        ({"scale": 0.1}, "25", 2.5), ({"scale": 2, "offset": -1}, "3", 5), ({"scale": 2, **STATES}, "OPEN", 1),
        ({"scale": 0.1, "bad": ["-9999"]}, "-9999", BAD), ({"scale": 2}, "true", 1), ({"scale": 1e30}, "1e30", BAD),
        ({"unit": "bar", "thousands": ","}, "1,012.5 bar", 1012.5),
        ({}, "Manual", BAD), ({}, "[-11059] No Good Data For Calculation", BAD), ({}, "Error 11059", BAD),
        ({}, "?271", BAD), ({}, "Bad Lab Data", BAD), ({}, "[abc]", REFUSED),
    ],
)  # fmt: skip
def test_one_text(part, text, expected):
    value = both(part, text)
    assert value == expected or (isinstance(value, float) and math.isnan(value) and expected is BAD)


@pytest.mark.parametrize(
    ("part", "text", "words"),
    [
        ({}, "1,012.5", 'with `thousands: ","`'),
        ({"decimal": ","}, "1.012,5", 'with `thousands: "."`'),
        ({}, "1 012.5", 'with `thousands: " "`'),
        ({}, "OPEN", "as a state, `map: {OPEN: <its number>}`"),
        ({}, "2.4 bar", "with `unit: bar`"),
    ],
)
def test_a_refused_text_says_what_to_write(part, text, words):
    with pytest.raises(ValueError, match="neither a number") as error:
        compile_rule(ValueRule.of(part))(text)
    assert words in str(error.value)


PARTS = st.sampled_from(
    [
        {}, {"decimal": ","}, {"thousands": ","}, {"thousands": " ", "decimal": ","}, {"scale": 0.5, "offset": 3},
        {"bad": ["-9999", "1e3..2e3"], "strip": ["<"]}, {**STATES, "bad": ["7"], "scale": 3},
        {"thousands": ".", "decimal": ","},
        {"map": {"1,500": 7, "0": 1, "1": 0}, "thousands": ","},
    ]
)  # fmt: skip
WORDS = st.one_of(
    st.text("0123456789.,-+eE <'\t", max_size=9),
    st.sampled_from(
        ["OPEN", "closed", "", "Bad", "true", "off", "nan", "1e400", "-inf", "1,500", "1.500,5", "0x10", "1_0"]
    ),
    st.floats(allow_nan=False).map(repr),
    st.integers(-(10**9), 10**9).map("{:,}".format),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(PARTS, st.lists(WORDS, min_size=1, max_size=30))
def test_columns_of_texts_are_read_like_the_rule(part, column):
    rule = compile_rule(ValueRule.of(part))
    value, read = Values(part).of_texts(pa.array(column, pa.string()))
    for text, found, is_read in zip(column, value, read, strict=True):
        try:
            expected = rule(text.strip(" \t"))
        except ValueError:
            assert not is_read, text
        else:
            assert is_read and (found == expected or (math.isnan(found) and math.isnan(expected))), text


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(PARTS, st.lists(st.floats() | st.integers(-5, 2500).map(float), min_size=1, max_size=30))
def test_numbers_are_read_like_the_rule_in_messages_and_typed_columns(part, numbers):
    rule = ValueRule.of(part)
    expected = np.array([rule.of_number(number) for number in numbers])
    typed, read = Values(part).of_column(pa.array(numbers, pa.float64()))
    assert read.all() and np.array_equal(typed, expected, equal_nan=True)
    members, readable = Values(part).of_members(numbers, None)
    inside = np.array([not abs(number) > MAX_VALUE for number in numbers])
    assert np.array_equal(readable, inside) and np.array_equal(members[inside], expected[inside], equal_nan=True)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.sampled_from(["", " ", "2.5", "0", "Bad", "soon"])] * 3, st.sampled_from(["192", "0", ""])),
        min_size=1,
        max_size=20,
    )
)
def test_of_several_columns_the_first_that_is_not_empty_counts(rows):
    columns = texts([["1768280400000", "FT-1", *row] for row in rows], ["ts", "tag", "a", "b", "c", "q"])
    mapping = {
        "ts": {"path": "ts", "unit": "ms"}, "tag": {"path": "tag"}, "value": {"path": ["a", "b", "c"]},
        "quality": {"path": "q", "scheme": "opcda"}, "format": "csv",
    }  # fmt: skip
    assert_alike(columns, mapping)


def test_columns_of_several_types_are_one_value():
    columns = {
        "ts": pa.array([1768280400000] * 4), "tag": pa.array(["FT-1"] * 4),
        "f": pa.array([2.5, None, None, None]), "i": pa.array([None, 3, None, 0]),
        "s": pa.array(["x", None, "Bad", "y"]),
    }  # fmt: skip
    mapping = {"ts": {"path": "ts", "unit": "ms"}, "tag": {"path": "tag"}, "value": {"path": ["f", "i", "s"]}}
    assert [value for *_, value in assert_alike(columns, mapping)] == [2.5, 3.0, None, 0.0]
