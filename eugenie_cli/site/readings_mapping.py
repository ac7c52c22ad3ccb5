"""The section `readings` of the site file: how records of a source, or messages, become readings."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Label, StatusText, ZoneName

WAYS = ("path", "const", "file", "record", "header")
"""Settings of a part that say where it comes from: one of them is given."""
_NEWER = ("record", "header", "unit")  # settings of parts that the first releases did not have


class Part(Section):
    """Where a record's part comes from: a path (a column, or `a.b.c` in JSON), a constant, or the file's name.

    In the stream, also from the Kafka record around the payload: its key, a header or its timestamp.
    """

    path: Label | None = None
    const: Label | None = None
    file: Label | None = Field(None, description="a pattern over the file's name, e.g. 'valve1-{stem}' (imports only)")
    record: Literal["key", "timestamp", "value"] | None = Field(
        None,
        description="of the Kafka record (stream only): key, for a name; timestamp, for ts; value, for a payload that"
        " is nothing but the value",
    )
    header: Label | None = Field(None, description="name of a header of the Kafka record (stream only)")

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what older releases did not have: otherwise an unchanged source would count as changed."""
        dumped: dict[str, Any] = dump(self)
        return {key: value for key, value in dumped.items() if value is not None or key not in _NEWER}


class TimePart(Part):
    """A timestamp. Text is ISO 8601, or of the strptime `format` if given; numbers need a `unit`."""

    unit: Literal["iso", "s", "ms", "us", "ns", "excel"] = Field(
        "iso", description="iso: text; s to ns: since 1970; excel: days since 1899-12-30, local time"
    )
    format: str | None = Field(None, description="such as %d.%m.%Y %H:%M:%S or %m/%d/%Y %I:%M:%S %p")
    timezone: ZoneName | None = Field(None, description="for local times without an offset; default: the site's")


class ValuePart(Part):
    """A measured value. Numeric text is accepted; a status text makes the reading's quality bad."""

    decimal: Literal[".", ","] = "."
    status: tuple[StatusText, ...] = Field(
        (), description="texts, or numbers such as -9999, that mean bad quality, in addition to the well-known ones"
    )
    unit: Label | None = Field(None, description="a unit that may follow a number, as in '2.4 bar'; it is removed")


Scheme = Annotated[
    Literal["opcda", "opcua", "ignition", "words", "boolean", "sparkplug", "sitewise", "telegraf"],
    BeforeValidator(lambda name: re.sub("[-_ ]", "", name).lower() if isinstance(name, str) else name),  # OPC-UA
]


class QualityPart(Part):
    """Data quality: codes of OPC DA (and Sparkplug), OPC UA or Ignition, words (good/uncertain/bad), or booleans."""

    scheme: Scheme = Field(
        "words", description="sparkplug is opcda, sitewise is words, telegraf (inputs.opcua) is opcua"
    )


class SchemaRegistry(Section):
    """The schema registry of Avro or Protobuf messages: Confluent's, or one with the same API."""

    url: str = Field(description="http://host:port or https://..., with its path, if any")
    username: str | None = None
    password: SecretStr | None = None
    ca: str | None = Field(None, description="PEM file of the certificate authority")


class ReadingsMapping(Section):
    """How a record of a source becomes readings, both in imports and in the stream.

    `long`: a record is one reading (with asset and sensor, or a tag).
    `wide`: a record has one timestamp and a column for each sensor or tag.
    """

    format: Literal["csv", "json", "avro", "protobuf", "influx"] = Field(
        "json",
        description="csv: for files; json, influx (line protocol), avro and protobuf (after a zero byte and the"
        " schema's id): for messages",
    )
    base64: bool = Field(
        False, description="the message, or the text members that paths descend into, are base64 of the format"
    )
    registry: SchemaRegistry | None = Field(None, description="avro, protobuf: the registry of the schemas")
    shape: Literal["long", "wide"] = "long"
    records: Label | None = Field(
        None, description="path of a message's array of records, e.g. values; '.': the message is the array"
    )
    ts: TimePart = TimePart(path="ts")
    asset: Part | None = None
    sensor: Part | None = None
    tag: Part | None = None
    value: ValuePart = ValuePart(path="value")
    quality: QualityPart | None = None
    ignore: tuple[Label, ...] = Field((), description="wide: columns that are not sensors, e.g. labels")

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As for parts."""
        dumped: dict[str, Any] = dump(self)
        return {key: value for key, value in dumped.items() if key != "base64" or value}

    @model_validator(mode="before")
    @classmethod
    def _of_lines(cls, given: Any) -> Any:
        """A line of the line protocol is a wide record of its fields with an instant in ns, unless stated otherwise."""
        if not isinstance(given, dict) or given.get("format") != "influx":
            return given
        fields = "fields.value" if given.get("shape") == "long" else "fields"
        sections = {"ts": {"path": "timestamp", "unit": "ns"}, "value": {"path": fields}}
        return {
            "shape": "wide",
            **given,
            **{name: _located(given.get(name, {}), defaults) for name, defaults in sections.items()},
        }


def _located(section: Any, defaults: dict[str, str]) -> Any:
    """A section as given, with the defaults if it does not say where its part comes from."""
    if not isinstance(section, dict) or any(section.get(way) is not None for way in WAYS):
        return section
    return {**defaults, **section, "path": defaults["path"]}
