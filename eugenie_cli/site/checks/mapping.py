"""Checks that a `readings` mapping has all that its shape needs, and nothing that contradicts it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eugenie_cli.readings.format_check import problems
from eugenie_cli.site.diagnostics import Path
from eugenie_cli.site.readings_mapping import Part, ReadingsMapping, SchemaRegistry

_WAYS = ("path", "const", "file")
_PLACEHOLDERS = ("{stem}", "{parent}")
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(:\d{1,5})?(/[^\s?#]*)?")


def check_mapping(mapping: ReadingsMapping, *, of_file: bool) -> Iterator[tuple[Path, str]]:
    """Problems of a mapping: (path inside the mapping, message). `of_file`: for files, whose names may be mapped."""
    parts = {
        "ts": mapping.ts,
        "asset": mapping.asset,
        "sensor": mapping.sensor,
        "tag": mapping.tag,
        "quality": mapping.quality,
    }
    if mapping.shape == "long" or any(getattr(mapping.value, way) is not None for way in _WAYS):
        parts["value"] = mapping.value
    for name, part in parts.items():
        if part is not None:
            yield from _one_way(name, part, of_file)
    yield from _time(mapping)
    yield from _of_files(mapping) if of_file else _of_messages(mapping)
    yield from _long(mapping) if mapping.shape == "long" else _wide(mapping)


def _one_way(name: str, part: Part, of_file: bool) -> Iterator[tuple[Path, str]]:
    ways = [way for way in _WAYS if getattr(part, way) is not None]
    if not ways:
        yield (
            (name,),
            "needs a path" if name in ("ts", "value", "quality") else "needs a path, a const or a file",
        )
    for way in ways[1:]:
        yield (name, way), f"conflicts with {ways[0]}: give only one of them"
    if part.file is not None and not of_file:
        yield (name, "file"), "messages have no file name: use path or const"
    for placeholder in re.findall(r"\{[^}]*\}", part.file or ""):
        if placeholder not in _PLACEHOLDERS:
            yield (name, "file"), f"{placeholder} is unknown: use {' or '.join(_PLACEHOLDERS)}"
    if name in ("ts", "value", "quality"):
        for way in ways:
            if way != "path":
                yield (name, way), "must come from the record: use path"


def _time(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    if mapping.ts.format is not None and mapping.ts.unit != "iso":
        yield ("ts", "format"), f"a number in {mapping.ts.unit} has no format: give format or unit, not both"
    elif mapping.ts.format is not None:
        for problem in problems(mapping.ts.format):
            yield ("ts", "format"), problem


def _of_files(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    if mapping.format == "avro":
        yield ("format",), "avro is for messages, not for files"
    if mapping.records is not None:
        yield ("records",), "is for messages with several records: in a file each row is a record"
    if mapping.registry is not None:
        yield ("registry",), "is for messages of format avro"


def _of_messages(mapping: ReadingsMapping) -> Iterator[tuple[Path, str]]:
    if mapping.format == "csv":
        yield ("format",), "must be json or avro: csv is for files"
    if mapping.format == "avro" and mapping.registry is None:
        yield ("registry",), "is required for format avro: it names the schema registry"
    if mapping.registry is not None:
        if mapping.format != "avro":
            yield ("registry",), "is for format avro"
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
