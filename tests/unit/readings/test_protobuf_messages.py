"""Protobuf in Confluent's framing, by descriptors from the registry."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.protobuf import timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st
from support.both_readers import BAD, dumped, outcomes_of

from eugenie_cli.readings.avro import UnknownSchema
from eugenie_cli.readings.payload import compile_payload

F = FieldDescriptorProto
REGISTRY = {"url": "http://registry.plant:8081"}
LONG = dumped(
    **{"format": "protobuf", "registry": REGISTRY, "asset": {"path": "machine.name"}, "tag": {"path": "tag"}},
    **{"ts": {"path": "at"}, "value": {"path": "value"}, "quality": {"path": "quality"}},
)
WIDE = dumped(
    **{"format": "protobuf", "registry": REGISTRY, "shape": "wide", "records": "rows", "asset": {"path": "name"}},
    **{"ts": {"path": "at"}, "value": {"path": "values"}},
)


def field(name: str, number: int, kind: int, type_name: str = "", label: int = F.LABEL_OPTIONAL) -> F:
    return F(name=name, number=number, type=kind, type_name=type_name or None, label=label)


def files() -> list[FileDescriptorProto]:
    machine = FileDescriptorProto(name="plant/machine.proto", package="plant", syntax="proto3")
    machine.message_type.append(DescriptorProto(name="Machine", field=[field("name", 1, F.TYPE_STRING)]))
    reading = FileDescriptorProto(name="reading.proto", package="plant", syntax="proto3")
    reading.dependency.extend(
        ["plant/machine.proto", timestamp_pb2.DESCRIPTOR.name, wrappers_pb2.DESCRIPTOR.name, "confluent/meta.proto"]
    )
    quality = reading.enum_type.add(name="Quality")
    for number, name in enumerate(["GOOD", "BAD"]):
        quality.value.add(name=name, number=number)
    reading.message_type.append(
        DescriptorProto(
            name="Reading",
            field=[
                field("machine", 1, F.TYPE_MESSAGE, ".plant.Machine"),
                field("tag", 2, F.TYPE_STRING),
                field("at", 3, F.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
                field("value", 4, F.TYPE_DOUBLE),
                field("quality", 5, F.TYPE_ENUM, ".plant.Quality"),
                field("raw", 6, F.TYPE_BYTES),
            ],
        )
    )
    batch = DescriptorProto(
        name="Batch", field=[field("rows", 1, F.TYPE_MESSAGE, ".plant.Batch.Row", F.LABEL_REPEATED)]
    )
    row = batch.nested_type.add(
        name="Row",
        field=[
            field("name", 1, F.TYPE_STRING),
            field("at", 2, F.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
            field("values", 3, F.TYPE_MESSAGE, ".plant.Batch.Row.ValuesEntry", F.LABEL_REPEATED),
            field("flow", 4, F.TYPE_MESSAGE, ".google.protobuf.DoubleValue"),
        ],
    )
    entry = row.nested_type.add(
        name="ValuesEntry", field=[field("key", 1, F.TYPE_STRING), field("value", 2, F.TYPE_DOUBLE)]
    )
    entry.options.map_entry = True
    reading.message_type.append(batch)
    return [machine, reading]


def schema_of(number: int) -> list[tuple[str, str]]:
    if number != 7:
        raise UnknownSchema(f"{number}: Schema not found")
    machine, reading = files()
    pairs = [("plant/machine.proto", machine), ("", reading)]
    return [(name, base64.b64encode(file.SerializeToString()).decode()) for name, file in pairs]


def message(name: str) -> Any:
    pool = DescriptorPool()
    machine, reading = files()
    del reading.dependency[-1]
    known = [timestamp_pb2.DESCRIPTOR.serialized_pb, wrappers_pb2.DESCRIPTOR.serialized_pb]
    for file in (*known, machine.SerializeToString(), reading.SerializeToString()):
        pool.AddSerializedFile(file)
    return GetMessageClass(pool.FindMessageTypeByName(name))()


def framed(body: bytes, place: bytes = b"\0", number: int = 7) -> bytes:
    return b"\0" + number.to_bytes(4, "big") + place + body


def reading(value: float = 1.5, quality: int = 0) -> bytes:
    written = message("plant.Reading")
    written.machine.name, written.tag, written.value, written.quality = "k-2", "t", value, quality
    written.at.FromMilliseconds(1_775_369_228_500)
    return written.SerializeToString()


def test_a_message_is_read_by_its_descriptor():
    got = outcomes_of(LONG, framed(reading()), framed(reading(0.0)), framed(reading(2.5, 1)), schema_of=schema_of)
    assert got == [[("k-2", None, "t", 1_775_369_228_500, value)] for value in (1.5, 0.0, BAD)]


SOURCE = """
syntax = "proto3";  // as a registry returns it that does not know ?format=serialized
package plant;
import "google/protobuf/timestamp.proto"; import "plant/machine.proto"; import "confluent/type/decimal.proto";
option (my.option) = { a: 1, b: [2] };
enum Quality { option allow_alias = true; GOOD = 0; FINE = 0; BAD = 1 [deprecated = true]; reserved 5 to 7; }
message Reading {
  reserved 20, 21 to 30; reserved "old";
  message Level { optional confluent.type.Decimal high = 1; }
  Machine machine = 1; string tag = 2; .google.protobuf.Timestamp at = 3;
  /* a comment; */ optional double value = 4 [json_name = "v;"];
  plant.Quality quality = 5;
  bytes raw = 6; map<string, Level> levels = 7; repeated int32 enum = 8;
  oneof which { string a = 9; int64 b = 10; }
}
service Readings { rpc Send (Reading) returns (Reading) { option idempotency_level = IDEMPOTENT; } }
"""


def test_a_registry_may_return_the_source():
    pairs = [("plant/machine.proto", "package plant; message Machine { optional string name = 1; }"), ("", SOURCE)]
    got = outcomes_of(LONG, framed(reading()), framed(reading(2.5, 1)), schema_of=lambda _: pairs)
    assert got == [[("k-2", None, "t", 1_775_369_228_500, value)] for value in (1.5, BAD)]
    of_level = {**LONG, "value": {"path": "levels.x.high"}}
    decimal = b"\x0a\x02\x04\xd2\x18\x02"  # 1234, scale 2
    level = b"\x0a" + bytes([len(decimal)]) + decimal
    entry = b"\x0a\x01x\x12" + bytes([len(level)]) + level
    ((got_one,),) = outcomes_of(
        of_level, framed(reading() + b"\x3a" + bytes([len(entry)]) + entry), schema_of=lambda _: pairs
    )
    assert got_one[-1] == 12.34


@pytest.mark.parametrize(
    "source",
    [
        *("message", "message A {", "message A { int32 x; }", "x", "message A { int32 x = 1 }", '"', "enum E { A }"),
        *("message A { group G = 1 { } }", "message A { " * 100, "{" * 100_000, "message A { B b = 1; }", "a b c é"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(source):
    (rejected,) = compile_payload(LONG, "UTC", lambda _: [("", source)])(framed(reading()))
    assert rejected.reason == "bad-protobuf" and "schema 7" in rejected.detail


def test_the_frame_names_the_type_of_the_message():
    batch = message("plant.Batch")
    row = batch.rows.add(name="k-2")
    row.values["flow"], row.values["level"] = 1.5, 0.0
    row.at.FromMilliseconds(1_775_369_228_500)
    expected = [[("k-2", None, name, 1_775_369_228_500, value) for name, value in (("flow", 1.5), ("level", 0.0))]]
    assert outcomes_of(WIDE, framed(batch.SerializeToString(), b"\2\2"), schema_of=schema_of) == expected
    of_row = {**WIDE, "records": None}
    assert outcomes_of(of_row, framed(row.SerializeToString(), b"\4\2\0"), schema_of=schema_of) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("payload", "reason", "words"),
    [
        (None, "bad-protobuf", "without a payload"),
        (b"{}", "bad-protobuf", "zero byte and a schema id"),
        (framed(reading(), number=8), "bad-protobuf", "8: Schema not found"),
        (framed(b"\xff\xff"), "bad-protobuf", "the body does not match schema 7"),
        (framed(b"", b"\2\6"), "bad-protobuf", "no message type at [3]"),
        (framed(b"", b"\xff\xff\xff\xff\x7f"), "bad-protobuf", "levels"),
        (framed(b"", b"\2"), "bad-protobuf", "ends before its body"),
        (framed(b"", b"\x80" * 9), "bad-protobuf", "more than five bytes"),
        (framed(b"\n\0" * 110_000, b"\2\2"), "too-large", "values"),
        (b"\0" * 1_000_001, "too-large", "bytes"),
    ],
)  # fmt: skip
def test_what_is_not_such_a_message_is_refused(payload, reason, words):
    ((rejected,),) = outcomes_of(LONG, payload, schema_of=schema_of)
    assert rejected[0] == reason and words in rejected[1]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("", "AAAA")], "not a file descriptor"),
        (schema_of(7)[1:], "imports plant/machine.proto, which it does not reference"),
    ],
)
def test_a_registry_that_does_not_describe_the_message(pairs, words):
    (rejected,) = compile_payload(LONG, "UTC", lambda _: pairs)(framed(reading()))
    assert rejected.reason == "bad-protobuf" and words in rejected.detail


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.binary(max_size=30).map(lambda noise: reading()[:-3] + noise))))
def test_any_body_gives_only_readings_and_rejections(bodies):
    for mapping in (LONG, WIDE):
        outcomes_of(mapping, *(framed(body) for body in bodies), schema_of=schema_of)
