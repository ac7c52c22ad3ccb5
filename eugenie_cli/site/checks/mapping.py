"""Checks that a `readings` mapping has all that its shape needs, and nothing that contradicts it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eugenie_cli.readings.format_check import problems
from eugenie_cli.site.diagnostics import Path
from eugenie_cli.site.readings_mapping import WAYS, Part, ReadingsMapping, SchemaRegistry, TimePart

_OF_A_RECORD = ("record", "header")
_OF_A_NUMBER = re.compile(r"[0-9+\-.,].*|[eE][+-]?[0-9]*", re.DOTALL)
_PLACEHOLDERS = ("{stem}", "{parent}")
_WITH_SCHEMAS = ("avro", "protobuf")
_OF_MESSAGES = (*_WITH_SCHEMAS, "influx")
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(:\d{1,5})?(/[^\s?#]*)?")


def check_mapping(mapping: ReadingsMapping, *, of_file: bool, of_kafka: bool = False) -> Iterator[tuple[Path, str]]:
    """Problems of a mapping: (path inside the mapping, message).

    `of_file`: for files, whose names may be mapped. `of_kafka`: for the stream, whose records have keys and headers.
    """
    parts = {
        "ts": mapping.ts,
        "asset": mapping.asset,
        "sensor": mapping.sensor,
        "tag": mapping.tag,
        "quality": mapping.quality,
    }
    if mapping.shape == "long" or any(getattr(mapping.value, way) is not None for way in WAYS):
        parts["value"] = mapping.value
    for name, part in parts.items():
        if part is not None:
            yield from _one_way(name, part, of_file)
            yield from _of_record(name, part) if of_kafka else _without_record(name, part, of_file)
    yield from _time(mapping)
    if _OF_A_NUMBER.fullmatch((mapping.value.unit or "x").strip()):
        yield ("value", "unit"), f"{mapping.value.unit!r} could be part of a number: write a unit such as bar or °C"
    yield from _payload_alone(mapping)
    yield from _of_files(mapping) if of_file else _of_messages(mapping)
    yield from _long(mapping) if mapping.shape == "long" else _wide(mapping)


def _one_way(name: str, part: Part, of_file: bool) -> Iterator[tuple[Path, str]]:
    ways = [way for way in WAYS if getattr(part, way) is not None]
    if not ways:
        yield (
            (name,),
            "needs a path" if name in ("ts", "value", "quality") else "needs a path, a const or a file",
        )
    for way in ways[1:]:
        yield (name, way), f"conflicts with {ways[0]}: give only one of them"
    if part.file is not None and not of_file:
        yield (name, "file"), "messages have no file name: use path or const"
    yield from _of_file_name(name, part.file or "")
    if name in ("ts", "value", "quality"):
        for way in ways:
            if way not in ("path", *_OF_A_RECORD):
                yield (name, way), "must come from the record: use path"


def _of_file_name(name: str, pattern: str) -> Iterator[tuple[Path, str]]:
    """A pattern says what a name consists of (`valve1-{stem}`), or finds it in the file's name (`{asset}_{*}`)."""
    own = f"{{{name}}}"
    placeholders = re.findall(r"\{[^}]*\}", pattern)
    finds = placeholders.count(own)
    if finds > 1:
        yield (name, "file"), f"{own} may occur only once"
    for placeholder in placeholders:
        if finds and placeholder in _PLACEHOLDERS:
            yield (name, "file"), f"{placeholder} has no meaning beside {own}: use {{*}} for any text"
        elif placeholder not in (*_PLACEHOLDERS, own, "{*}"):
            yield (name, "file"), f"{placeholder} is unknown: use {', '.join(_PLACEHOLDERS)} or {own}"
    if not finds and "{*}" in placeholders:
        yield (name, "file"), f"{{*}} is for patterns that contain {own}"


def _without_record(name: str, part: Part, of_file: bool) -> Iterator[tuple[Path, str]]:
    for way in _OF_A_RECORD:
        if getattr(part, way) is not None:
            instead = "use path, const or file" if of_file else "use path or const"
            what = "a file" if of_file else "this source"
            yield (name, way), f"is for kafka.readings: {what} has no Kafka records; {instead}"


def _of_record(name: str, part: Part) -> Iterator[tuple[Path, str]]:
    """The record's timestamp is an instant, its key a name, its value a value; a header may be any but the value."""
    fits = {"ts": "timestamp", "value": "value", "quality": None}.get(name, "key")
    if part.record is not None and part.record != fits:
        instead = f"use record: {fits}, header or path" if fits else "use header or path"
        yield (name, "record"), f"the record's {part.record} is not the {name}: {instead}"
    if part.header is not None and name == "value":
        yield (name, "header"), "a value is in the payload: use path, or record: value"
    if isinstance(part, TimePart) and part.record == "timestamp":
        for key in ("unit", "format", "timezone"):
            if key in part.model_fields_set:
                yield (name, key), "is for text and numbers: the record's timestamp is an instant"


def _payload_alone(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    """With `value: {record: value}` the payload has no members in which anything else could be found."""
    if mapping.value.record != "value":
        return
    why = "the payload is the value alone (value: {record: value})"
    if mapping.shape != "long":
        yield ("shape",), f"must be long: {why}"
    if mapping.format != "json":
        yield ("format",), f"must be left out: {why}"
    for name in ("records", "base64"):
        if getattr(mapping, name):
            yield (name,), f"must be left out: {why}"
    for name in ("ts", "asset", "sensor", "tag", "quality"):
        part = getattr(mapping, name)
        if part is not None and part.path is not None:
            at = (name, "path") if name in mapping.model_fields_set else (name,)
            instead = {"ts": "record: timestamp or header", "quality": "header"}.get(
                name, "record: key, header or const"
            )
            yield at, f"{why}: use {instead}"


def _time(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    if mapping.ts.format is not None and mapping.ts.unit != "iso":
        yield ("ts", "format"), f"a number in {mapping.ts.unit} has no format: give format or unit, not both"
    elif mapping.ts.format is not None:
        for problem in problems(mapping.ts.format):
            yield ("ts", "format"), problem


def _of_files(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    if mapping.format in _OF_MESSAGES:
        yield ("format",), f"{mapping.format} is for messages, not for files"
    if mapping.base64:
        yield ("base64",), "is for messages, not for files"
    if mapping.records is not None:
        yield ("records",), "is for messages with several records: in a file each row is a record"
    if mapping.registry is not None:
        yield ("registry",), "is for messages of format avro or protobuf"


def _of_messages(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    if mapping.format == "csv":
        yield ("format",), "must be json, influx, avro or protobuf: csv is for files"
    if mapping.format in _WITH_SCHEMAS and mapping.registry is None:
        yield ("registry",), f"is required for format {mapping.format}: it names the schema registry"
    if mapping.format == "influx" and mapping.records is not None:
        yield ("records",), "is for arrays: each line of the line protocol is a record"
    if mapping.registry is not None:
        if mapping.format not in _WITH_SCHEMAS:
            yield ("registry",), "is for formats avro and protobuf"
        for path, message in _registry(mapping.registry):
            yield ("registry", *path), message


def _registry(registry: SchemaRegistry) -> Iterator[tuple[Path, str]]:
    if _URL.fullmatch(registry.url) is None:
        yield ("url",), "must be http://host:port or https://..., without a user name, ? and #"
    for key, other in (("username", "password"), ("password", "username")):
        if getattr(registry, key) is None and getattr(registry, other) is not None:
            yield (key,), f"is required together with {other}"
    if registry.ca is not None and not registry.url.startswith("https:"):
        yield ("ca",), "is for https"


def _long(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    if mapping.sensor is not None and mapping.asset is None and mapping.tag is None:
        yield ("asset",), "is required together with sensor: it names the sensor's asset"
    elif mapping.sensor is None and mapping.tag is None:
        yield (), "a long record needs a sensor (with an asset) or a tag"
    if mapping.ignore:
        yield ("ignore",), "is for wide records: a long record has no columns that could be taken for sensors"


def _wide(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    for name, part in (("sensor", mapping.sensor), ("tag", mapping.tag)):
        if part is not None:
            yield (name,), "is for long records: in a wide record each column is a sensor or a tag"
    if mapping.format == "csv" and mapping.value.path is not None and "value" in mapping.model_fields_set:
        yield ("value", "path"), "is for objects in messages: in a wide table each column is a value"
