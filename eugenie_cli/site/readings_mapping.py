"""The section `readings` of the site file: how records of a source, or messages, become readings."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, SerializerFunctionWrapHandler, model_serializer, model_validator

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Label
from eugenie_cli.site.mapping_parts import WAYS, Part, QualityPart, TimePart, ValuePart

_UNUSED: dict[str, Any] = {"base64": False, "columns": None, "case": "exact", "fill": []}
"""The same for settings of the mapping itself."""


class TagColumns(Section):
    """Wide records in which a tag has a column for its value, its timestamp, its quality.

    By name: `{tag}` stands for the tag or sensor, e.g. value: "{tag}_VALUE". By place: `repeat: [ts, value]` says that
    the columns, but for those of other parts and `ignore`, repeat in such groups. `ts` and `quality` say how their
    texts are read.
    """

    value: Label = Field("{tag}", description='columns with values, e.g. "{tag}_VALUE"')
    ts: Label | None = Field(None, description='columns with the timestamp of a tag, e.g. "{tag}_TIMESTAMP"')
    quality: Label | None = Field(None, description='columns with the quality of a tag, e.g. "{tag}_QUALITY"')
    repeat: tuple[Literal["tag", "ts", "value", "quality"], ...] = Field(
        (),
        description="groups of columns by place: [ts, value], with the tag in the header of one of them; [tag, value]",
    )

    optional: tuple[Literal["quality"], ...] = Field(
        (), description="[quality]: a tag may lack such a column, and has then the quality of its record, if any"
    )

    @model_serializer(mode="wrap")
    def _without_optional(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As for parts."""
        dumped: dict[str, Any] = dump(self)
        return {key: value for key, value in dumped.items() if key != "optional" or value}

    def has(self, part: str) -> bool:
        """Whether each tag has a column of its own for a part: ts or quality."""
        return part in self.repeat or getattr(self, part) is not None


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
    columns: TagColumns | None = Field(None, description="wide: columns for the timestamp or quality of each tag")
    fill: tuple[Label, ...] = Field(
        (), description="tables: columns whose empty cells repeat the cell above, e.g. [Date], as reports write them"
    )
    case: Literal["exact", "ignore"] = Field(
        "exact", description="ignore: sensors and tags match without regard to case, as PI's tags do"
    )

    @property
    def of_records(self) -> dict[str, Part]:
        """The parts that each record must have, by name: without those that each tag has for itself."""
        parts: dict[str, Part | None] = {"ts": self.ts, "asset": self.asset}
        if self.shape == "long":
            parts["value"] = self.value
        elif self.columns is not None and self.columns.has("ts"):
            del parts["ts"]
        return {name: part for name, part in parts.items() if part is not None}

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As for parts."""
        dumped: dict[str, Any] = dump(self)
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in dumped.items()}
        return {key: value for key, value in dumped.items() if plain[key] != _UNUSED.get(key, dumped)}

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
