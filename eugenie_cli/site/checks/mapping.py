"""Checks that a `readings` mapping has all that its shape needs, and nothing that contradicts it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eugenie_cli.readings.code_lists import CodeList, code_range
from eugenie_cli.readings.tag_columns import TAG
from eugenie_cli.readings.values import range_of
from eugenie_cli.site.checks.time_mapping import check_time
from eugenie_cli.site.diagnostics import Path
from eugenie_cli.site.readings_mapping import (
    WAYS,
    Part,
    QualityPart,
    ReadingsMapping,
    SchemaRegistry,
    TimePart,
    ValuePart,
)

_DASHED = re.compile(r"(0x[0-9a-fA-F]+|\d+)\s*(?:-|–|to|:)\s*(0x[0-9a-fA-F]+|\d+)")
"""What looks like a range of codes, and is none."""
_OF_A_RECORD = ("record", "header")
_OF_A_NUMBER = re.compile(r"[0-9+\-.,\u2010-\u2015\u2212].*|[eE][+-]?[0-9]*", re.DOTALL)
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
    for name in ("ts", "quality"):
        if mapping.columns is not None and mapping.columns.has(name):
            part = parts.pop(name)
            if name in mapping.columns.optional:
                continue  # of tags without such a column
            if part is not None and part.path is not None and name in mapping.model_fields_set:
                yield (name, "path"), f"conflicts with columns: each tag has a column of its own for {name}"
    if mapping.shape == "long" or any(getattr(mapping.value, way) is not None for way in WAYS):
        parts["value"] = mapping.value
    for name, part in parts.items():
        if part is not None:
            yield from _one_way(name, part, of_file)
            yield from _of_record(name, part) if of_kafka else _without_record(name, part, of_file)
    yield from check_time(mapping.ts, of_file=of_file, of_kafka=of_kafka)
    if mapping.ts.date is not None and not (of_file and mapping.format == "csv"):
        yield (
            ("ts", "date"),
            "is for tables in files, whose rows are in order: use `path: [date, time]`",
        )
    elif mapping.ts.date is not None and mapping.columns is not None and mapping.columns.has("ts"):
        yield ("ts", "date"), "is for tables with one column of times: give each tag a source of its own"
    yield from _value(mapping.value)
    yield from _quality(mapping.quality)
    yield from _tag_columns(mapping)
    yield from _payload_alone(mapping)
    if mapping.fill and not (of_file and mapping.format == "csv"):
        yield ("fill",), "is for tables in files: a message has no row above it"
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
        for key in ("unit", "format", "timezone", "ambiguous", "start"):
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


def _value(value: ValuePart) -> Iterator[tuple[Path, str]]:
    if _OF_A_NUMBER.fullmatch((value.unit or "x").strip()):
        yield ("value", "unit"), f"{value.unit!r} could be part of a number: write a unit such as bar or °C"
    for index, text in enumerate(value.strip):
        if _OF_A_NUMBER.fullmatch(text.strip() or "0"):
            yield ("value", "strip", index), f"{text!r} could be part of a number: without it the number is another one"
    if value.thousands == value.decimal:
        other = "," if value.decimal == "." else "."
        yield ("value", "thousands"), f'is also the decimal sign: set `decimal: "{other}"`'
    if value.scale == 0:
        yield ("value", "scale"), "must not be 0: every value would be the same"
    for index, text in enumerate(value.bad):
        bounds = range_of(text.strip())
        if bounds is not None and bounds[0] > bounds[1]:
            yield ("value", "bad", index), f"{text!r} begins above its end: write the smaller number first"
    names = [name.strip().lower() for name in value.map]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield ("value", "map"), f"{name!r} is there twice: case does not matter"
    for text in (*value.bad, *value.status):
        if text.strip().lower() in names:
            yield ("value", "map"), f"{text!r} has a value here and is also listed as bad: choose one"


def _tag_columns(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    columns = mapping.columns
    if columns is None:
        return
    if mapping.shape != "wide":
        yield ("columns",), "is for wide records: set `shape: wide`"
    for kind in columns.optional:
        if getattr(columns, kind) is None:
            yield ("columns", "optional"), f"is for columns by name: give {kind}, such as {TAG}_{kind.upper()}"
    if columns.repeat:
        for name in ("value", "ts", "quality"):
            if name in columns.model_fields_set and getattr(columns, name) is not None:
                yield ("columns", name), "conflicts with repeat: columns are found by their names or their places"
        for name in columns.repeat:
            if columns.repeat.count(name) > 1:
                yield ("columns", "repeat"), f"contains {name} twice"
                break
        if "value" not in columns.repeat:
            yield ("columns", "repeat"), "needs value"
        return
    for name in ("value", "ts", "quality"):
        pattern = getattr(columns, name)
        if pattern is not None and pattern.count(TAG) != 1:
            yield ("columns", name), f"needs {TAG} once, such as {TAG}_{name.upper()}"
    patterns = [pattern for pattern in (columns.value, columns.ts, columns.quality) if pattern is not None]
    if len(set(patterns)) < len(patterns):
        yield ("columns",), "has the same pattern twice"
    if len(patterns) == 1 and columns.value == TAG:
        yield ("columns",), "says nothing: give the columns of each tag's value, ts or quality, or repeat"


def _quality(quality: QualityPart | None) -> Iterator[tuple[Path, str]]:
    if quality is None:
        return
    lists = {"good": quality.good, "uncertain": quality.uncertain, "bad": quality.bad}
    for name, codes in lists.items():
        for index, code in enumerate(codes):
            bounds = code_range(code)
            if bounds is not None and bounds[0] > bounds[1]:
                yield ("quality", name, index), f"{code!r} begins above its end: write the smaller number first"
            elif bounds is None and ".." in code:
                yield ("quality", name, index), f"{code!r} is not a range of numbers, such as 64..127"
            elif dashed := _DASHED.fullmatch(code.strip()):
                instead = f"{dashed[1]}..{dashed[2]}"
                yield ("quality", name, index), f"{code!r} would be a word: write {instead} for a range of numbers"
    for code in quality.bad:
        if code.strip() in CodeList((*quality.good, *quality.uncertain)):
            yield ("quality", "bad"), f"{code!r} is also listed as good: choose one"


def _of_files(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    if mapping.format in _OF_MESSAGES:
        yield ("format",), f"{mapping.format} is for messages, not for files"
    if mapping.base64:
        yield ("base64",), "is for messages, not for files"
    if mapping.records is not None and mapping.format != "json":
        yield ("records",), "is for JSON and messages with several records: in a table each row is a record"
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
    if mapping.value.paths:
        yield ("value", "path"), "several paths are for long records: in a wide record each column is a value"
    elif mapping.format == "csv" and mapping.value.path is not None and "value" in mapping.model_fields_set:
        yield ("value", "path"), "is for objects in messages: in a wide table each column is a value"
