"""The reader of columns gives the outcomes of the scalar rule for each kind of gateway message, hostile ones too."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.both_readers import dumped, outcomes_of

from eugenie_cli.readings.columns import flat_json, instants

T = "2026-04-05T06:07:08.5Z"
DEEP = "[" * 3_000 + "]" * 3_000


@pytest.fixture(autouse=True, scope="module")
def small_columns():
    """Use the vectorised readers for few messages too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instants, "FEWEST", 1)
        patch.setattr(flat_json, "FEWEST", 1)
        yield


MAPPINGS: dict[str, dict[str, Any]] = {
    "long": {"asset": {"path": "asset"}, "tag": {"path": "name"}, "quality": {"path": "q", "scheme": "opcua"}},
    "flat": {"asset": {"path": "asset"}, "tag": {"path": "name"}},
    "long, nested": {
        "asset": {"path": "body.asset"},
        "tag": {"path": "body.name"},
        "ts": {"path": "body.ts"},
        "value": {"path": "body.v"},
    },
    "wide": {"shape": "wide", "asset": {"path": "asset"}, "quality": {"path": "q"}, "ignore": ["name"]},
    "wide, inner": {
        "shape": "wide",
        "asset": {"const": "p"},
        "ts": {"path": "body.ts"},
        "value": {"path": "body"},
        "quality": {"path": "body.q", "scheme": "telegraf"},
    },
    "values and errors": {"shape": "wide", "asset": {"const": "p"}, "value": {"path": "values"}},
    "metrics": {"records": "metrics", "tag": {"path": "name"}, "quality": {"path": "q", "scheme": "sparkplug"}},
    "metrics, wide": {"records": "metrics", "shape": "wide", "asset": {"path": "name"}, "value": {"path": "body"}},
    "typed": {
        "records": "metrics",
        "tag": {"path": "name"},
        "ts": {"path": "at.timeInSeconds", "unit": "s"},
        "value": {"path": "v.doubleValue"},
    },
    "seconds": {"tag": {"path": "name"}, "ts": {"path": "seconds", "unit": "s"}, "value": {"path": "v"}},
    "parts": {"tag": {"path": "name"}, "ts": {"path": "at", "unit": "s"}, "value": {"path": "v"}},
    "rows": {"tag": {"path": "after.name"}, "ts": {"path": "ts"}, "value": {"path": "after.v"}},
    "rows, wide": {"shape": "wide", "asset": {"const": "p"}, "value": {"path": "after"}},
    "with a unit": {
        "asset": {"path": "asset"},
        "tag": {"path": "name"},
        "value": {"path": "v", "unit": "m3", "decimal": ","},
    },
    "base64": {"asset": {"path": "body.asset"}, "tag": {"path": "body.name"}, "ts": {"path": "ts"}, "base64": True},
    "lines": {
        "format": "influx",
        "asset": {"path": "tags.host"},
        "quality": {"path": "fields.q", "scheme": "telegraf"},
    },
    "lines, long": {"format": "influx", "shape": "long", "tag": {"path": "tags.id"}, "value": {"path": "fields.v"}},
}

TIMES = st.sampled_from(
    [
        T,
        T,
        "2026-04-05T06:07:08Z",
        "0001-01-01T00:00:00Z",
        "",
        None,
        5,
        True,
        1_775_369_228,
        [],
        "x" * 5_000,
        "Sun Apr 05 2026 08:07:08 GMT+0200 (CEST)",
        "Sun, 05 Apr 2026 06:07:08 GMT",
        "Mon Apr 05 2026 08:07:08 GMT+0200",
        {"timeInSeconds": 1_775_369_228, "offsetInNanos": 7_000_000},
        {"seconds": "5"},
        {"nanos": 1},
    ]
)
CODES = st.sampled_from(
    [
        0,
        0,
        "Good",
        "OK (0x0)",
        "Bad",
        2147483648,
        192,
        500,
        1073741824,
        None,
        True,
        {},
        [],
        "",
        0.5,
        -1,
        257,
        "The operation failed. StatusBad (0x80000000)",
        "0x80340000",
        "0x40900000",
        "a (0x1F4)",
        "q" * 5_000,
    ]
)
STATUSES = st.one_of(CODES, st.fixed_dictionaries({}, optional={"Code": CODES, "Symbol": CODES}))
SCALARS = st.one_of(
    st.sampled_from([1, 1.5, "2.5", "bad", None, True, "x", 1e39, 10**400, [], [1], {}, "", "v" * 5_000])
    | st.sampled_from(["2,5 m3", "2.5 bar", "m3", "5m3", "-1e3", "1,5e2m3", '{"a": 1}', "7 m3 m3"]),
    st.floats(-1e6, 1e6),
)
VARIANTS = st.one_of(
    SCALARS,
    st.fixed_dictionaries({}, optional={"Type": st.integers(0, 30), "Body": SCALARS}),
    st.fixed_dictionaries({}, optional={"UaType": st.integers(0, 30), "Value": SCALARS}),
    st.fixed_dictionaries({}, optional={"dataType": st.just("Double"), "value": SCALARS}),
    st.dictionaries(
        st.sampled_from(["doubleValue", "integerValue", "stringValue", "nullValue", "x"]), SCALARS, max_size=2
    ),
)
OBJECTS = st.one_of(
    VARIANTS,
    st.fixed_dictionaries(
        {}, optional={"Value": VARIANTS, "SourceTimestamp": TIMES, "ServerTimestamp": TIMES, "StatusCode": STATUSES}
    ),
    st.fixed_dictionaries({"Value": SCALARS, "SourceTimestamp": st.just(T), "StatusCode": STATUSES}),
    st.fixed_dictionaries(
        {}, optional={"value": VARIANTS, "sourceTimestamp": TIMES, "statusCode": STATUSES, "Status": CODES}
    ),
)
NAMES = st.sampled_from(["p", "t", "u", " t ", "", None, 5, "é"])
NULLS = st.sampled_from([True, True, False, None, 1, "true"])
ERRORS = st.sampled_from([0, 2014, None, "timeout", {}, [], False])


def jsons(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value itself, as JSON in a text, or as base64 of JSON."""
    text = inner.map(json.dumps)
    return st.one_of(
        inner,
        text,
        text.map(lambda plain: base64.b64encode(plain.encode()).decode()),
        st.just('{"a'),
        st.just("{" + DEEP),
    )


BODIES = jsons(
    st.fixed_dictionaries(
        {},
        optional={
            **{"asset": NAMES, "name": NAMES, "ts": TIMES, "v": OBJECTS, "q": STATUSES, "x": OBJECTS, "value": OBJECTS},
            "at": TIMES,
        },
    )
)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        **{"asset": NAMES, "name": NAMES, "ts": TIMES, "value": OBJECTS, "v": OBJECTS, "q": STATUSES, "body": BODIES},
        **{"isNull": NULLS, "is_null": NULLS, "error": ERRORS, "seconds": SCALARS, "nanos": SCALARS},
        "at": st.one_of(
            TIMES, st.fixed_dictionaries({}, optional={"timeInSeconds": SCALARS, "offsetInNanos": SCALARS})
        ),
    },
)
PLAIN = st.fixed_dictionaries(
    {"asset": st.just("p"), "name": st.sampled_from(["t", "u"]), "ts": st.just(T), "value": st.floats(-1e6, 1e6)},
    optional={
        "isNull": NULLS,
        "body": BODIES,
        "v": SCALARS,
        "at": TIMES,
        "seconds": st.just(5),
        "nanos": st.just(10**6),
    },
)
MESSAGES = st.one_of(
    RECORDS,
    PLAIN,
    st.builds(
        lambda outer, more: {**outer, **more},
        RECORDS,
        st.fixed_dictionaries(
            {"ts": st.just(T)},
            optional={
                "metrics": jsons(st.lists(st.one_of(RECORDS, PLAIN, jsons(RECORDS)), max_size=3)),
                "values": jsons(st.dictionaries(NAMES.map(str), OBJECTS, max_size=3)),
                "errors": st.one_of(st.dictionaries(NAMES.map(str), ERRORS, max_size=3), SCALARS),
                "before": st.none(),
                "after": st.one_of(st.none(), BODIES),
                "op": st.sampled_from(["c", "d", "d", "t", 5]),
            },
        ),
    ),
)
LINES = st.lists(
    st.sampled_from(
        [
            *("m,host=p v=1 1775369228000000000", 'm,host=p,id=t v=1.5,q="OK (0x0)" 1775369228000000001', "# no", ""),
            *(
                'm,host=p v=1i,q="bad" 5',
                "m v=t 1",
                "m,host=p v=f",
                'm,host=p v="a\\"b" 1',
                "m,id=a\\ b v=2u 17\r",
                "m",
            ),
            *(
                "m v=1 9223372036854775808",
                'm v="',
                "m v=1,",
                "m,=a v=1",
                " m v=1 1",
                "\\",
                "m\\,a,b=c v=-.5e3 3",
                "m v=nan",
            ),
        ]
    ),
    max_size=6,
).map("\n".join)


def framed(text: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from(
        [text, text, text, b"\0\0\0\0\7" + text, b"\0\0\0" + text, base64.b64encode(text), text[:-1], b"\xff" + text]
    )


SINGLE = MESSAGES.map(lambda message: json.dumps(message).encode()).flatmap(framed)
PAYLOADS = st.one_of(
    SINGLE,
    st.lists(SINGLE, min_size=2, max_size=3).map(b"\n".join),
    jsons(MESSAGES).map(lambda message: json.dumps(message).encode()),
    LINES.map(str.encode).flatmap(framed),
    st.binary(max_size=12),
    st.sampled_from(
        [None, b"", b"\0", b"\0" * 5, b"\0" * 9, b"{}\n{}", b"[]\n", b"\n", b"5\n6", DEEP.encode(), b'"' * 9]
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPPINGS)
@settings(max_examples=80, deadline=None)
@given(payloads=st.lists(PAYLOADS, max_size=8))
def test_columns_agree_with_the_rule(name, payloads):
    outcomes_of(dumped(**MAPPINGS[name]), *payloads)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flat", "long", "seconds", "rows"])
@settings(max_examples=80, deadline=None)
@given(messages=st.lists(PLAIN, min_size=1, max_size=8), key=st.sampled_from(["isNull", "isNull", r"isN\u0075ll"]))
def test_flat_messages_that_say_that_they_have_no_value(name, messages, key):
    flat = [{part: inner for part, inner in message.items() if part not in ("body", "at")} for message in messages]
    payloads = [json.dumps(message).replace('"isNull"', f'"{key}"').encode() for message in flat]
    outcomes_of(dumped(**MAPPINGS[name]), *payloads)


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPPINGS)
def test_huge_messages_are_bounded(name):
    text = "x" * 900_000
    payloads = [
        json.dumps(
            {"ts": T, "asset": "p", "name": "t", "value": text, "body": text, "v": text, "values": {"a": text}}
        ).encode(),
        json.dumps({"body": "{" * 900_000}).encode(),
        ("m v=" + '"' * 900_000).encode(),
        b"{}\n" * 2_000,
        b"A" * 900_000,
        b"\0" * 1_000_001,
    ]
    outcomes_of(dumped(**MAPPINGS[name]), *payloads)
