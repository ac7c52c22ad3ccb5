"""The parts of a `readings` mapping: where a record's timestamp, names, value and quality come from."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Label, StatusText, ZoneName

WAYS = ("path", "const", "file", "record", "header")
"""Settings of a part that say where it comes from: one of them is given."""
_NEWER = ("record", "header", "unit", "date", "start")  # settings of parts that the first releases did not have
_UNSET: dict[str, Any] = {
    **{key: [] for key in ("paths", "formats", "bad", "strip", "good", "uncertain")},
    **{"ambiguous": "reject", "fraction": "ms", "map": {}, "units": {}, "scale": 1.0, "offset": 0.0, "thousands": None},
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
        dumped: dict[str, Any] = {**dump(self), **self.derived}
        return {
            key: value
            for key, value in dumped.items()
            if not (value is None and key in _NEWER) and not (key in _UNSET and _UNSET[key] == _plain(value))
        }

    @property
    def derived(self) -> dict[str, Any]:
        """What dumps contain besides the settings."""
        return {}

    @property
    def all_paths(self) -> tuple[str, ...]:
        """The paths that the part is made of; none if it comes from elsewhere."""
        return () if self.path is None else (self.path,)


Unit = Literal[
    "iso", "s", "ms", "us", "ns", "excel", "wincc", "excel1904", "filetime", "ticks", "labview", "gps", "matlab",
    "julian", "mjd", "min", "h", "d", "duration",
]  # fmt: skip


class StatedOnce(Section):
    """What a file states once for all of its instants: in its name, or in a line above its table; or a constant."""

    file: Label | None = Field(
        None,
        description="a pattern over the file's name with {date} or {start} in it, e.g. 'log_{date}'; {*} is any text",
    )
    line: Annotated[tuple[Label, ...] | None, BeforeValidator(lambda t: (t,) if isinstance(t, str) else t)] = Field(
        None, min_length=1, max_length=4, description="the text with which a line above the table begins, or several"
    )
    const: Label | None = None
    format: str | None = Field(None, description="of the text, such as %d.%m.%Y; default: ISO 8601")

    @property
    def ways(self) -> list[str]:
        """The settings that say where it is: one of them is given."""
        return [way for way in ("file", "line", "const") if getattr(self, way) is not None]


class TimePart(Part):
    """A timestamp. Text is ISO 8601, or of the strptime `format` if given; numbers need a `unit`.

    Several columns, such as [Date, Time, Millitm], are read as one text with blanks between them. A last column of up
    to three digits, which the format does not read, is milliseconds, unless `fraction` says otherwise.
    """

    path: Annotated[
        Label | None,
        WithJsonSchema(_text_or_list("a column or member, or several that together are the instant: [Date, Time]")),
    ] = None
    paths: tuple[Label, ...] = Field((), description="set by a list at `path`")
    unit: Unit = Field(
        "iso",
        description="iso: text; s to ns: since 1970; excel: days since 1899-12-30, excel1904: since 1904, both in local"
        " time; wincc: millionths of such a day (`Time_ms`); filetime: 100 ns since 1601, UTC (Windows); ticks: 100 ns"
        " since the year 1 (.NET; needs `timezone`); labview: seconds since 1904, UTC; gps: seconds since 1980-01-06"
        " with leap seconds; matlab: days since the year 0, local time; julian, mjd: Julian day numbers, UTC; with"
        " `start`: s to ns, min, h, d, or duration (26:30:00) since then",
    )
    format: Annotated[
        str | None,
        WithJsonSchema(_text_or_list("such as %d.%m.%Y %H:%M:%S or %m/%d/%Y %I:%M:%S %p; a list if there are several")),
    ] = Field(None, description="such as %d.%m.%Y %H:%M:%S or %m/%d/%Y %I:%M:%S %p; a list if there are several")
    formats: tuple[str, ...] = Field((), description="set by a list at `format`")
    date: StatedOnce | None = Field(
        None, description="the date of times of day without one: that of the first row; rows may pass midnight"
    )
    start: StatedOnce | None = Field(None, description="the instant since which numbers or durations count")
    fraction: Literal["s", "ms", "us", "ns"] = Field(
        "ms",
        description="what the last of several columns counts that neither format nor unit reads; s: a fraction of a"
        " second, such as 0.25",
    )
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


ANY_SENSOR = "*"


def _of_any_sensor(given: Any) -> Any:
    """A unit alone is that of every sensor."""
    return {ANY_SENSOR: given} if isinstance(given, str) else given


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
    units: Annotated[dict[Label, Label], BeforeValidator(_of_any_sensor)] = Field(
        {},
        description="the unit of the values, or one for each sensor by its name in the class, e.g. {pressure:"
        " psi}; they are converted to the units of the class, after `scale`",
    )
    scale: Annotated[float, Field(allow_inf_nan=False, description="numbers (not states) are multiplied by it")] = 1.0
    offset: Annotated[float, Field(allow_inf_nan=False, description="added to numbers after `scale`")] = 0.0

    _targets: dict[str, dict[str, str]] | None = PrivateAttr(None)

    def convert_to(self, targets: dict[str, dict[str, str]]) -> None:
        """Set the units of the classes: class -> sensor -> unit. A site does so; dumps then contain them."""
        self._targets = targets

    @property
    def derived(self) -> dict[str, Any]:
        """As for parts: the units to which values are converted."""
        return {"targets": self._targets} if self.units and self._targets is not None else {}

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
