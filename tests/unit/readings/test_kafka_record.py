"""Parts of a reading from the Kafka record: its key, headers and timestamp, and a payload that is the value alone."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.readings.columns import flat_json
from eugenie_cli.readings.columns.reader import compile_columns
from eugenie_cli.readings.kafka_record import SHOWN, RecordParts, shown
from eugenie_cli.readings.mapping import compile_mapping
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Reading, Rejected
from eugenie_cli.site.checks.mapping import check_mapping
from eugenie_cli.site.readings_mapping import ReadingsMapping

NOW = 1_772_357_400_250
KEY, TIME, ALONE = {"record": "key"}, {"record": "timestamp"}, {"record": "value"}
MAPPINGS: dict[str, dict[str, Any]] = {
    "value alone": {"tag": KEY, "ts": TIME, "value": ALONE},
    "value alone, decimal comma": {
        "asset": {"header": "machine"},
        "tag": KEY,
        "ts": {"header": "at", "unit": "ms"},
        "value": {"record": "value", "decimal": ",", "status": ["Hors", "-9999"]},
        "quality": {"header": "q", "scheme": "opcda"},
    },
    "names outside": {"asset": {"header": "machine"}, "sensor": KEY, "ts": {"path": "ts"}},
    "time outside": {"asset": {"path": "asset"}, "sensor": {"path": "sensor"}, "ts": TIME},
    "quality outside": {"asset": {"path": "asset"}, "sensor": {"path": "sensor"}, "quality": {"header": "q"}},
    "wide": {"shape": "wide", "asset": KEY, "ts": TIME, "quality": {"header": "q"}, "ignore": ["asset", "sensor"]},
    "wide, nested": {"shape": "wide", "asset": KEY, "ts": TIME, "value": {"path": "m.n"}},
    "an array in a message": {"records": "m.list", "asset": KEY, "sensor": {"path": "sensor"}, "ts": TIME},
    "an array as the message": {"records": ".", "asset": KEY, "sensor": {"path": "sensor"}, "ts": {"path": "ts"}},
    "line protocol": {"format": "influx", "shape": "wide", "asset": KEY, "ts": TIME, "value": {"path": "fields"}},
    "base64": {"base64": True, "asset": KEY, "sensor": {"path": "sensor"}, "ts": TIME},
    "change events": {"asset": KEY, "sensor": {"path": "after.sensor"}, "ts": TIME, "value": {"path": "after.value"}},
}
DUMPED = {name: ReadingsMapping.model_validate(given).model_dump(mode="json") for name, given in MAPPINGS.items()}


def members(mapping: dict[str, Any], key: bytes | None, headers: dict[str, bytes], sent: int = NOW) -> dict[str, Any]:
    parts = RecordParts.of(mapping)
    raw = [*([[key]] if parts.key else []), *([headers.get(name)] for name in parts.headers)]
    (found,) = parts.members(raw, [sent])
    return dict(found)


def read(name: str, payload: bytes | None, key: bytes | None = None, sent: int = NOW, **headers: bytes) -> list[Any]:
    mapping = DUMPED[name]
    return compile_payload(mapping, "UTC")(payload, members(mapping, key, headers, sent))


def reading(asset: str | None, sensor: str | None, tag: str | None, value: float, ts: int = NOW) -> list[Reading]:
    return [Reading(asset, sensor, tag, ts, value, True)]


@pytest.mark.parametrize("payload", [b"2.41", b" 2.41\r\n", b'"2.41"', b"2.410", b"+2.41", b"241e-2"])
def test_a_payload_may_be_the_value_alone(payload):
    assert read("value alone", payload, b"plant/pump-1/flow") == reading(None, None, "plant/pump-1/flow", 2.41)


@pytest.mark.parametrize("payload", [b"", b"null", b'""', b"NaN", b"Bad Input", b" \n"])
def test_a_payload_without_a_value_is_bad_quality(payload):
    (outcome,) = read("value alone", payload, b"t")
    assert not outcome.good and math.isnan(outcome.value)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "bad-json"),
        (b"{}", "bad-value"),
        (b"[1]", "bad-value"),
        (b"[" * 100_000, "bad-value"),
        (b"a lot", "bad-value"),
        (b"\xff\xfe", "bad-value"),
        (b'"\\ud800"', "bad-value"),
        (b"1" * 1_000_001, "too-large"),
    ],
)
def test_a_payload_that_is_no_value_is_refused(payload, reason):
    assert [outcome.reason for outcome in read("value alone", payload, b"t")] == [reason]


def test_a_part_that_the_record_lacks_is_missing():
    assert read("value alone", b"1") == [Rejected("missing-field", "no sensor or tag at '<record key>'")]
    assert read("value alone", b"1", b"t", sent=-1) == [Rejected("missing-field", "no ts at '<record timestamp>'")]
    (outcome,) = read("names outside", b"{}", b"flow")
    assert outcome == Rejected("missing-field", "no asset at '<record header machine>'")


def test_a_key_is_text_and_a_json_string_loses_its_quotes():
    for key, tag in ((b"t", "t"), (b'"t"', "t"), (b'"t', '"t'), (b"\xff", "\\xff"), ("Ü".encode(), "Ü")):
        assert read("value alone", b"1", key) == reading(None, None, tag, 1.0)


def test_a_key_in_the_frame_of_a_schema_registry_is_its_text():
    frame = b"\0\0\0\0\x07"
    long = "plant/" + "x" * 100
    for framed, tag in (
        (frame + b"\x0cpump-1", "pump-1"),
        (frame + b"\xd4\x01" + long.encode(), long),
        (frame + b'"pump-1"', "pump-1"),
        (frame + b"\x0epump-1", "\0\0\0\0\x07\x0epump-1"),  # another length: not a string
        (frame, "\0\0\0\0\x07"),
        (b"\0", "\0"),
    ):
        assert read("value alone", b"1", framed) == reading(None, None, tag, 1.0)


def test_time_and_quality_come_from_headers():
    headers = {"machine": b"p-1", "at": b"1772357400250", "q": b"192"}
    assert read("value alone, decimal comma", b"2,5", b"t", **headers) == reading("p-1", None, "t", 2.5)
    (outcome,) = read("value alone, decimal comma", b"2,5", b"t", **{**headers, "q": b"0"})
    assert not outcome.good


def test_the_record_holds_for_all_records_of_a_message():
    list_of_two = [{"sensor": "a", "value": 1}, {"sensor": "b", "value": 2}]
    expected = reading("p-1", "a", None, 1.0) + reading("p-1", "b", None, 2.0)
    assert read("an array in a message", json.dumps({"m": {"list": list_of_two}}).encode(), b"p-1") == expected
    timed = [{**record, "ts": "2026-03-01T09:30:00.250Z"} for record in list_of_two]
    assert read("an array as the message", json.dumps(timed).encode(), b"p-1") == expected


def test_members_of_the_record_are_not_measurements():
    outcomes = read("wide", b'{"flow": 1, "asset": "x"}', b"p-1", q=b"good")
    assert outcomes == reading("p-1", None, "flow", 1.0)


def test_a_payload_cannot_pretend_to_be_the_record():
    payload = b'{"<record key>": "other", "ts": "2026-03-01T09:30:00.250Z", "value": 1}'
    assert read("names outside", payload, b"flow", machine=b"p-1") == reading("p-1", "flow", None, 1.0)
    (outcome,) = read("names outside", payload, None, machine=b"p-1")
    assert isinstance(outcome, Rejected)


def test_a_dead_letter_shows_the_members_without_the_rest_of_a_long_key():
    found = members(DUMPED["value alone, decimal comma"], b"k" * 900_000, {"machine": b"p-1"})
    assert shown(found) == {"key": "k" * SHOWN, "header at": None, "header machine": "p-1", "header q": None}
    assert shown(members(DUMPED["value alone"], None, {})) == {"key": None, "timestamp": NOW}


def test_nothing_is_taken_from_a_record_unless_the_mapping_asks():
    assert not RecordParts.of(ReadingsMapping.model_validate({"tag": {"path": "t"}}).model_dump(mode="json"))
    parts = RecordParts.of(DUMPED["value alone, decimal comma"])
    assert (parts.key, parts.headers, parts.timestamp) == (True, ("at", "machine", "q"), False)
    with pytest.raises(ValueError, match="ts: only the stream's messages"):
        compile_mapping(DUMPED["value alone"], "UTC")


def test_settings_of_earlier_releases_are_dumped_as_before():
    dumped = ReadingsMapping.model_validate({"tag": {"path": "t"}}).model_dump(mode="json")
    assert dumped["tag"] == {"path": "t", "const": None, "file": None}


@pytest.mark.parametrize("name", MAPPINGS)
def test_config_check_accepts_these_mappings(name):
    assert list(check_mapping(ReadingsMapping.model_validate(MAPPINGS[name]), of_file=False, of_kafka=True)) == []


# -- the columns -----------------------------------------------------------------------------------------

SITE = {("p-1", "flow", None): 0, ("p-1", None, "flow"): 0, (None, None, "t"): 1}
NAMES = st.sampled_from([b"p-1", b"flow", b"t", b'"p-1"', b"", b" flow ", b"\xff", b"{}", None])
TIMES = st.sampled_from(["2026-03-01T09:30:00.250Z", "2026-03-01T09:30:01Z", 1772357400, "yesterday", None])
NUMBERS = st.sampled_from([1, 2.5, 1e39, "3,5", "3.5", "-9999", "bad", "Hors", "", None, True, "a lot", [], {}])
RECORD = st.fixed_dictionaries(
    {},
    optional={
        "ts": TIMES,
        "asset": st.sampled_from(["p-1", " ", None, 7]),
        "sensor": st.sampled_from(["flow", "zz", None]),
        "value": NUMBERS,
        "flow": NUMBERS,
        "<record key>": st.just("p-1"),
        "<record value>": NUMBERS,
    },
)
MESSAGE = st.one_of(
    RECORD,
    st.lists(RECORD, max_size=2),
    st.fixed_dictionaries({"m": st.fixed_dictionaries({"list": st.lists(RECORD, max_size=2), "n": RECORD})}),
    NUMBERS,
)
PAYLOAD = st.one_of(
    MESSAGE.map(lambda message: json.dumps(message).encode()),
    MESSAGE.map(lambda message: base64.b64encode(json.dumps(message).encode())),
    st.lists(RECORD.map(json.dumps), max_size=3).map(lambda lines: "\n".join(lines).encode()),
    st.fixed_dictionaries(
        {"op": st.sampled_from(["c", "d", 1]), "before": st.none(), "after": st.one_of(RECORD, st.none())}
    ).map(lambda event: json.dumps(event).encode()),
    st.sampled_from([b"m,host=a flow=2.5,q=1i 5", b"m flow=1\nm flow=2 7\n# c\nm flow", b"m flow=t"]),
    st.sampled_from([None, b"", b" 2.5\n", b"2,5", b"Bad", b"\xff", b'"\\ud800"', b"{", b"1" * 400]),
)
ENVELOPE = st.tuples(
    NAMES,
    st.fixed_dictionaries(
        {}, optional={"machine": NAMES, "q": st.sampled_from([b"good", b"bad", b"192", b"x"]), "at": st.just(b"5")}
    ),
    st.sampled_from([NOW, NOW + 1, 0, -1]),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPPINGS)
@settings(max_examples=80, deadline=None)
@given(records=st.lists(st.tuples(PAYLOAD, ENVELOPE), max_size=8))
def test_columns_agree_with_the_reference(name, records):
    mapping = DUMPED[name]
    payloads = [payload for payload, _ in records]
    around = [members(mapping, *envelope) for _, envelope in records]
    reference = compile_payload(mapping, "UTC")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat_json, "FEWEST", 1)
        columns = compile_columns(mapping, "UTC", lambda *identity: SITE.get(identity))(payloads, around)
    found: dict[int, list[Any]] = {number: [] for number in range(len(records))}
    for message, place, ts, value in zip(columns.message, columns.place, columns.ts, columns.value, strict=True):
        where = columns.unknown[-1 - place] if place < 0 else int(place)
        found[int(message)].append((str(where), int(ts), repr(float(value))))
    for message, rejected in columns.rejected:
        found[message].append(rejected)
    for number, (payload, own) in enumerate(zip(payloads, around, strict=True)):
        expected = [
            outcome
            if isinstance(outcome, Rejected)
            else (str(SITE.get(outcome[:3], outcome[:3])), outcome.ts, repr(float(outcome.value)))
            for outcome in reference(payload, own)
        ]
        assert sorted(found[number], key=repr) == sorted(expected, key=repr), payload


def test_typical_records_are_read_without_the_reference(monkeypatch):
    mapping = DUMPED["value alone"]
    read_columns = compile_columns(mapping, "UTC", lambda *identity: SITE.get(identity))
    monkeypatch.setattr(read_columns.__self__, "_reference", None)
    count = 5_000
    around = RecordParts.of(mapping).members([[b"t"] * count], [NOW] * count)
    columns = read_columns([b"2.5"] * count, around)
    assert np.array_equal(columns.place, np.full(count, 1)) and set(columns.value.tolist()) == {2.5}
