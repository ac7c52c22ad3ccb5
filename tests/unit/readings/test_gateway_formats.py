"""What gateways and connectors send by default, each with the mapping that one would write: readings."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from support.both_readers import BAD, dumped, outcomes_of

T, T_MS = "2026-04-05T06:07:08.5Z", 1_775_369_228_500
S = T_MS // 1000

TELEGRAF = {
    "shape": "wide",
    "asset": {"path": "tags.host"},
    "ts": {"path": "timestamp", "unit": "s"},
    "value": {"path": "fields"},
    "quality": {"path": "fields.Quality", "scheme": "telegraf"},
}
PUBSUB = {
    "records": "Messages",
    "shape": "wide",
    "asset": {"path": "PublisherId"},
    "ts": {"path": "Timestamp"},
    "value": {"path": "Payload"},
}
NEURON = {
    "shape": "wide",
    "asset": {"path": "node"},
    "ts": {"path": "timestamp", "unit": "ms"},
    "value": {"path": "values"},
}
NEURON_TAGS = {
    "records": "tags",
    "asset": {"path": "node"},
    "tag": {"path": "name"},
    "ts": {"path": "timestamp", "unit": "ms"},
}
SPARKPLUG = {
    "records": "metrics",
    "tag": {"path": "name"},
    "ts": {"path": "timestamp", "unit": "ms"},
    "quality": {"path": "properties.Quality.value", "scheme": "sparkplug"},
}
SITEWISE = {
    "records": "propertyValues",
    "tag": {"path": "propertyAlias"},
    "ts": {"path": "timestamp.timeInSeconds", "unit": "s"},
    "value": {"path": "value.doubleValue"},
    "quality": {"path": "quality", "scheme": "sitewise"},
}
DEBEZIUM = {
    "tag": {"path": "after.tag"},
    "ts": {"path": "after.at", "unit": "us"},
    "value": {"path": "after.v"},
}
FLAT = {"asset": {"path": "asset"}, "sensor": {"path": "sensor"}, "quality": {"path": "q"}}
IN_TEXT = {
    "asset": {"path": "body.asset"},
    "tag": {"path": "body.tag"},
    "ts": {"path": "body.at"},
    "value": {"path": "body.v"},
}
INFLUX = {
    "format": "influx",
    "asset": {"path": "tags.host"},
    "quality": {"path": "fields.Quality", "scheme": "telegraf"},
}


def telegraf(quality: str, **fields: Any) -> dict[str, Any]:
    return {
        "fields": {"t": 71.5, "Quality": quality, **fields},
        "name": "opcua",
        "tags": {"host": "k-2"},
        "timestamp": S,
    }


def pubsub(**payload: Any) -> dict[str, Any]:
    return {"MessageType": "ua-data", "PublisherId": "k-2", "Messages": [{"Timestamp": T, "Payload": payload}]}


def flat(**members: Any) -> dict[str, Any]:
    return {"asset": "k-2", "sensor": "t", "ts": T, "value": 1.25, **members}


GOOD_T = [("k-2", None, "t", S * 1000, 71.5)]
BAD_T = [("k-2", None, "t", S * 1000, BAD)]
INNER = json.dumps({"asset": "k-2", "tag": "t", "at": T, "v": 71.5})
CASES: dict[str, tuple[dict[str, Any], Any, list[tuple[Any, ...]]]] = {
    "Telegraf: good": (TELEGRAF, telegraf("OK (0x0)"), GOOD_T),
    "Telegraf: good, in full": (TELEGRAF, telegraf("The operation succeeded. StatusGood (0x0)"), GOOD_T),
    "Telegraf: bad": (
        TELEGRAF,
        telegraf("There was a low level communication error. StatusBadCommunicationError (0x80050000)"),
        BAD_T,
    ),
    "Telegraf: uncertain, with a bad word in its description": (
        TELEGRAF,
        telegraf(
            "Communication to the data source has failed. The variable value is the last value that had a good"
            " quality. StatusUncertainNoCommunicationLastUsableValue (0x408F0000)"
        ),
        GOOD_T,
    ),
    "Telegraf: a code without a name": (TELEGRAF, telegraf("0x80D10000"), BAD_T),
    "Telegraf: the same as words": ({**TELEGRAF, "quality": {"path": "fields.Quality"}}, telegraf("0x80D10000"), BAD_T),
    "PubSub: DataValues": (
        PUBSUB,
        pubsub(
            Flow={"Value": 12, "SourceTimestamp": "2026-04-05T06:07:07Z", "StatusCode": {"Code": 0, "Symbol": "Good"}},
            Level={"Value": 3.5, "StatusCode": {"Code": 2156724224, "Symbol": "BadSensorFailure"}},
            Temp={"Value": 20.5, "StatusCode": 1083113472},
            Rate={"SourceTimestamp": T, "StatusCode": {"Code": 2147483648}},
            Speed={"Value": {"Type": 11, "Body": 1450.5}},
            Power={"Type": 10, "Body": 2.5},
            Volts={"UaType": 11, "Value": "230.5"},
        ),
        [
            ("k-2", None, "Flow", T_MS - 1500, 12.0),
            ("k-2", None, "Level", T_MS, BAD),
            ("k-2", None, "Power", T_MS, 2.5),
            ("k-2", None, "Rate", T_MS, BAD),
            ("k-2", None, "Speed", T_MS, 1450.5),
            ("k-2", None, "Temp", T_MS, 20.5),
            ("k-2", None, "Volts", T_MS, 230.5),
        ],
    ),
    "PubSub: only the measurements have instants": (
        {**PUBSUB, "records": None, "asset": {"const": "k-2"}},
        {"Payload": {"a": {"Value": 1, "SourceTimestamp": T}, "b": {"Value": 2, "ServerTimestamp": T}}},
        [("k-2", None, "a", T_MS, 1.0), ("k-2", None, "b", T_MS, 2.0)],
    ),
    "PubSub: a keep-alive": (
        PUBSUB,
        {"PublisherId": "k-2", "Messages": [{"DataSetWriterId": 1, "MessageType": "ua-keepalive", "Timestamp": T}]},
        [],
    ),
    "PubSub: a status of the whole data set": (
        {**PUBSUB, "quality": {"path": "Status", "scheme": "opcua"}},
        {
            "PublisherId": "k-2",
            "Messages": [
                {
                    "Timestamp": T,
                    "Status": {"Code": 2147483648},
                    "Payload": {"a": {"Value": 1, "SourceTimestamp": "2026-04-05T06:07:07Z"}},
                }
            ],
        },
        [("k-2", None, "a", T_MS - 1500, BAD)],
    ),
    "OPC Publisher's samples": (
        {"tag": {"path": "NodeId"}, "ts": {"path": "Timestamp"}, "value": {"path": "Value"}},
        {"NodeId": "i=7", "Timestamp": T, "Value": {"Value": 5, "SourceTimestamp": "2026-04-05T06:07:08Z"}},
        [(None, None, "i=7", T_MS - 500, 5.0)],
    ),
    "node-opcua's DataValue": (
        {"asset": {"const": "k-2"}, "tag": {"path": "name"}, "value": {"path": "data"}},
        {
            "name": "t",
            "data": {"value": {"dataType": "Double", "value": 4.5}, "statusCode": {"value": 0}, "sourceTimestamp": T},
        },
        [("k-2", None, "t", T_MS, 4.5)],
    ),
    "a status code as an object": (
        {**FLAT, "quality": {"path": "q", "scheme": "opcua"}},
        flat(q={"Code": 2150694912, "Symbol": "BadNoCommunication"}),
        [("k-2", "t", None, T_MS, BAD)],
    ),
    "Ignition: uncertain": (
        {**FLAT, "quality": {"path": "q", "scheme": "ignition"}},
        flat(q=257),
        [("k-2", "t", None, T_MS, 1.25)],
    ),
    "Ignition: stale": (
        {**FLAT, "quality": {"path": "q", "scheme": "ignition"}},
        flat(q=516),
        [("k-2", "t", None, T_MS, BAD)],
    ),
    "Neuron's values": (
        NEURON,
        {"node": "k-2", "timestamp": T_MS, "values": {"a": 1}, "errors": {"b": 3002, "c": 0}, "metas": {}},
        [("k-2", None, "a", T_MS, 1.0), ("k-2", None, "b", T_MS, BAD)],
    ),
    "Neuron's tags": (
        NEURON_TAGS,
        {"node": "k-2", "timestamp": T_MS, "tags": [{"name": "a", "value": 1}, {"name": "b", "error": 3002}]},
        [("k-2", None, "a", T_MS, 1.0), ("k-2", None, "b", T_MS, BAD)],
    ),
    "Sparkplug: null, stale and good": (
        SPARKPLUG,
        {
            "timestamp": T_MS,
            "metrics": [
                {"name": "a", "timestamp": T_MS, "isNull": True},
                {"name": "b", "timestamp": T_MS, "isNull": True, "value": 0},
                {
                    "name": "c",
                    "timestamp": T_MS,
                    "value": 1.5,
                    "properties": {"Quality": {"type": "Int32", "value": 500}},
                },
                {
                    "name": "d",
                    "timestamp": T_MS,
                    "isNull": False,
                    "value": 1.5,
                    "properties": {"Quality": {"value": 192}},
                },
                {"name": "e", "is_null": True},
            ],
        },
        [(None, None, name, T_MS, BAD) for name in "abc"]
        + [(None, None, "d", T_MS, 1.5), (None, None, "e", T_MS, BAD)],
    ),
    "Sparkplug from Protobuf's JSON: a member for each type": (
        {**SPARKPLUG, "value": {"path": "doubleValue"}},
        {
            "timestamp": T_MS,
            "metrics": [
                {"name": "a", "floatValue": 1.5},
                {"name": "b", "longValue": "7"},
                {"name": "c", "booleanValue": True},
            ],
        },
        [(None, None, "a", T_MS, 1.5), (None, None, "b", T_MS, 7.0), (None, None, "c", T_MS, 1.0)],
    ),
    "SiteWise": (
        SITEWISE,
        {
            "propertyAlias": "/k/2",
            "propertyValues": [
                {
                    "value": {"doubleValue": 1.5},
                    "timestamp": {"timeInSeconds": S, "offsetInNanos": 250_999_999},
                    "quality": "GOOD",
                },
                {
                    "value": {"integerValue": 2},
                    "timestamp": {"timeInSeconds": S, "offsetInNanos": 0},
                    "quality": "UNCERTAIN",
                },
                {"value": {"booleanValue": True}, "timestamp": {"timeInSeconds": S + 1}, "quality": "GOOD"},
                {"value": {"stringValue": "3.5"}, "timestamp": {"timeInSeconds": S + 2}, "quality": "GOOD"},
                {"value": {"integerValue": 2}, "timestamp": {"timeInSeconds": S + 3}, "quality": "BAD"},
                {"value": {"nullValue": {"valueType": "D"}}, "timestamp": {"timeInSeconds": S + 4}, "quality": "GOOD"},
            ],
        },
        [
            (None, None, "/k/2", S * 1000, 2.0),
            (None, None, "/k/2", S * 1000 + 250, 1.5),
            (None, None, "/k/2", S * 1000 + 1000, 1.0),
            (None, None, "/k/2", S * 1000 + 2000, 3.5),
            (None, None, "/k/2", S * 1000 + 3000, BAD),
            (None, None, "/k/2", S * 1000 + 4000, BAD),
        ],
    ),
    "SiteWise, with the objects themselves": (
        {**SITEWISE, "ts": {"path": "timestamp"}, "value": {"path": "value"}},
        {
            "propertyAlias": "x",
            "propertyValues": [
                {
                    "value": {"integerValue": 2},
                    "timestamp": {"timeInSeconds": S, "offsetInNanos": 5_000_000},
                    "quality": "GOOD",
                }
            ],
        },
        [(None, None, "x", S * 1000 + 5, 2.0)],
    ),
    "Confluent's framing for JSON Schema": (
        FLAT,
        b"\0\0\0\1\2" + json.dumps(flat()).encode(),
        [("k-2", "t", None, T_MS, 1.25)],
    ),
    "JSON in a text": (IN_TEXT, {"topic": "x", "body": INNER}, [("k-2", None, "t", T_MS, 71.5)]),
    "JSON in a text, wide": (
        {"shape": "wide", "asset": {"path": "body.asset"}, "ts": {"path": "body.at"}, "value": {"path": "body"}},
        {"body": json.dumps({"asset": "k-2", "at": T, "t": 1, "u": 2})},
        [("k-2", None, "t", T_MS, 1.0), ("k-2", None, "u", T_MS, 2.0)],
    ),
    "an array of JSON in a text": (
        {**FLAT, "records": "all"},
        {"all": json.dumps([flat()])},
        [("k-2", "t", None, T_MS, 1.25)],
    ),
    "a message that is a text of JSON": (FLAT, json.dumps(flat()), [("k-2", "t", None, T_MS, 1.25)]),
    "base64": (
        {**FLAT, "base64": True},
        base64.b64encode(json.dumps(flat()).encode()),
        [("k-2", "t", None, T_MS, 1.25)],
    ),
    "base64 in quotes, without padding": (
        {**FLAT, "base64": True},
        b'"' + base64.urlsafe_b64encode(json.dumps(flat(note="\xff\xfe>?")).encode()).rstrip(b"=") + b'"',
        [("k-2", "t", None, T_MS, 1.25)],
    ),
    "base64 in a member": (
        {**IN_TEXT, "base64": True},
        {"body": base64.b64encode(INNER.encode()).decode()},
        [("k-2", None, "t", T_MS, 71.5)],
    ),
    "NDJSON": (
        FLAT,
        b"\n".join(json.dumps(flat(sensor=name)).encode() for name in "tu") + b"\r\n\n",
        [("k-2", "t", None, T_MS, 1.25), ("k-2", "u", None, T_MS, 1.25)],
    ),
    "line protocol": (
        INFLUX,
        f'opcua,host=k-2,id=ns\\=3;s\\=T t=71.5,n=3i,u=4u,on=t,Quality="OK (0x0)" {T_MS}000000\n# comment\n'
        f'opcua,host=k-2 t=1,Quality="StatusBad (0x80000000)" {T_MS}000000'.encode(),
        [
            ("k-2", None, "n", T_MS, 3.0),
            ("k-2", None, "on", T_MS, 1.0),
            ("k-2", None, "t", T_MS, BAD),
            ("k-2", None, "t", T_MS, 71.5),
            ("k-2", None, "u", T_MS, 4.0),
        ],
    ),
    "line protocol, a reading per line": (
        {"format": "influx", "shape": "long", "tag": {"path": "tags.id"}, "ts": {"path": "timestamp", "unit": "s"}},
        f"m,id=a\\ b value=-1.5e1 {S}".encode(),
        [(None, None, "a b", S * 1000, -15.0)],
    ),
    "Node-RED: a Date as text": (
        FLAT,
        flat(ts="Sun Apr 05 2026 08:07:08 GMT+0200 (Mitteleuropäische Sommerzeit)"),
        [("k-2", "t", None, S * 1000, 1.25)],
    ),
    "a Date as text in UTC": (FLAT, flat(ts="Sun, 05 Apr 2026 06:07:08 GMT"), [("k-2", "t", None, S * 1000, 1.25)]),
    "a value with its unit": (
        {**FLAT, "value": {"path": "value", "unit": "m³/h"}},
        flat(value="2.5 m³/h"),
        [("k-2", "t", None, T_MS, 2.5)],
    ),
    "Debezium: a new row": (
        DEBEZIUM,
        {"before": None, "after": {"tag": "t", "at": T_MS * 1000, "v": 1.5}, "op": "c"},
        [(None, None, "t", T_MS, 1.5)],
    ),
    "Debezium: a deleted row": (DEBEZIUM, {"before": {"tag": "t"}, "after": None, "op": "d"}, []),
    "Debezium: the tombstone after it": (DEBEZIUM, None, []),
    "Debezium in an envelope, wide": (
        {
            "shape": "wide",
            "asset": {"path": "payload.after.id"},
            "ts": {"path": "payload.ts_ms", "unit": "ms"},
            "value": {"path": "payload.after"},
        },
        {"schema": {}, "payload": {"after": {"id": "k-2", "t": 1}, "op": "u", "ts_ms": T_MS}},
        [("k-2", None, "t", T_MS, 1.0)],
    ),
    "Debezium: a deleted row, wide": (
        {"shape": "wide", "asset": {"const": "k-2"}, "ts": {"path": "ts_ms", "unit": "ms"}, "value": {"path": "after"}},
        {"before": {"t": 1}, "after": None, "op": "d", "ts_ms": T_MS},
        [],
    ),
}


def encoded(payload: Any) -> bytes | None:
    return payload if isinstance(payload, bytes) or payload is None else json.dumps(payload).encode()


@pytest.mark.parametrize("name", CASES)
def test_a_message_gives_readings(name):
    mapping, payload, expected = CASES[name]
    assert outcomes_of(dumped(**mapping), encoded(payload)) == [sorted(expected, key=repr)]


REFUSED: dict[str, tuple[dict[str, Any], Any, str, str]] = {
    "a value with a unit": (FLAT, flat(value="2.4 bar"), "bad-value", "with `unit: bar` in the mapping's value"),
    "another unit": (
        {**FLAT, "value": {"path": "value", "unit": "bar"}},
        flat(value="2.4 psi"),
        "bad-value",
        "has the unit 'bar'",
    ),
    "a frame without a body": (FLAT, b"\0\0\0\0\1", "bad-json", "without a schema id and JSON"),
    "a frame of another format": (FLAT, b"\0\0\0\0\1\x02\x10x", "bad-json", "`format: protobuf`"),
    "line protocol": (FLAT, b"m,host=a v=1 5", "bad-json", "`format: influx` reads"),
    "a line that is not JSON": (FLAT, json.dumps(flat()).encode() + b'\n{"asset":', "bad-json", "line 2: "),
    "text that is not JSON in a member": (IN_TEXT, {"body": "eyJhIjoxfQ"}, "missing-field", "with `base64: true`"),
    "not base64": ({**FLAT, "base64": True}, b"#", "bad-json", "is not base64"),
    "a status without a code": (FLAT, flat(q={}), "bad-value", "OPC UA's object of Code and Symbol"),
    "another system's code in a status": (FLAT, flat(q={"Code": 192}), "bad-value", "not an OPC UA status code"),
    "a measurement with an instant of 1601": (
        PUBSUB,
        pubsub(a={"Value": 1, "SourceTimestamp": "1601-01-01T00:00:00Z"}),
        "bad-timestamp",
        "a: '1601",
    ),
    "an array of measurements": (PUBSUB, pubsub(a={"Value": [1, 2]}), "bad-value", "a: a value is a number or text"),
    "nanoseconds of more than a second": (
        SITEWISE,
        {
            "propertyAlias": "x",
            "propertyValues": [{"timestamp": {"timeInSeconds": 1, "offsetInNanos": 10**9}, "value": {}}],
        },
        "bad-timestamp",
        "nanoseconds below a second",
    ),
    "a line without a timestamp": (INFLUX, b"m,host=a v=1", "missing-field", "no ts at 'timestamp'"),
    "a line that is not one": (INFLUX, b"m,host=a v=x 5", "bad-influx", "line 1: field 'v' is 'x'"),
    "no lines": (INFLUX, b"\n# nothing\n", "bad-influx", "no line"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_what_to_do(name):
    mapping, payload, reason, words = REFUSED[name]
    (outcomes,) = outcomes_of(dumped(**mapping), encoded(payload))
    (rejected,) = [outcome for outcome in outcomes if len(outcome) == 2]
    assert rejected[0] == reason and words in rejected[1], rejected


def test_a_line_of_json_that_is_refused_does_not_take_its_neighbours_along():
    payload = b'{"asset": 1}\n' + json.dumps(flat()).encode() + b"\n[]\n5"
    (outcomes,) = outcomes_of(dumped(**FLAT), payload)
    assert ("k-2", "t", None, T_MS, 1.25) in outcomes
    assert [outcome[1][:7] for outcome in outcomes if len(outcome) == 2] == ["line 3:", "line 4:", "line 1:"]


def test_a_first_line_that_was_cut_off_does_not_take_the_others_along():
    line = json.dumps(flat()).encode()
    (outcomes,) = outcomes_of(dumped(**FLAT), b'sor": 1}\n' + line)
    assert [outcome[-1] for outcome in outcomes if len(outcome) > 2] == [1.25]
    pretty = json.dumps(flat(), indent=1).encode()
    ((rejected,),) = outcomes_of(dumped(**FLAT), pretty[:-1])
    assert rejected[0] == "bad-json" and not rejected[1].startswith("line ")


@pytest.mark.parametrize("name", ["OPC-UA", "opc_ua", "OpcUa", "opc ua"])
def test_a_scheme_may_be_spelt_in_several_ways(name):
    assert dumped(**{**FLAT, "quality": {"path": "q", "scheme": name}})["quality"]["scheme"] == "opcua"
