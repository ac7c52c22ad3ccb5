"""Payloads of Sparkplug B (Eclipse Sparkplug 3.0, 6.4): decoding, compression, and the numbers of their metrics.

Only the fields that are read are in the schema; protobuf skips all others.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from eugenie_cli.readings.json_text import MAX_PAYLOAD
from eugenie_cli.readings.proto_source import file_descriptor
from eugenie_cli.readings.quality import opcda
from eugenie_cli.readings.values import MAX_VALUE, compile_value, sentinels

SCHEMA = """syntax = "proto2"; package eugenie.sparkplug;
message Payload {
  optional uint64 timestamp = 1; repeated Metric metrics = 2; optional uint64 seq = 3; optional string uuid = 4;
  optional bytes body = 5;
}
message Metric {
  optional string name = 1; optional uint64 alias = 2; optional uint64 timestamp = 3; optional uint32 datatype = 4;
  optional bool is_historical = 5; optional bool is_transient = 6; optional bool is_null = 7;
  optional PropertySet properties = 9;
  oneof value {
    uint32 int_value = 10; uint64 long_value = 11; float float_value = 12; double double_value = 13;
    bool boolean_value = 14; string string_value = 15; bytes bytes_value = 16; DataSet dataset_value = 17;
    Template template_value = 18;
  }
}
message DataSet { optional uint64 num_of_columns = 1; }
message Template { repeated Metric metrics = 2; optional bool is_definition = 5; }
message PropertySet { repeated string keys = 1; repeated PropertyValue values = 2; }
message PropertyValue { optional bool is_null = 2; oneof value { uint32 int_value = 3; uint64 long_value = 4; } }
"""

COMPRESSED = "SPBV1.0_COMPRESSED"
DATE_TIME = 13
BITS = {1: 8, 2: 16, 3: 32, 4: 64}
"""Datatype of signed integers -> their bits."""
UNSIGNED = frozenset({5, 6, 7, 8})
DEEPEST = 16  # templates in templates
REBIRTH = "Node Control/Rebirth"


class UndecodableError(ValueError):
    """Why a payload is not one of Sparkplug B."""


@cache
def payload_type() -> Any:
    """The message class of payloads."""
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    described = file_descriptor(SCHEMA)
    described.name = "eugenie/sparkplug.proto"
    pool = DescriptorPool()
    pool.AddSerializedFile(described.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("eugenie.sparkplug.Payload"))


def decode(content: bytes) -> Any:
    """The payload; of a compressed one, what is in it. Raises UndecodableError."""
    from google.protobuf.message import DecodeError

    try:
        payload = payload_type().FromString(content)
        if payload.uuid == COMPRESSED:
            inner = payload_type().FromString(_inflated(payload.body))
            for name in ("timestamp", "seq"):
                if payload.HasField(name):
                    setattr(inner, name, getattr(payload, name))
            return inner
    except (DecodeError, zlib.error) as error:
        raise UndecodableError(f"not a payload of Sparkplug B: {error}") from None
    return payload


def _inflated(body: bytes) -> bytes:
    """A body compressed as GZIP or DEFLATE."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    content = inflater.decompress(body, MAX_PAYLOAD + 1)
    if len(content) > MAX_PAYLOAD:
        raise UndecodableError(f"more than {MAX_PAYLOAD} bytes when decompressed")
    if not inflater.eof:
        raise UndecodableError("its compressed body is cut off")
    return content


def rebirth_command(now_ms: int) -> bytes:
    """The payload that asks a node for its birth certificates."""
    payload = payload_type()(timestamp=now_ms)
    payload.metrics.add(name=REBIRTH, timestamp=now_ms, datatype=11, boolean_value=True)
    return bytes(payload.SerializeToString())


def flat(metrics: Any, above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(name, metric) of all metrics, those in templates with the names of these before them."""
    for metric in metrics:
        name = f"{above}{metric.name}"
        if metric.WhichOneof("value") == "template_value":
            if not metric.template_value.is_definition and depth < DEEPEST:
                yield from flat(metric.template_value.metrics, f"{name}/", depth + 1)
        else:
            yield name, metric


class Values:
    """The numbers of metrics. `status`: texts and numbers that mean bad quality."""

    def __init__(self, status: tuple[str, ...]) -> None:
        self._of_text = compile_value(".", status)
        self._bad = frozenset(sentinels(".", status))

    def of(self, metric: Any, datatype: int) -> float:
        """The value of a metric, NaN for bad quality. `datatype`: of its birth. Raises ValueError."""
        kind = metric.WhichOneof("value")
        if metric.is_null:
            return float("nan")
        if metric.HasField("properties") and not _is_good(metric.properties):
            return float("nan")
        if kind is None:
            raise ValueError("a metric without a value that is not null")
        raw = getattr(metric, kind)
        if kind in ("int_value", "long_value"):
            number = _integer(raw, kind, datatype)
        elif kind in ("double_value", "float_value", "boolean_value"):
            number = float(raw)
        elif kind == "string_value":
            number = self._of_text(raw.strip(" \t"))
        else:
            raise ValueError("a data set, a file or bytes: not a number")
        return number if abs(number) <= MAX_VALUE and number not in self._bad else float("nan")


def _integer(raw: int, kind: str, datatype: int) -> float:
    if datatype == DATE_TIME:
        raise ValueError("a date and time: not a number")
    bits = BITS.get(datatype)
    if bits is None:
        if datatype not in UNSIGNED and raw >> (31 if kind == "int_value" else 63):
            raise ValueError(f"{raw} without the datatype of an integer: it may be negative")
        return float(raw)
    low = raw & ((1 << bits) - 1)
    return float(low - (1 << bits) if low >> (bits - 1) else low)


def _is_good(properties: Any) -> bool:
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key.lower() == "quality" and not value.is_null and value.WhichOneof("value") is not None:
            return opcda(str(getattr(value, value.WhichOneof("value"))))
    return True
