"""The section `readings` of the site file: how records of a source, or messages, become readings."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Label, StatusText, ZoneName

WAYS = ("path", "const", "file", "record", "header")
"""Settings of a part that say where it comes from: one of them is given."""
_NEWER = ("record", "header", "unit")  # settings of parts that the first releases did not have
_UNUSED: dict[str, Any] = {"base64": False, "columns": None, "case": "exact"}
"""The same for settings of the mapping itself."""
_UNSET: dict[str, Any] = {
    **{key: [] for key in ("paths", "formats", "bad", "strip", "good", "uncertain")},
    **{"ambiguous": "reject", "map": {}, "scale": 1.0, "offset": 0.0, "thousands": None},
}
"""Values of newer settings of parts that mean what their absence meant."""


def _plain(value: Any) -> Any:
    """A value as in JSON: tuples as lists."""
    return list(value) if isinstance(value, tuple) else value


def _text_or_list(description: str) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    several = {"type": "array", "items": text, "minItems": 1}
    return {"anyOf": [text, several, {"type": "null"}], "description": description}


def _first_of(given: Any, key: str, all_of_them: str) -> Any:
    """A list at `key` as its first element there, and all of them at `all_of_them`."""
    if not isinstance(given, dict) or not isinstance(given.get(key), (list, tuple)):
        return given
    several = list(given[key])
    if not several:
        raise ValueError(f"{key} needs at least one entry")
    return {**given, key: several[0], **({all_of_them: several} if len(several) > 1 else {})}


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
        return {
            key: value
            for key, value in dumped.items()
            if not (value is None and key in _NEWER) and not (key in _UNSET and _UNSET[key] == _plain(value))
        }

    @property
    def all_paths(self) -> tuple[str, ...]:
        """The paths that the part is made of; none if it comes from elsewhere."""
        return () if self.path is None else (self.path,)


class TimePart(Part):
    """A timestamp. Text is ISO 8601, or of the strptime `format` if given; numbers need a `unit`.

    Several columns, such as [Date, Time, Millitm], are read as one text with blanks between them. A last column of up
    to three digits, which the format does not read, is milliseconds.
    """

    path: Annotated[
        Label | None,
        WithJsonSchema(_text_or_list("a column or member, or several that together are the instant: [Date, Time]")),
    ] = None
    paths: tuple[Label, ...] = Field((), description="set by a list at `path`")
    unit: Literal["iso", "s", "ms", "us", "ns", "excel", "wincc"] = Field(
        "iso",
        description="iso: text; s to ns: since 1970; excel: days since 1899-12-30, local time; wincc: millionths of"
        " such a day (`Time_ms`)",
    )
    format: Annotated[
        str | None,
        WithJsonSchema(_text_or_list("such as %d.%m.%Y %H:%M:%S or %m/%d/%Y %I:%M:%S %p; a list if there are several")),
    ] = Field(None, description="such as %d.%m.%Y %H:%M:%S or %m/%d/%Y %I:%M:%S %p; a list if there are several")
    formats: tuple[str, ...] = Field((), description="set by a list at `format`")
    timezone: ZoneName | None = Field(None, description="for local times without an offset; default: the site's")
    ambiguous: Literal["reject", "first", "second", "order"] = Field(
        "reject",
        description="local times that occur twice when clocks are set back: reject them; take the first or the second;"
        " or take the one that the order of the rows of each asset or sensor shows (imports only)",
    )

    @model_validator(mode="before")
    @classmethod
    def _of_lists(cls, given: Any) -> Any:
        """Lists at `path` and `format`."""
        return _first_of(_first_of(given, "path", "paths"), "format", "formats")

    @property
    def all_paths(self) -> tuple[str, ...]:
        """As for parts."""
        return self.paths or super().all_paths

    @property
    def all_formats(self) -> tuple[str, ...]:
        """The formats of its texts; none for ISO 8601 and numbers."""
        return self.formats or (() if self.format is None else (self.format,))


Thousands = Annotated[
    Literal[".", ",", " ", "'"],
    BeforeValidator(lambda text: {"\u00a0": " ", "\u202f": " ", "\u2019": "'"}.get(text, text)),
]


class ValuePart(Part):
    """A measured value. Numeric text is accepted; a status text makes the reading's quality bad.

    Of several columns or members, the first that is not empty has the value.
    """

    path: Annotated[
        Label | None,
        WithJsonSchema(_text_or_list("a column or member, or several of which the first that is not empty counts")),
    ] = None
    paths: tuple[Label, ...] = Field((), description="set by a list at `path`")
    decimal: Literal[".", ","] = "."
    thousands: Thousands | None = Field(None, description="what separates groups of digits, as in 1,012.5; a blank too")
    status: tuple[StatusText, ...] = Field(
        (), description="texts, or numbers such as -9999, that mean bad quality, in addition to the well-known ones"
    )
    bad: tuple[StatusText, ...] = Field(
        (), description="as `status`, and ranges of numbers such as -10000..-9000 or 32767.., before `scale`"
    )
    map: dict[StatusText, float | None] = Field(
        {}, description="states and their values, e.g. {OPEN: 1, CLOSED: 0}; null: bad quality. Case does not matter"
    )
    strip: tuple[StatusText, ...] = Field((), description="texts around a number that are removed, e.g. ['<', '*']")
    unit: Label | None = Field(None, description="a unit that may follow a number, as in '2.4 bar'; it is removed")
    scale: Annotated[float, Field(allow_inf_nan=False, description="numbers (not states) are multiplied by it")] = 1.0
    offset: Annotated[float, Field(allow_inf_nan=False, description="added to numbers after `scale`")] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _of_lists(cls, given: Any) -> Any:
        """A list at `path`."""
        return _first_of(given, "path", "paths")

    @property
    def all_paths(self) -> tuple[str, ...]:
        """As for parts."""
        return self.paths or super().all_paths


Scheme = Annotated[
    Literal[
        "opcda", "opcua", "ignition", "words", "boolean", "sparkplug", "sitewise", "telegraf", "factorytalk",
        "wonderware",
    ],
    BeforeValidator(lambda name: re.sub("[-_ ]", "", name).lower() if isinstance(name, str) else name),  # OPC-UA
]  # fmt: skip


class QualityPart(Part):
    """Data quality: codes of OPC DA (and Sparkplug), OPC UA or Ignition, words (good/uncertain/bad), or booleans.

    The lists precede the scheme. They contain words, numbers in any notation, and ranges such as 64..127. If there is
    only `good`, any code that the scheme does not know is bad.
    """

    scheme: Scheme = Field(
        "words",
        description="sparkplug is opcda, sitewise is words, telegraf (inputs.opcua) is opcua; factorytalk: letters of"
        " data logs; wonderware: Quality or QualityDetail of AVEVA Historian",
    )
    good: tuple[StatusText, ...] = Field((), description="codes that mean good")
    uncertain: tuple[StatusText, ...] = Field((), description="codes that mean uncertain, which counts as good")
    bad: tuple[StatusText, ...] = Field((), description="codes that mean bad")


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
        return {key: value for key, value in dumped.items() if value != _UNUSED.get(key, dumped)}

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
