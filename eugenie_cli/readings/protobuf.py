"""Protobuf messages as Confluent's serializers write them: a zero byte, the schema id, the message's place, the body.

The place is a list of indices into the schema's message types, and into those nested in them, as zigzag varints; a
single 0 stands for the first. The registry returns descriptors or sources (`proto_source`), so no compiler is needed. A
message is converted to the form of a JSON message, with its schema's field names, so that one mapping reads both.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.avro import SchemaOf, UnknownSchema
from eugenie_cli.readings.framing import FRAME, MAGIC
from eugenie_cli.readings.json_text import MAX_PAYLOAD
from eugenie_cli.readings.proto_source import file_descriptor
from eugenie_cli.readings.reading import Rejected

MOST_VALUES = 200_000
"""Values of one message: no gateway sends more, and a short body may stand for any number of empty messages."""
_DEEPEST = 16  # levels of nested message types in a frame; real ones have one or two
_WELL_KNOWN = "google/protobuf/"
_DECIMAL_FILE, _DECIMAL = "confluent/type/decimal.proto", "confluent.type.Decimal"  # Kafka Connect's decimals
_DECIMAL_SOURCE = """syntax = "proto3"; package confluent.type;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }"""
_ANNOTATIONS = ("confluent/meta.proto",)  # only options, which no message needs
_TIMESTAMP = "google.protobuf.Timestamp"
_WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_UNREADABLE = (ArithmeticError, KeyError, TypeError, ValueError, RecursionError)


def compile_protobuf(schema_of: SchemaOf) -> Callable[[bytes | None], dict[str, Any] | Rejected]:
    """The reader of framed Protobuf: payload -> message, as if parsed from JSON.

    `schema_of`: schema id -> (file name, its descriptor in base64 or its source) of each file, imported files first.
    Each schema is compiled once. `bad-protobuf` for a payload that is not framed, has an unknown schema or does not
    match its schema; `too-large` above `MAX_PAYLOAD` bytes, or `MOST_VALUES` values.
    """
    from google.protobuf.message import DecodeError

    compiled: dict[int, Any] = {}
    classes: dict[tuple[int, ...], Any] = {}

    def of_payload(payload: bytes | None) -> dict[str, Any] | Rejected:
        if payload is None:
            return _bad("a message without a payload")
        if len(payload) > MAX_PAYLOAD:
            return Rejected(reject_reasons.TOO_LARGE, f"{len(payload)} bytes, at most {MAX_PAYLOAD}")
        if len(payload) <= FRAME or payload[: len(MAGIC)] != MAGIC:
            return _bad("does not begin with a zero byte and a schema id")
        number = int.from_bytes(payload[1:FRAME], "big")
        try:
            place, at = _place(payload)
            if number not in compiled:
                compiled[number] = _file(schema_of(number), number)
            key = (number, *place)
            if key not in classes:
                classes[key] = _class_at(compiled[number], place), _Values()
        except UnknownSchema as unknown:
            return _bad(str(unknown))
        except _UNREADABLE as error:
            return _bad(f"schema {number}: {str(error)[:200] or type(error).__name__}")
        try:
            of_type, values = classes[key]
            return values.read(of_type.FromString(payload[at:]))
        except TooManyValues:
            return Rejected(reject_reasons.TOO_LARGE, f"more than {MOST_VALUES} values")
        except (DecodeError, *_UNREADABLE) as error:
            return _bad(f"the body does not match schema {number}: {str(error)[:200]}")

    return of_payload


class TooManyValues(Exception):  # noqa: N818 - a fact about a message, not a failure of the program
    """A short body stands for more values than any message of readings has."""


def _place(payload: bytes) -> tuple[tuple[int, ...], int]:
    """The indices of the message type, and the position of the body."""
    count, at = _zigzag(payload, FRAME)
    if not 0 <= count <= _DEEPEST:
        raise ValueError(f"a message type at {count} levels")
    place = []
    for _ in range(count):
        index, at = _zigzag(payload, at)
        place.append(index)
    return tuple(place) or (0,), at


def _zigzag(payload: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 35, 7):
        if at >= len(payload):
            raise ValueError("the payload ends before its body")
        byte = payload[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
    raise ValueError("a number of more than five bytes in place of an index")


def _file(files: Sequence[tuple[str, str]], number: int) -> Any:
    """The descriptor of the last of the files, in a pool of its own."""
    from google.protobuf.descriptor_pool import DescriptorPool

    pool = DescriptorPool()
    known: set[str] = set()
    for name, text in files:
        described = _described(text, name or f"schema-{number}.proto")
        imported = [dependency for dependency in described.dependency if dependency not in _ANNOTATIONS]
        del described.dependency[:], described.public_dependency[:], described.weak_dependency[:]
        described.dependency.extend(imported)
        for dependency in imported:
            if dependency.startswith(_WELL_KNOWN) and dependency not in known:
                _add_well_known(pool, dependency, known)
            if dependency == _DECIMAL_FILE and dependency not in known:
                pool.AddSerializedFile(_described(_DECIMAL_SOURCE, dependency).SerializeToString())
                known.add(dependency)
            if dependency not in known:
                raise ValueError(f"it imports {dependency}, which it does not reference in the registry")
        pool.AddSerializedFile(described.SerializeToString())
        known.add(described.name)
    return pool.FindFileByName(described.name)


def _described(text: str, name: str) -> Any:
    """The descriptor of a file, from its own in base64 or from its source."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import DecodeError

    try:
        described = FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except ValueError:  # not base64: a registry that does not know ?format=serialized
        described = file_descriptor(text)
    except DecodeError as error:
        raise ValueError(f"not a file descriptor: {error}") from None
    described.name = name
    return described


def _add_well_known(pool: Any, name: str, known: set[str]) -> None:
    from google.protobuf import (
        any_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )

    modules = (any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
    for file in (module.DESCRIPTOR for module in modules):  # none of these imports another
        if file.name == name:
            pool.AddSerializedFile(file.serialized_pb)
            known.add(name)


def _class_at(file: Any, place: tuple[int, ...]) -> Any:
    from google.protobuf.message_factory import GetMessageClass

    types = list(file.message_types_by_name.values())
    described = None
    for index in place:
        if not 0 <= index < len(types):
            raise ValueError(f"it has no message type at {list(place)}")
        described = types[index]
        types = list(described.nested_types)
    return GetMessageClass(described)


class _Field(NamedTuple):
    """How a field is converted. `message`: the full name of its type; `names`: those of its enum's numbers."""

    name: str
    has_presence: bool
    is_map: bool
    is_repeated: bool
    message: str | None
    names: dict[int, str] | None


class _Values:
    """Converts the messages of one type, and counts the values of each."""

    def __init__(self) -> None:
        self._left = 0
        self._fields: dict[str, list[_Field]] = {}

    def read(self, message: Any) -> dict[str, Any]:
        """A message as it would be in JSON. Raises TooManyValues."""
        self._left = MOST_VALUES
        return self._plain(message)

    def _plain(self, message: Any) -> dict[str, Any]:
        """Fields that were not sent have their default, if they have one."""
        descriptor = message.DESCRIPTOR
        fields = self._fields.get(descriptor.full_name)
        if fields is None:
            fields = self._fields[descriptor.full_name] = [_field(field) for field in descriptor.fields]
        self._left -= 1 + len(fields)
        if self._left < 0:
            raise TooManyValues
        return {
            field.name: self._of_field(field, getattr(message, field.name))
            for field in fields
            if not field.has_presence or message.HasField(field.name)
        }

    def _of_field(self, field: _Field, value: Any) -> Any:
        if not field.is_repeated:
            return self._one(field, value)
        self._left -= len(value)
        if self._left < 0:
            raise TooManyValues
        if field.is_map:
            return {str(key): self._one(field, value[key]) for key in value}
        return [self._one(field, element) for element in value]

    def _one(self, field: _Field, value: Any) -> Any:
        if field.message is not None:
            return self._message(field.message, value)
        if field.names is not None:
            return field.names.get(value, value)
        return list(value) if isinstance(value, bytes) else value

    def _message(self, name: str, value: Any) -> Any:
        if name == _TIMESTAMP:
            return _iso(value.seconds, value.nanos)
        if name == _DECIMAL:
            return str(Decimal(int.from_bytes(value.value, "big", signed=True)).scaleb(-value.scale))
        plain = self._plain(value)
        return plain["value"] if name in _WRAPPERS else plain


def _field(field: Any) -> _Field:
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    is_repeated = field.label == field.LABEL_REPEATED
    typed = field.message_type.fields_by_name["value"] if is_map else field
    names = None
    if typed.enum_type is not None:
        names = {value.number: value.name for value in reversed(typed.enum_type.values)}  # of aliases, the first
    message = None if typed.message_type is None else typed.message_type.full_name
    return _Field(field.name, field.has_presence, is_map, is_repeated, message, names)


def _iso(seconds: int, nanos: int) -> str:
    try:
        return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat() + f".{nanos:09d}Z"
    except OverflowError:
        return f"{seconds}.{nanos:09d} s since 1970"  # beyond the calendar: no instant


def _bad(detail: str) -> Rejected:
    return Rejected(reject_reasons.BAD_PROTOBUF, detail)
