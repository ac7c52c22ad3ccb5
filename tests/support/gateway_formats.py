"""How gateways write the readings of an asset at an instant, each with the mapping that one would write for it."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple

from eugenie_cli.episodes.records import iso
from support.both_readers import dumped

FLAT = {"asset": {"path": "asset"}, "sensor": {"path": "sensor"}}
TELEGRAF_BAD = "There was a low level communication error. StatusBadCommunicationError (0x80050000)"

Values = Mapping[str, float]
"""Sensor -> value; NaN: bad quality."""


class Sent(NamedTuple):
    """A message, and its number of readings."""

    payload: bytes
    readings: int
    key: bytes | None = None
    headers: Mapping[str, bytes] = {}
    timestamp: int | None = None


@dataclass(frozen=True)
class Format:
    """`encode(asset, instant in ms, values)` gives the messages. A tag is `asset.sensor`."""

    mapping: dict[str, Any]
    encode: Callable[[str, int, Values], Iterator[Sent]]

    @property
    def dumped(self) -> dict[str, Any]:
        return dumped(**self.mapping)


def one(document: object, values: Values) -> Iterator[Sent]:
    """A message with the readings of all sensors."""
    yield Sent(document if isinstance(document, bytes) else json.dumps(document).encode(), len(values))


def flat(asset: str, ts: int, sensor: str, value: float) -> dict[str, Any]:
    """The canonical message. A value of bad quality is a number, too, as gateways send it."""
    is_bad = math.isnan(value)
    quality = "bad" if is_bad else "good"
    return {"asset": asset, "sensor": sensor, "ts": iso(ts), "value": 9.0 if is_bad else value, "quality": quality}


def canonical(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    for sensor, value in values.items():
        yield Sent(json.dumps(flat(asset, ts, sensor, value)).encode(), 1)


def framed(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    return (sent._replace(payload=b"\0\0\0\0\7" + sent.payload) for sent in canonical(asset, ts, values))


def ndjson(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    return one(b"\n".join(sent.payload for sent in canonical(asset, ts, values)), values)


def in_text(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    for sent in canonical(asset, ts, values):
        yield Sent(json.dumps({"topic": "plant", "payload": sent.payload.decode()}).encode(), 1)


def in_base64(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    return (sent._replace(payload=base64.b64encode(sent.payload)) for sent in canonical(asset, ts, values))


def telegraf_quality(value: float) -> str:
    return TELEGRAF_BAD if math.isnan(value) else "The operation succeeded. StatusGood (0x0)"


def telegraf(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    for sensor, value in values.items():
        fields = {sensor: 0.0 if math.isnan(value) else value, "Quality": telegraf_quality(value)}
        yield from one(
            {"fields": fields, "name": "opcua", "tags": {"host": asset}, "timestamp": ts // 1000}, {sensor: 0}
        )


def influx(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    lines = []
    for sensor, value in values.items():
        fields = f'{sensor}={0.0 if math.isnan(value) else value},Quality="{telegraf_quality(value)}"'
        lines.append(f"opcua,host={asset} {fields} {ts}000000")
    return one("\n".join(lines).encode(), values)


def pubsub(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    payload = {
        sensor: {"StatusCode": {"Code": 2156724224, "Symbol": "BadSensorFailure"}}
        if math.isnan(value)
        else {"Value": value, "SourceTimestamp": iso(ts), "StatusCode": {"Code": 0, "Symbol": "Good"}}
        for sensor, value in values.items()
    }
    message = {"DataSetWriterId": 1, "Timestamp": iso(ts), "Payload": payload}
    return one({"MessageType": "ua-data", "PublisherId": asset, "Messages": [message]}, values)


def sparkplug(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    def metric(sensor: str, value: float) -> dict[str, Any]:
        named = {"name": f"{asset}.{sensor}", "timestamp": ts}
        if not math.isnan(value):
            return {**named, "value": value, "properties": {"Quality": {"type": "Int32", "value": 192}}}
        if ts // 1000 % 2:
            return {**named, "isNull": True}
        return {**named, "value": 9.0, "properties": {"Quality": {"type": "Int32", "value": 500}}}

    return one({"timestamp": ts, "metrics": [metric(*pair) for pair in values.items()], "seq": 1}, values)


def ignition(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    bad = (500, 512, 516, 776)[ts // 1000 % 4]
    good = (192, 256, 257, 261)[ts // 1000 % 4]
    for sensor, value in values.items():
        yield from one({**flat(asset, ts, sensor, value), "quality": bad if math.isnan(value) else good}, {sensor: 0})


def sitewise(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    instant = {"timeInSeconds": ts // 1000, "offsetInNanos": ts % 1000 * 1_000_000}
    for sensor, value in values.items():
        kept = {"integerValue": int(value)} if value == value and value == int(value) else {"doubleValue": value}
        measured = {"value": {"doubleValue": 9.0} if math.isnan(value) else kept, "timestamp": instant}
        entry = {**measured, "quality": "BAD" if math.isnan(value) else "GOOD"}
        yield from one({"propertyAlias": f"{asset}.{sensor}", "propertyValues": [entry]}, {sensor: 0})


def neuron(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    good = {sensor: value for sensor, value in values.items() if not math.isnan(value)}
    errors = {sensor: 3002 for sensor in values if sensor not in good}
    return one({"node": asset, "group": "g", "timestamp": ts, "values": good, "errors": errors, "metas": {}}, values)


def kepware(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    entries = [
        {"id": f"{asset}.{sensor}", "v": 9.0 if math.isnan(value) else value, "q": not math.isnan(value), "t": ts}
        for sensor, value in values.items()
    ]
    return one({"timestamp": ts, "values": entries}, values)


def debezium(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    for sensor, value in values.items():
        after = {"tag": f"{asset}.{sensor}", "at": ts * 1000, "v": None if math.isnan(value) else value}
        yield from one({"before": None, "after": after, "op": "c"}, {sensor: 0})
        yield Sent(json.dumps({"before": after, "after": None, "op": "d"}).encode(), 0)


def node_red(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    text = datetime.fromtimestamp(ts / 1000, timezone.utc).strftime("%a %b %d %Y %H:%M:%S GMT+0000 (UTC)")
    for sensor, value in values.items():
        worth = "Bad Input" if math.isnan(value) else f"{value} bar"
        yield from one({"asset": asset, "sensor": sensor, "ts": text, "value": worth}, {sensor: 0})


def local_comma(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    """Local time without an offset, a decimal comma: an older SCADA system."""
    text = datetime.fromtimestamp(ts / 1000 + 3600, timezone.utc).strftime("%d.%m.%Y %H:%M:%S")
    for sensor, value in values.items():
        worth = "No Data" if math.isnan(value) else str(value).replace(".", ",")
        yield from one({"asset": asset, "sensor": sensor, "ts": text, "value": worth}, {sensor: 0})


def in_the_record(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    """As source connectors for MQTT write it: the payload is nothing but the value."""
    for sensor, value in values.items():
        quality = b"bad" if math.isnan(value) else b"good"
        payload = b"9" if math.isnan(value) else str(value).encode()
        yield Sent(payload, 1, sensor.encode(), {"machine": asset.encode(), "quality": quality}, ts)


def wide(asset: str, ts: int, values: Values) -> Iterator[Sent]:
    members = {sensor: None if math.isnan(value) else value for sensor, value in values.items()}
    return one({"machine": asset, "at": iso(ts), **members}, values)


def telegraf_parts(**more: Any) -> dict[str, Any]:
    return {"asset": {"path": "tags.host"}, "quality": {"path": "fields.Quality", "scheme": "telegraf"}, **more}


WORDS = {**FLAT, "quality": {"path": "quality"}}
INNER = {name: {"path": f"payload.{name}"} for name in ("asset", "sensor", "ts", "value", "quality")}

FORMATS: dict[str, Format] = {
    "canonical": Format(WORDS, canonical),
    "Confluent's framing for JSON Schema": Format(WORDS, framed),
    "NDJSON, several readings in a message": Format(WORDS, ndjson),
    "JSON in a text (EMQX, Kafka Connect)": Format(INNER, in_text),
    "base64": Format({**WORDS, "base64": True}, in_base64),
    "Telegraf's JSON with OPC UA qualities": Format(
        telegraf_parts(
            shape="wide", ts={"path": "timestamp", "unit": "s"}, value={"path": "fields"}, ignore=["Quality"]
        ),
        telegraf,
    ),
    "InfluxDB's line protocol": Format(telegraf_parts(format="influx"), influx),
    "OPC UA PubSub's DataValues": Format(
        {
            "records": "Messages",
            "shape": "wide",
            "asset": {"path": "PublisherId"},
            "ts": {"path": "Timestamp"},
            "value": {"path": "Payload"},
        },
        pubsub,
    ),
    "Sparkplug B as JSON: null and STALE (500)": Format(
        {
            "records": "metrics",
            "tag": {"path": "name"},
            "ts": {"path": "timestamp", "unit": "ms"},
            "quality": {"path": "properties.Quality.value", "scheme": "sparkplug"},
        },
        sparkplug,
    ),
    "Ignition's quality codes": Format({**FLAT, "quality": {"path": "quality", "scheme": "ignition"}}, ignition),
    "SiteWise": Format(
        {
            "records": "propertyValues",
            "tag": {"path": "propertyAlias"},
            "ts": {"path": "timestamp.timeInSeconds", "unit": "s"},
            "value": {"path": "value.doubleValue"},
            "quality": {"path": "quality", "scheme": "sitewise"},
        },
        sitewise,
    ),
    "Neuron, with errors beside values": Format(
        {
            "shape": "wide",
            "asset": {"path": "node"},
            "ts": {"path": "timestamp", "unit": "ms"},
            "value": {"path": "values"},
        },
        neuron,
    ),
    "Kepware's IoT gateway": Format(
        {
            "records": "values",
            "tag": {"path": "id"},
            "ts": {"path": "t", "unit": "ms"},
            "value": {"path": "v"},
            "quality": {"path": "q", "scheme": "boolean"},
        },
        kepware,
    ),
    "Debezium, with deleted rows": Format(
        {"tag": {"path": "after.tag"}, "ts": {"path": "after.at", "unit": "us"}, "value": {"path": "after.v"}}, debezium
    ),
    "Node-RED: a JavaScript Date, values with units": Format(
        {**FLAT, "value": {"path": "value", "unit": "bar"}}, node_red
    ),
    "local times and decimal commas": Format(
        {
            **FLAT,
            "ts": {"path": "ts", "format": "%d.%m.%Y %H:%M:%S", "timezone": "Europe/Berlin"},
            "value": {"path": "value", "decimal": ","},
        },
        local_comma,
    ),
    "the value alone; names and time in the record": Format(
        {
            "asset": {"header": "machine"},
            "sensor": {"record": "key"},
            "ts": {"record": "timestamp"},
            "value": {"record": "value"},
            "quality": {"header": "quality"},
        },
        in_the_record,
    ),
    "wide records with nulls": Format({"shape": "wide", "asset": {"path": "machine"}, "ts": {"path": "at"}}, wide),
}
