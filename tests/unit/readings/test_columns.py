"""The reader of many payloads gives the same outcome for each as the reference."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.readings.columns import flat_json, instants
from eugenie_cli.readings.columns.reader import Columns, compile_columns
from eugenie_cli.readings.columns.values import Values
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Rejected

PLACES = {
    ("p-1", "pressure", None): 0,
    ("p-1", None, "flow"): 1,
    (None, None, "PT-1.PV"): 2,
    ("p-1", None, "pressure"): 0,
    ("p-1", "flow", None): 1,
}


@pytest.fixture(autouse=True, scope="module")
def small_columns():
    """Use the vectorised reader for few texts too: normally the scalar rule, which is faster there, reads them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instants, "FEWEST", 1)
        yield


LONG = {
    "ts": {"path": "ts"},
    "asset": {"path": "asset"},
    "sensor": {"path": "sensor"},
    "value": {"path": "value"},
    "quality": {"path": "q"},
}
MAPPINGS: dict[str, dict[str, Any]] = {
    "long": LONG,
    "tag only, epoch ms": {"ts": {"path": "ts", "unit": "ms"}, "tag": {"path": "sensor"}, "value": {"path": "value"}},
    "nested": {**LONG, "ts": {"path": "m.ts", "unit": "s"}, "value": {"path": "m.value", "status": ["Hors"]}},
    "numbers that mean bad": {**LONG, "value": {"path": "value", "status": ["1", "0", "2.5", "1e39"]}},
    "constants, local times": {
        "ts": {"path": "ts", "timezone": "Europe/Berlin"},
        "asset": {"const": "p-1"},
        "tag": {"path": "sensor"},
        "value": {"path": "value", "decimal": ","},
        "quality": {"path": "q", "scheme": "opcda"},
    },
    "a format, local times": {
        **LONG,
        "ts": {"path": "ts", "format": "%d.%m.%Y %H:%M:%S", "timezone": "America/New_York"},
        "value": {"path": "value", "decimal": ",", "status": ["-9999"]},
    },
    "days of a spreadsheet": {**LONG, "ts": {"path": "ts", "unit": "excel", "timezone": "Australia/Lord_Howe"}},
    "local times that occur twice": {**LONG, "ts": {"path": "ts", "timezone": "Europe/Berlin", "ambiguous": "second"}},
    "several formats": {
        **LONG,
        "ts": {"path": "ts", "format": "%d.%m.%Y %H:%M:%S", "formats": ["%d.%m.%Y %H:%M:%S", "%m.%d.%Y %H:%M:%S"]},
    },
    "several fields": {
        **LONG,
        "ts": {"path": "ts", "paths": ["ts", "flow"], "unit": "s"},
        "value": {"path": "value", "paths": ["m", "value"]},
    },
    "states and scales": {
        **LONG,
        "value": {"path": "value", "map": {"bad": 3, "1": 7, "a lot": None}, "scale": 0.5, "offset": 1},
        "quality": {"path": "q", "good": ["192"], "bad": ["60..70", "uncertain"]},
    },
    "thousands and ranges": {
        **LONG,
        "value": {"path": "value", "thousands": ".", "decimal": ",", "bad": ["2..3", "..-5"], "strip": ["a"]},
        "quality": {"path": "q", "good": ["good", "1"]},
    },
    "columns of tags": {
        "shape": "wide",
        "asset": {"path": "asset"},
        "columns": {"value": "{tag}ue", "ts": "ts{tag}", "quality": None, "repeat": []},
        "ignore": ["m"],
    },
    "columns by place": {"shape": "wide", "ts": {"path": "ts"}, "columns": {"repeat": ["tag", "value"]}},
    "wide": {"shape": "wide", "ts": {"path": "ts"}, "asset": {"path": "asset"}, "ignore": ["sensor"]},
    "wide, nested": {
        "shape": "wide",
        "ts": {"path": "ts"},
        "asset": {"const": "p-1"},
        "value": {"path": "m"},
        "quality": {"path": "q", "scheme": "boolean"},
    },
    "an array in a message": {**LONG, "records": "m", "asset": {"path": "asset"}},
    "an array as the message": {**LONG, "records": "."},
    "wide records in an array": {
        "shape": "wide",
        "records": "m",
        "ts": {"path": "ts"},
        "value": {"path": "value"},
        "asset": {"path": "asset"},
    },
}

TIMES = st.sampled_from(
    [
        "2026-03-01T00:00:00Z",
        "2026-03-29T02:30:00",
        "2026-03-01T00:00:00.123+01:00",
        "2026-02-30T00:00:00Z",
        "",
        " ",
        "2026-03-01T00:00:00Z\0",
        "2026-10-25T02:30:00",
        "1.3.2026 00:00:00",
        "08.03.2026 02:30:00",
        "01.11.2026 01:30:00",
        "46086,25",
        46086.0625,
        "2026-03-01T00:00:00Z" * 10_000,
        1767225600,
        1767225600123,
        1767225600.5,
        "1767225600.25",
        None,
        True,
        10**30,
        -5,
    ]
)
NAMES = st.sampled_from(["p-1", "pressure", "flow", "PT-1.PV", " flow ", "", "Ü", None, 7, [], {}])
SCALARS = st.one_of(
    st.sampled_from([1, 2.5, -0.0, 1e39, 10**60, "3.5", "3,5", "-9999,0", "bad", "hors", "", None, True, "a lot"]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(),
)
QUALITIES = st.sampled_from(["good", "BAD", "uncertain", 192, 0, 64, True, False, 1, 1.0, None, "", "odd", []])


def records(inner: Any) -> Any:
    parts = {"ts": TIMES, "asset": NAMES, "sensor": NAMES, "value": inner, "q": QUALITIES, "flow": SCALARS, "m": inner}
    return st.fixed_dictionaries({}, optional=parts)


INNER = st.one_of(SCALARS, records(SCALARS), st.lists(records(SCALARS), max_size=3), st.lists(SCALARS, max_size=2))
MESSAGES = st.one_of(
    records(INNER),
    # a typical message of a gateway
    st.fixed_dictionaries(
        {
            "ts": st.sampled_from(["2026-03-01T00:00:00Z", "2026-03-01T00:00:00.5Z", 1767225600]),
            "asset": st.just("p-1"),
            "sensor": st.sampled_from(["pressure", "flow", "PT-1.PV"]),
            "value": st.floats(-1e6, 1e6),
        }
    ),
    st.lists(records(SCALARS), max_size=2),
    SCALARS,
).map(lambda value: json.dumps(value).encode())
PAYLOADS = st.one_of(MESSAGES, st.binary(max_size=20), st.none(), st.just(b'{"ts": NaN}'), st.just(b"[" * 2_000))


def place_of(asset: str | None, sensor: str | None, tag: str | None) -> int | None:
    return PLACES.get((asset, sensor, tag))


def outcomes(columns: Columns, index: int) -> tuple[list[Any], list[Rejected]]:
    """The outcomes of one message in the columns."""
    readings = []
    for row in range(len(columns.message)):
        if columns.message[row] == index:
            place, value = int(columns.place[row]), float(columns.value[row])
            where = columns.unknown[-1 - place] if place < 0 else place
            readings.append((str(where), int(columns.ts[row]), "bad" if math.isnan(value) else value))
    return sorted(readings, key=repr), [rejected for message, rejected in columns.rejected if message == index]


def expected(mapping: dict[str, Any], payload: bytes | None) -> tuple[list[Any], list[Rejected]]:
    readings, rejected = [], []
    for outcome in compile_payload(mapping, "UTC")(payload):
        if isinstance(outcome, Rejected):
            rejected.append(outcome)
        else:
            identity = (outcome.asset, outcome.sensor, outcome.tag)
            where = PLACES.get(identity, identity)
            readings.append((str(where), outcome.ts, outcome.value if outcome.good else "bad"))
    return sorted(readings, key=repr), rejected


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPPINGS)
@settings(max_examples=80, deadline=None)
@given(payloads=st.lists(PAYLOADS, max_size=12))
def test_columns_agree_with_the_reference(name, payloads):
    mapping = MAPPINGS[name]
    read = compile_columns(mapping, "UTC", place_of)
    for _again in range(2):  # the second time with filled caches
        columns = read(payloads)
        for index, payload in enumerate(payloads):
            assert outcomes(columns, index) == expected(mapping, payload), payload


@pytest.mark.parametrize("value", [True, False, "on", "off", "true", 1, 1.0, 0, -0.0, "1", 2.5, "2.50", 3, 1e39])
def test_a_number_that_means_bad_does_not_match_words(value):
    message = {"ts": "2026-03-01T00:00:00Z", "asset": "p-1", "sensor": "flow", "value": value, "q": "good"}
    mapping, payload = MAPPINGS["numbers that mean bad"], json.dumps(message).encode()
    assert outcomes(compile_columns(mapping, "UTC", place_of)([payload]), 0) == expected(mapping, payload)


FLAT = {name: MAPPINGS[name] for name in ("long", "tag only, epoch ms", "numbers that mean bad")}
FLAT["quality by number"] = {**LONG, "quality": {"path": "q", "scheme": "opcda"}}
FLAT["quality by truth"] = {**LONG, "quality": {"path": "q", "scheme": "boolean"}}
FLAT["local times"] = {**LONG, "ts": {"path": "ts", "timezone": "Europe/Berlin"}}
FLAT["states and scales"] = {**MAPPINGS["states and scales"], "quality": {"path": "q", "bad": ["uncertain", "odd"]}}
FLAT["first of two"] = {**LONG, "ts": {"path": "ts", "timezone": "Europe/Berlin", "ambiguous": "first"}}
FLAT["format"] = {**LONG, "ts": {"path": "ts", "format": "%Y-%m-%dT%H:%M:%S", "timezone": "Australia/Lord_Howe"}}
ODD_FLAT = [
    b'{"ts": "2026-03-01T00:00:00Z", "sensor": "flow", "asset": "p-1", "value": 1, "value": 2}',
    b'{"asset": "p-1", "sensor": "flow", "ts": "2026-03-01T00:00:00Z", "value": [1}',
    b"2]}",
    b'{"asset": "p-1", "sensor": "flow", "ts": "2026-03-01T00:00:00Z", "value": 1}{"asset": "p-1"}',
    b'{"asset": "p-1", "sensor": "flow", "ts": "2026-03-01T00:00:00Z",\n "value": 1}',
    b'{"asset": "p-1", "sensor": "fl\\u006fw", "ts": "2026-03-01T00:00:00Z", "value": 1e400}',
    b'{"asset": "p-1", "sensor": "flow", "ts": "2026-03-01T00:00:00\\u0000", "value": 01}',
    b'{"asset": "p-1", "sensor": "\xff", "ts": "2026-03-01T00:00:00Z", "value": 1}',
    b'{"asset": "p-1", "sensor": "{}", "ts": "2026-03-01T00:00:00Z", "value": 1}',
    b'{"asset": "p-1", "sensor": "flow", "ts": "2026-03-01T00:00:00Z", "value": NaN}',
    b' {"asset": "p-1", "sensor": "flow", "ts": "2026-03-01T00:00:00Z", "value": 1} ',
    b"{}",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("odd", [0, 1, 3])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_flat_messages_are_read_by_arrow_with_the_same_outcome(name, odd, data):
    number = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70), st.none())
    optional = {
        "value": number,
        "q": {"quality by number": st.sampled_from([192, 0, 7]), "quality by truth": st.booleans()}.get(
            name, st.sampled_from(["good", "bad", "odd", ""])
        ),
    }
    unit = (
        st.sampled_from([1767225600000, -1, 2**60])
        if "epoch" in name
        else st.sampled_from(
            [
                *("2026-03-01T00:00:00Z", "2026-03-01T00:00:01Z", "2026-02-30T00:00:01Z", ""),
                *("2026-03-01T00:00:00.25+01:00", "2026-07-01T00:00:00", "2026-10-25T02:30:00", "2026-10-04T02:15:00"),
            ]
        )
    )
    names = st.sampled_from(["p-1", "flow", "pressure", "PT-1.PV", " ", "zz"])
    message = st.fixed_dictionaries({"ts": unit, "asset": names, "sensor": names}, optional=optional)
    payloads = [json.dumps(drawn).encode() for drawn in data.draw(st.lists(message, min_size=1, max_size=12))]
    payloads += data.draw(st.lists(st.sampled_from(ODD_FLAT), max_size=odd))
    payloads = data.draw(st.permutations(payloads))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat_json, "FEWEST", 1)
        columns = compile_columns(FLAT[name], "UTC", place_of)(payloads)
    for index, payload in enumerate(payloads):
        assert outcomes(columns, index) == expected(FLAT[name], payload), payload


def test_arrow_reads_typical_messages(monkeypatch):
    monkeypatch.setattr(flat_json, "FEWEST", 1)
    reader = compile_columns(LONG, "UTC", place_of).__self__
    monkeypatch.setattr(reader, "_decode", None)  # the general reader is not needed
    good = b'{"asset": "p-1", "sensor": "flow", "ts": "2026-03-01T00:00:00.5Z", "value": 1.5, "q": "good"}'
    columns = reader.read([good, good.replace(b', "q": "good"', b""), good.replace(b'"good"', b'"bad"')])
    assert columns.place.tolist() == [1] * 3 and columns.ts.tolist() == [1772323200500] * 3
    assert columns.value.tolist()[:2] == [1.5, 1.5] and math.isnan(columns.value[2])


def test_typical_messages_are_read_without_the_reference(monkeypatch):
    read = compile_columns(LONG, "UTC", place_of)
    refused = b'{"asset": "p-1"}'
    good = b'{"asset": "p-1", "sensor": "flow", "ts": "2026-03-01T00:00:00.5Z", "value": 1.5, "q": "good"}'
    by_reference = []
    reader = read.__self__
    monkeypatch.setattr(reader, "_reference", lambda payload, _members: by_reference.append(payload) or [])
    columns = read([good, refused, good.replace(b', "q": "good"', b"")])
    assert by_reference == [refused]
    assert columns.message.tolist() == [0, 2] and columns.place.tolist() == [1, 1]
    assert columns.ts.tolist() == [1772323200500] * 2 and columns.value.tolist() == [1.5, 1.5]


def test_an_integer_beyond_floating_point_is_left_to_the_rule():
    """An integer of 400 digits, in text within a message, stopped the decoder with an OverflowError."""
    value, read = Values(None).of_members([10**400, 1, -(10**400), 2.5], None)
    assert read.tolist() == [False, True, False, True] and value[[1, 3]].tolist() == [1.0, 2.5]
