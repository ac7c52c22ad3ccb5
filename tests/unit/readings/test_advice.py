"""What to write in a site file for texts that its mapping does not read: who follows the advice reads them rightly."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.readings.format_advice import formats_reading, time_advice
from eugenie_cli.readings.timestamp_formats import compile_format
from eugenie_cli.readings.timestamps import compile_instant
from eugenie_cli.readings.values import ValueRule, compile_rule
from eugenie_cli.sources.records.advice import advised

FIVE = 1_768_280_400_000  # 2026-01-13T05:00:00Z


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("13.01.2026 05:00:00", ["%d.%m.%Y %H:%M:%S"]),
        ("13.01.26 05:00", ["%d.%m.%y %H:%M"]),
        ("3.1.2026 5:00", ["%d.%m.%Y %H:%M"]),  # with points, the day is first everywhere
        ("1/13/2026 5:00:00 AM", ["%m/%d/%Y %I:%M:%S %p"]),
        ("03/04/2026 5:00 PM", ["%d/%m/%Y %I:%M %p", "%m/%d/%Y %I:%M %p"]),
        ("26-01-13 05:00:00", ["%d-%m-%y %H:%M:%S", "%y-%m-%d %H:%M:%S"]),
        ("2026/01/13 05:00:00", ["%Y/%m/%d %H:%M:%S"]),
        ("2026-01-13 05:00:00:250", ["%Y-%m-%d %H:%M:%S:%f"]),
        ("2026-01-13_05-00-00", ["%Y-%m-%d_%H-%M-%S"]),
        ("20260113050000", ["%Y%m%d%H%M%S"]),
        ("20260113T050000Z", ["%Y%m%dT%H%M%S%z"]),
        ("13-Jan-26 05:00:00", ["%d-%b-%y %H:%M:%S"]),
        ("13 janv. 2026 05:00:00", ["%d %b %Y %H:%M:%S"]),
        ("13-JAN-26 05.00.00.000000000 AM", ["%d-%b-%y %I.%M.%S.%f %p"]),
        ("Jan 13, 2026, 5:00:00\u202fAM", ["%b %d, %Y, %I:%M:%S %p"]),
        ("Tue, 13 Jan 2026 05:00:00 GMT", ["%a, %d %b %Y %H:%M:%S %Z"]),
        ("Tue Jan 13 05:00:00 CET 2026", ["%a %b %d %H:%M:%S %Z %Y"]),
        ("2026年1月13日 5時00分00秒", ["%Y年%m月%d日 %H時%M分%S秒"]),
        ("2026/01/13 午後 5:00:00", ["%Y/%m/%d %p %I:%M:%S"]),
        ("13/01/2026 5:00:00 a. m.", ["%d/%m/%Y %I:%M:%S %p"]),
        ("2026-01-13", []), ("05:00:00", []), ("Total", []), ("46035.2", []), ("", []), ("2026-13-45 05:00", []),
    ],
)  # fmt: skip
def test_the_formats_that_read_a_text(text, formats):
    assert list(formats_reading(text)) == formats


FORMATS = [
    "%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M", "%d-%b-%y %H:%M:%S", "%Y%m%d%H%M%S", "%m/%d/%Y %I:%M:%S %p",
    "%d %B %Y %H:%M:%S.%f", "%b %d, %Y %I:%M %p", "%y-%m-%d %H:%M:%S",
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FORMATS), st.datetimes(datetime(2001, 1, 1), datetime(2030, 12, 31)))
def test_one_of_the_formats_reads_a_text_as_it_was_written(format, instant):
    text = instant.strftime(format)
    meant = compile_format(format, timezone.utc)(text)
    assert meant in [compile_format(found, timezone.utc)(text) for found in formats_reading(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("05:00:00", "it has no date.*`path: \\[Date, Time\\]`"),
        ("13.01.2026", 'no time of day.*`path: \\[Date, Time\\]` with `format: "%d.%m.%Y %H:%M:%S"`'),
        ("03/04/2026 05:00:00", "%d/%m/%Y.* or .*%m/%d/%Y.*depending on which number is the day"),
        ("01/13/2026 05:00:00 250", '`format: "%m/%d/%Y %H:%M:%S"` reads it'),  # the last column is milliseconds
    ],
)
def test_what_to_write_for_a_text_that_is_no_instant(text, words):
    assert re.search(words, time_advice(text))
    with pytest.raises(ValueError, match="is not ISO 8601") as refused:
        compile_instant()(text)
    assert re.search(words, advised("bad-timestamp", str(refused.value)))
    assert advised("bad-value", str(refused.value)) == str(refused.value)


@pytest.mark.parametrize("text", ["13-Jan-26 05:00:03", "2026-01-13T05:00:00Z", "13.01.2026 05:00"])
def test_an_instant_in_place_of_a_value_shows_that_columns_repeat(text):
    with pytest.raises(ValueError, match="neither a number") as refused:
        compile_rule(ValueRule())(text)
    assert "`columns: {repeat: [ts, value]}`" in advised("bad-value", str(refused.value))


def test_a_state_is_not_given_a_number():
    """Following `map: {CLOSED: 1}` and `map: {OPEN: 1}` would have made the two states one."""
    assert "`map: {CLOSED: <its number>}`" in advice({}, "CLOSED")


def test_a_number_gets_its_unit_and_no_format():
    with pytest.raises(ValueError, match="is not ISO 8601") as refused:
        compile_instant()("20260113050000")
    assert '`format: "%Y%m%d%H%M%S"` reads it' in advised("bad-timestamp", str(refused.value))
    with pytest.raises(ValueError, match="unit: s") as refused:
        compile_instant()("1768280400")
    assert "format" not in advised("bad-timestamp", str(refused.value))


def test_a_name_of_a_zone_may_follow_an_offset_but_not_replace_it():
    assert compile_instant()("2026-01-13T06:00:00+01:00[Europe/Berlin]") == FIVE
    assert compile_instant()("2026-01-13T05:00:00Z[UTC]") == FIVE
    with pytest.raises(ValueError, match="is not ISO 8601"):
        compile_instant()("2026-01-13T05:00:00[Europe/Berlin]")


SETTING = re.compile(r"`(decimal|thousands): \"(.)\"`")


def advice(part, text):
    with pytest.raises(ValueError, match="neither a number") as refused:
        compile_rule(ValueRule.of(part))(text)
    return str(refused.value).partition("nor a known status text")[2]


@pytest.mark.parametrize(
    ("part", "text", "numbers"),
    [
        ({}, "2,41", [2.41]), ({}, "2,412", [2412, 2.412]), ({}, "1.031,20", [1031.2]), ({}, "1 031,2", [1031.2]),
        ({"decimal": ","}, "1.031", [1031, 1.031]), ({"decimal": ","}, "2.41", [2.41]), ({}, "1'031.2", [1031.2]),
        ({}, "1.031.200", [1031200]), ({}, "1,00,031.2", [100031.2]), ({"unit": "bar"}, "2,4 bar", [2.4]),
    ],
)  # fmt: skip
def test_a_number_gets_every_setting_that_reads_it_with_the_number_that_it_then_is(part, text, numbers):
    """1.031 may be one or a thousand: to advise only `thousands` would be a guess."""
    found = advice(part, text).split("; ")
    assert len(found) == len(numbers)
    for words, number in zip(found, numbers, strict=True):
        assert f"it is {number:g}" in words or f"it is {number}" in words
        assert compile_rule(ValueRule.of({**part, **dict(SETTING.findall(words))}))(text) == number


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<0.5", '`strip: ["<"]` in the mapping\'s value, it counts as 0.5; with `bad: ["<0.5"]`'),
        ("Yes", 'map: {"Yes": <its number>}'), ("<No Value>", 'bad: ["<No Value>"]'),
        ("Stufe 1", "map: {Stufe 1: <its number>}"),
    ],
)  # fmt: skip
def test_other_texts_get_what_yaml_reads_as_them(text, words):
    assert words in advice({}, text)


@pytest.mark.parametrize("text", ["5-", "(5)", "0x1F", "1D+03", "12:30", "2.42 <Bad>", "1_000"])
def test_no_advice_makes_another_number_of_a_text(text):
    assert "unit" not in advice({}, text) and "strip" not in advice({}, text)


def test_a_typographers_minus_is_a_minus():
    assert compile_rule(ValueRule())("\u22125") == -5
    assert compile_rule(ValueRule(decimal=","))("\u22122,5") == -2.5


@pytest.mark.parametrize("text", ["----", "--.--", "????", "########", "(null)", "<NULL>", "\\N", "1.#IND00", "+OVER"])
def test_texts_without_a_number_are_bad(text):
    assert math.isnan(compile_rule(ValueRule())(text))


@pytest.mark.parametrize("text", ["+", "_", "Over", "OL", "#ERR"])
def test_texts_that_may_be_states_are_refused(text):
    assert "as a state" in advice({}, text)
