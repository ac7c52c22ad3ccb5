"""The section `readings` of the site file: how records of a source, or messages, become readings."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, SerializerFunctionWrapHandler, model_serializer

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Label, StatusText, ZoneName


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
        return {key: value for key, value in dumped.items() if value is not None or key not in ("record", "header")}


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


class QualityPart(Part):
    """Data quality: codes of OPC DA (and Sparkplug), OPC UA or Ignition, words (good/uncertain/bad), or booleans."""

    scheme: Literal["opcda", "opcua", "ignition", "words", "boolean"] = "words"


class SchemaRegistry(Section):
    """The schema registry of Avro messages: Confluent's, or one with the same API."""

    url: str = Field(description="http://host:port or https://..., with its path, if any")
    username: str | None = None
    password: SecretStr | None = None
    ca: str | None = Field(None, description="PEM file of the certificate authority")


class ReadingsMapping(Section):
    """How a record of a source becomes readings, both in imports and in the stream.

    `long`: a record is one reading (with asset and sensor, or a tag).
    `wide`: a record has one timestamp and a column for each sensor or tag.
    """

    format: Literal["csv", "json", "avro"] = Field(
        "json", description="csv: for files; json, avro (after a zero byte and the schema's id): for messages"
    )
    registry: SchemaRegistry | None = Field(None, description="avro: the registry of the schemas")
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
