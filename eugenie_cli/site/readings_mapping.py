"""How a record of a source, or a message, becomes readings: the section `readings` of the site file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Label, StatusText, ZoneName


class Part(Section):
    """Where a record says something: at a path (a column, or `a.b.c` in JSON), a constant, a file's name."""

    path: Label | None = None
    const: Label | None = None
    file: Label | None = Field(None, description="a pattern over the file's name, e.g. 'valve1-{stem}' (imports only)")


class TimePart(Part):
    """A timestamp. Text is ISO 8601 unless `format` (strptime) says otherwise; numbers need a `unit`."""

    unit: Literal["iso", "s", "ms", "us", "ns", "excel"] = Field(
        "iso", description="iso: text; s to ns: since 1970; excel: days since 1899-12-30, local time"
    )
    format: str | None = Field(None, description="such as %d.%m.%Y %H:%M:%S or %m/%d/%Y %I:%M:%S %p")
    timezone: ZoneName | None = Field(None, description="of local times without an offset; default: the site's")


class ValuePart(Part):
    """A measured value. Text that is a number is taken; status text makes the reading bad."""

    decimal: Literal[".", ","] = "."
    status: tuple[StatusText, ...] = Field(
        (), description="texts, or numbers such as -9999, that mean bad quality, beside the well-known ones"
    )


class QualityPart(Part):
    """Data quality: numbers of OPC DA (and Sparkplug), OPC UA or Ignition, words (good / uncertain / bad), or true."""

    scheme: Literal["opcda", "opcua", "ignition", "words", "boolean"] = "words"


class SchemaRegistry(Section):
    """Where the schemas of Avro messages are: Confluent's, or one that answers as it does."""

    url: str = Field(description="http://host:port or https://..., with a path if it has one")
    username: str | None = None
    password: SecretStr | None = None
    ca: str | None = Field(None, description="PEM file of the certificate authority")


class ReadingsMapping(Section):
    """How a record of a source becomes readings. Used by imports and by the stream alike.

    `long`: one reading a record (asset and sensor, or a tag).
    `wide`: one record a time, a column a sensor or tag.
    """

    format: Literal["csv", "json", "avro"] = Field(
        "json", description="csv: of files; json, avro (after a byte 0 and the schema's number): of messages"
    )
    registry: SchemaRegistry | None = Field(None, description="avro: where the schemas are")
    shape: Literal["long", "wide"] = "long"
    records: Label | None = Field(
        None, description="where a message holds an array of records, e.g. values; '.': the message is the array"
    )
    ts: TimePart = TimePart(path="ts")
    asset: Part | None = None
    sensor: Part | None = None
    tag: Part | None = None
    value: ValuePart = ValuePart(path="value")
    quality: QualityPart | None = None
    ignore: tuple[Label, ...] = Field((), description="wide: columns that are not sensors, labels for example")
