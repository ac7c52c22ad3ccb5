"""Whole messages: arrays of records, and payloads that are not messages."""

from __future__ import annotations

import json
from base64 import b64encode
from codecs import BOM_UTF8

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.both_readers import outcomes_of

from eugenie_cli.readings.mapping import compile_mapping
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.payload_formats import parse_payload
from eugenie_cli.readings.reading import Reading, Rejected
from eugenie_cli.readings.reject_reasons import REASONS
from eugenie_cli.site.readings_mapping import ReadingsMapping


def dumped(**mapping) -> dict:
    return ReadingsMapping.model_validate(mapping).model_dump(mode="json")


LONG = {"asset": {"path": "asset"}, "sensor": {"path": "sensor"}, "quality": {"path": "q"}}
WIDE = {"shape": "wide", "asset": {"path": "asset"}, "quality": {"path": "q"}}
OF_LONG, OF_WIDE = (
    compile_payload(dumped(records="of", **LONG), "UTC"),
    compile_payload(dumped(records="of", **WIDE), "UTC"),
)
WHOLE = compile_payload(dumped(records=".", **LONG), "UTC")


def reasons_of(outcomes) -> list[str]:
    return [outcome.reason for outcome in outcomes]


def test_a_rejection_names_its_record():
    message = {"ts": "2026-01-01T00:00:00Z", "of": [{"asset": "p", "sensor": "s", "value": "open"}, 5]}
    value, shape = OF_LONG(json.dumps(message).encode())
    assert value.detail.startswith("of[0]: 'open' is neither a number")
    assert shape == Rejected("bad-json", "of[1]: a record is a JSON object, not int")
    assert WHOLE(b"[[]]") == [Rejected("bad-json", "[0]: a record is a JSON object, not list")]


def test_missing_records_are_reported_with_their_path():
    assert OF_LONG(b'{"of": {}}') == [Rejected("missing-field", "no records: dict, not an array, at 'of'")]
    assert OF_LONG(b"{}") == [Rejected("missing-field", "no records: nothing at 'of'")]
    assert WHOLE(b"{}") == [Rejected("missing-field", "no records: dict, not an array, as the message")]


def test_a_message_without_a_payload_is_refused():
    for read in (OF_LONG, WHOLE, compile_payload(dumped(**LONG), "UTC")):
        assert reasons_of(read(None)) == ["bad-json"]


def test_half_a_surrogate_pair_is_not_text():
    assert reasons_of(WHOLE(rb'[{"asset": "\uDC00"}]')) == ["bad-json"]
    assert reasons_of(WHOLE(rb'[{"\ud800": 1}]')) == ["bad-json"]
    assert reasons_of(WHOLE(rb'[{"asset": "\\ud800"}]')) == ["missing-field"]  # an escaped backslash, then text


def test_arrays_deeper_than_any_stack_are_refused():
    assert reasons_of(WHOLE(b"[" * 100_000)) == ["bad-json"]


def test_a_payload_larger_than_a_message_is_refused():
    assert reasons_of(WHOLE(b"[" + b" " * 1_000_000 + b"]")) == ["too-large"]
    assert WHOLE(b"[" + b" " * 999_998 + b"]") == []


def test_a_single_record_must_be_an_object():
    assert parse_payload(b"1") == Rejected("bad-json", "a record is a JSON object, not int")
    assert parse_payload(b'{"a": 1}') == {"a": 1}
    assert reasons_of(compile_payload(dumped(**LONG), "UTC")(b"[]")) == ["bad-json"]


@pytest.mark.parametrize(
    "mapping, payload, reason",
    [
        (LONG, b'"{}"', "missing-field"),
        (WIDE, b'"{}"', "missing-field"),
        ({"records": ".", **LONG}, b'"[]"', None),
        ({"records": "of", **LONG}, b'"{}"', "missing-field"),
        (LONG, b'"text"', "bad-json"),
    ],
)
def test_an_empty_object_in_a_text_is_an_object(mapping, payload, reason):
    (outcomes,) = outcomes_of(dumped(**mapping), payload)
    assert [outcome[0] for outcome in outcomes] == ([] if reason is None else [reason])


RECORD = b'{"asset": "p", "sensor": "s", "ts": "2026-01-01T00:00:00Z", "value": 2.5}'
OF_KAFKA = {"ts": {"const": "2026-01-01T00:00:00Z"}, "asset": {"const": "p"}, "sensor": {"const": "s"}}
OF_INFLUX = {"format": "influx", "asset": {"path": "tags.host"}}


@pytest.mark.parametrize(
    "mapping, payload",
    [
        (LONG, RECORD),
        (LONG, RECORD + b"\n" + RECORD),
        (LONG, b"\0\0\0\0\7" + BOM_UTF8 + RECORD),
        ({"base64": True, **LONG}, b64encode(RECORD)),
        ({"base64": True, **LONG}, b64encode(BOM_UTF8 + RECORD)),
        ({**OF_KAFKA, "value": {"record": "value"}}, b"2.5"),
        (OF_INFLUX, b"m,host=p s=2.5 1767225600000000000"),
        (OF_INFLUX, b"# a comment\nm,host=p s=2.5 1767225600000000000"),
    ],
)
def test_a_byte_order_mark_is_not_part_of_a_payload(mapping, payload):
    begins = b"" if payload[:1] == b"\0" else BOM_UTF8
    (outcomes,) = outcomes_of(dumped(**mapping), begins + payload)
    assert {outcome[-2:] for outcome in outcomes} == {(1_767_225_600_000, 2.5)}


def test_a_format_that_messages_cannot_have_is_refused():
    with pytest.raises(ValueError, match="csv"):
        compile_payload(dumped(format="csv", **LONG), "UTC")
    with pytest.raises(ValueError, match="registry"):
        compile_payload(dumped(format="avro", **LONG), "UTC")


# -- properties ------------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["2026-01-01T00:00:00Z", "1,5", "Bad", "good", "p1", " ", "", "flow"]), st.text(max_size=4),
    st.just([]), st.just({}),
)  # fmt: skip
RECORDS = st.dictionaries(st.sampled_from(["asset", "sensor", "ts", "value", "q", "other"]), VALUES)


def prefixed(outcomes, index: int) -> list[str]:
    """Outcomes as text, in which NaN equals NaN."""
    return [repr(outcome.within(f"of[{index}]") if isinstance(outcome, Rejected) else outcome) for outcome in outcomes]


@pytest.mark.slow
@given(st.lists(RECORDS, max_size=4), RECORDS)
def test_a_long_record_is_read_as_if_merged_into_its_message(elements, around):
    of_record = compile_mapping(dumped(**LONG), "UTC")
    message = {**around, "of": elements}
    expected = [
        text for index, element in enumerate(elements) for text in prefixed(of_record({**message, **element}), index)
    ]
    assert [repr(outcome) for outcome in OF_LONG(json.dumps(message).encode())] == expected


@pytest.mark.slow
@given(st.lists(RECORDS, max_size=4))
def test_wide_records_of_an_array_are_read_as_if_each_were_a_message(elements):
    of_record = compile_mapping(dumped(**WIDE), "UTC")
    expected = [text for index, element in enumerate(elements) for text in prefixed(of_record(element), index)]
    assert [repr(outcome) for outcome in OF_WIDE(json.dumps({"of": elements}).encode())] == expected


JSON = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
MANGLED = st.tuples(
    st.one_of(JSON, RECORDS, st.builds(lambda of: {"of": of}, st.lists(RECORDS))),
    st.binary(max_size=3),
    st.integers(0, 60),
)


@pytest.mark.slow
@given(st.one_of(st.binary(), MANGLED))
def test_any_payload_gives_only_readings_and_rejections(payload):
    if isinstance(payload, tuple):
        message, noise, at = payload
        text = json.dumps(message).encode()
        payload = text[:at] + noise + text[at + len(noise) :]
    for read in (OF_LONG, OF_WIDE, WHOLE):
        for outcome in read(payload):
            if isinstance(outcome, Rejected):
                assert outcome.reason in REASONS
                outcome.detail.encode("utf-8")
            else:
                assert isinstance(outcome, Reading)
                assert outcome.good == (outcome.value == outcome.value)
                "".join(name or "" for name in outcome[:3]).encode("utf-8")
