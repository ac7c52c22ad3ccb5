"""Avro messages: they give the same readings as JSON, and no body breaks the reader."""

from __future__ import annotations

import datetime as dt
import io
import json
import struct
import sys
from decimal import Decimal
from uuid import UUID

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st
from support.golden_cases import schemas_in

from eugenie_cli.readings.avro import compile_avro, plain
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reject_reasons import REASONS
from eugenie_cli.site.readings_mapping import ReadingsMapping

READING = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "asset", "type": ["null", "string"]},
        {"name": "sensor", "type": "string"},
        {"name": "ts", "type": ["string", "long"]},
        {"name": "value", "type": ["null", "double", "long", "boolean", "string"]},
        {"name": "seen", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "raw", "type": {"type": "array", "items": "bytes"}},
    ],
}
MAPPING = {"asset": {"path": "asset"}, "sensor": {"path": "sensor"}}


def dumped(**more) -> dict:
    return ReadingsMapping.model_validate({**MAPPING, **more}).model_dump(mode="json")


def framed(schema, value, number: int = 1) -> bytes:
    body = io.BytesIO()
    schemaless_writer(body, parse_schema(schema), value)
    return struct.pack(">bI", 0, number) + body.getvalue()


def reading(**members) -> dict:
    seen = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
    return {
        "asset": "p",
        "sensor": "s",
        "ts": "2026-01-01T00:00:00Z",
        "value": 1.5,
        "seen": seen,
        "raw": [b"7"],
        **members,
    }


READ = compile_avro(schemas_in({"1": [READING]}))
TO_READINGS = compile_payload(dumped(format="avro"), "UTC", schemas_in({"1": [READING]}))


def test_logical_types_become_their_json_form():
    utc = dt.timezone.utc
    value = {
        "instant": dt.datetime(2026, 1, 3, 6, 0, 0, 250_000, tzinfo=utc),
        "local": dt.datetime(2026, 1, 3, 6),
        "early": dt.datetime(1, 1, 1, tzinfo=utc),
        "day": dt.date(2026, 1, 3),
        "clock": dt.time(6, 30),
        "amount": Decimal("-1.50"),
        "id": UUID(int=7),
        "bytes": b"42",
        "inner": [{"n": None, "t": True, "i": 7}],
    }
    assert plain(value) == {
        "instant": "2026-01-03T06:00:00.250000+00:00",
        "local": "2026-01-03T06:00:00",
        "early": "0001-01-01T00:00:00+00:00",
        "day": "2026-01-03",
        "clock": "06:30:00",
        "amount": "-1.50",
        "id": "00000000-0000-0000-0000-000000000007",
        "bytes": [52, 50],
        "inner": [{"n": None, "t": True, "i": 7}],
    }
    json.dumps(plain(value))


def test_bytes_are_not_a_value_even_if_they_are_digits():
    schema = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "sensor", "type": "string"},
            {"name": "ts", "type": "string"},
            {"name": "value", "type": "bytes"},
        ],
    }
    read = compile_payload(dumped(format="avro", asset={"const": "p"}), "UTC", schemas_in({"1": [schema]}))
    (refused,) = read(framed(schema, {"sensor": "s", "ts": "2026-01-01T00:00:00Z", "value": b"42"}))
    assert refused.reason == "bad-value"


def test_bytes_are_not_a_name():
    schema = {"type": "record", "name": "R", "fields": [{"name": "sensor", "type": "bytes"}]}
    read = compile_payload(dumped(format="avro", asset={"const": "p"}), "UTC", schemas_in({"1": [schema]}))
    (refused,) = read(framed(schema, {"sensor": b"42"}))
    assert refused.reason == "missing-field"


def test_a_body_written_by_hand_from_the_specification():
    """Zigzag varints, lengths before text, the branch before a union: independent of any Avro writer."""
    schema = {"type": "record", "name": "R", "fields": [
        {"name": "n", "type": "long"}, {"name": "s", "type": "string"}, {"name": "u", "type": ["null", "double"]},
        {"name": "a", "type": {"type": "array", "items": "int"}},
    ]}  # fmt: skip
    body = bytes.fromhex("ac02 06 61c3bc 02 000000000000f83f 04 01 8002 00")
    assert compile_avro(schemas_in({"7": [schema]}))(bytes.fromhex("0000000007") + body) == {
        "n": 150, "s": "aü", "u": 1.5, "a": [-1, 128],
    }  # fmt: skip


def test_a_schema_is_requested_and_compiled_once():
    requested = []

    def schema_of(number: int):
        requested.append(number)
        return [READING]

    read = compile_avro(schema_of)
    assert read(framed(READING, reading())) == read(framed(READING, reading()))
    assert requested == [1]


def test_the_error_of_an_unreachable_registry_reaches_the_caller():
    def unreachable(number: int):
        raise ConnectionError("unreachable")

    with pytest.raises(ConnectionError):
        compile_payload(dumped(format="avro"), "UTC", unreachable)(framed(READING, reading()))


def test_a_body_larger_than_a_message_is_refused():
    assert READ(b"\0" * 1_000_001).reason == "too-large"


def test_without_fastavro_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(ValueError, match=r"pip install 'eugenie\[avro\]'"):
        compile_avro(schemas_in({}))


# -- properties ------------------------------------------------------------------------------------------

MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "asset": st.one_of(st.none(), st.text(max_size=4)),
        "sensor": st.text(max_size=4),
        "ts": st.one_of(st.integers(0, 2**40), st.sampled_from(["2026-01-01T00:00:00+01:00", "soon", ""])),
        "value": st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(), st.text(max_size=4)),
    },
)  # fmt: skip


@pytest.mark.slow
@given(MEMBERS)
def test_avro_gives_the_same_outcome_as_json(members):
    record = reading(**members)
    as_json = {**record, "seen": "x", "raw": []}
    if as_json["value"] != as_json["value"] or as_json["value"] in (float("inf"), float("-inf")):
        as_json["value"] = str(as_json["value"])  # JSON has no such number: gateways write its name as text
    outcome = TO_READINGS(framed(READING, record))
    assert repr(outcome) == repr(compile_payload(dumped(), "UTC")(json.dumps(as_json).encode()))


@given(MEMBERS, st.lists(st.tuples(st.integers(0, 80), st.binary(max_size=4)), max_size=3), st.integers(0, 80))
def test_any_body_gives_only_readings_and_rejections(members, noise, cut):
    payload = framed(READING, reading(**members))
    for at, bytes_ in noise:
        payload = payload[:at] + bytes_ + payload[at + len(bytes_) :]
    for body in (payload, payload[:cut]):
        for outcome in TO_READINGS(body):
            assert not hasattr(outcome, "reason") or outcome.reason in REASONS
