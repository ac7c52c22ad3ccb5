"""Compiles the `readings` mapping of a site file: record -> readings.

A record is a JSON object or a CSV row (column -> text). `long`: one reading per record; `wide`: one record per instant,
with a member for each sensor or tag. A path names a member exactly; if no member has that name, `a.b.c` descends. A
member that is missing, null, empty, an object or an array is *absent*; only a value distinguishes these (null is a
reading of bad quality).

If a message contains an array of records, `payload` passes each record with its message: members that the record lacks
are looked up there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, TypeAlias

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.quality import SCHEMES, IsGood
from eugenie_cli.readings.reading import Reading, Rejected
from eugenie_cli.readings.timestamps import compile_instant
from eugenie_cli.readings.values import compile_value

Outcome: TypeAlias = "Reading | Rejected"
Record: TypeAlias = Mapping[str, Any]
ToReadings: TypeAlias = "Callable[..., list[Outcome]]"
"""(record, the enclosing message or None) -> its outcomes."""

PARTS = ("ts", "asset", "sensor", "tag", "value", "quality")
WHOLE = "."  # as `records`: the message itself is the array
MAX_PAYLOAD = 1_000_000  # characters; Kafka's default limit for a message is a megabyte
MISSING = object()
_BLANKS = " \t"


def bind_file(mapping: Mapping[str, Any], file: str) -> dict[str, Any]:
    """The mapping with its `file` patterns (`valve1-{stem}`) filled in; `{stem}` and `{parent}` are those of `file`."""
    path = PurePath(file)
    bound = dict(mapping)
    for key in PARTS:
        part = bound.get(key)
        if part and part.get("file"):
            text = part["file"].replace("{stem}", path.stem).replace("{parent}", path.parent.name)
            bound[key] = {**part, "file": None, "const": text}
    return bound


def text_of(value: Any) -> str | None:
    """A member as trimmed text; None if it is absent (missing, null, empty, an object or an array)."""
    if value is None or value is MISSING or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else repr(value)
    return text.strip(_BLANKS) or None


def member(record: Record, path: str) -> Any:
    """The member named `path`, or else the nested one that its dots lead to; MISSING if there is none."""
    if path in record:
        return record[path]
    value: Any = record
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def compile_mapping(mapping: Mapping[str, Any], timezone: str) -> ToReadings:
    """The mapping as a pure function: record -> its readings and rejections, in the record's order.

    `mapping`: `ReadingsMapping.model_dump(mode="json")`, after `bind_file` if it has file patterns; its `format` and
    `records` are handled by `payload.compile_payload`. `timezone`: the site's, for local times without an offset. The
    function takes the record and, optionally, the enclosing message. Raises ValueError for an unknown zone, unit or
    pattern.
    """
    rules = _Rules(mapping, timezone)
    return rules.wide if mapping.get("shape") == "wide" else rules.long


class _Refused(Exception):  # noqa: N818 - control flow within this module, not a program error
    def __init__(self, reason: str, detail: str) -> None:
        self.rejected = Rejected(reason, detail)


class _Rules:
    """The compiled fields of one mapping."""

    def __init__(self, mapping: Mapping[str, Any], timezone: str) -> None:
        self.ts: dict[str, Any] = mapping.get("ts") or {"path": "ts"}
        self.value: dict[str, Any] = mapping.get("value") or {"path": "value"}
        self.asset, self.sensor, self.tag = mapping.get("asset"), mapping.get("sensor"), mapping.get("tag")
        self.quality = mapping.get("quality")
        for name in PARTS:
            part = mapping.get(name) or {}
            if part.get("file"):
                raise ValueError(f"{name}: a file pattern works in imports only")
            if part.get("record") or part.get("header"):
                raise ValueError(f"{name}: only the stream's messages have a record's key, headers and timestamp")
        self.to_instant = compile_instant(
            self.ts.get("unit") or "iso", self.ts.get("format"), self.ts.get("timezone") or timezone
        )
        self.to_value = compile_value(self.value.get("decimal") or ".", self.value.get("status") or ())
        self.is_good: IsGood = SCHEMES[(self.quality or {}).get("scheme") or "words"]
        self.ignore = frozenset(mapping.get("ignore") or ())

    # -- one reading per record --------------------------------------------------------------------

    def long(self, record: Record, message: Record | None = None) -> list[Outcome]:
        try:
            asset, sensor, tag = (_text(record, message, part) for part in (self.asset, self.sensor, self.tag))
            if sensor is None and tag is None:
                raise _Refused(reject_reasons.MISSING_FIELD, _absent("sensor or tag", self.sensor or self.tag))
            if tag is None and asset is None:
                raise _Refused(reject_reasons.MISSING_FIELD, _absent("asset", self.asset))
            ts = self._instant(record, message)
            good = self._good(record, message)
            value = self._value(_raw(record, message, self.value)) if good else float("nan")
        except _Refused as refused:
            return [refused.rejected]
        return [Reading(asset, sensor, tag, ts, value, value == value)]

    # -- one record per instant --------------------------------------------------------------------

    def wide(self, record: Record, message: Record | None = None) -> list[Outcome]:
        try:
            asset = _text(record, message, self.asset)
            if asset is None and self.asset is not None:
                raise _Refused(reject_reasons.MISSING_FIELD, _absent("asset", self.asset))
            ts = self._instant(record, message)
            good = self._good(record, message)
        except _Refused as refused:
            return [refused.rejected]
        outcomes: list[Outcome] = []
        for column, raw in self._columns(record, message):
            try:
                value = self._value(raw) if good else float("nan")
            except _Refused as refused:
                outcomes.append(Rejected(refused.rejected.reason, f"{column}: {refused.rejected.detail}"))
            else:
                outcomes.append(Reading(asset, None, column.strip(_BLANKS), ts, value, value == value))
        return outcomes

    def _columns(self, record: Record, message: Record | None) -> Iterator[tuple[str, Any]]:
        """The measurements of a wide record: the members of the object at the value's path, or of the record."""
        inner = _raw(record, message, self.value)
        if isinstance(inner, dict):
            yield from ((name, raw) for name, raw in inner.items() if name not in self.ignore)
            return
        parts = (self.ts, self.asset, self.quality)
        other = self.ignore | {_root(record, part["path"]) for part in parts if part and part.get("path")}
        yield from ((name, raw) for name, raw in record.items() if name not in other)

    # -- fields ------------------------------------------------------------------------------------

    def _instant(self, record: Record, message: Record | None) -> int:
        text = _text(record, message, self.ts)
        if text is None:
            raise _Refused(reject_reasons.MISSING_FIELD, _absent("ts", self.ts))
        try:
            return self.to_instant(text)
        except ValueError as error:
            raise _Refused(reject_reasons.BAD_TIMESTAMP, str(error)) from None

    def _good(self, record: Record, message: Record | None) -> bool:
        raw = None if self.quality is None else _raw(record, message, self.quality)
        if isinstance(raw, (dict, list)):  # e.g. OPC UA's {"Code": ..., "Symbol": ...}, which must not count as good
            detail = "a quality is a number or text, not an object or array: name its member, as in path: q.Code"
            raise _Refused(reject_reasons.BAD_VALUE, detail)
        text = text_of(raw)
        if text is None:
            return True
        try:
            return self.is_good(text)
        except ValueError as error:
            raise _Refused(reject_reasons.BAD_VALUE, str(error)) from None

    def _value(self, raw: Any) -> float:
        if raw is MISSING:
            raise _Refused(reject_reasons.MISSING_FIELD, _absent("value", self.value))
        if isinstance(raw, (dict, list)):
            raise _Refused(reject_reasons.BAD_VALUE, "a value is a number or text, not an object or array")
        try:
            return self.to_value(text_of(raw) or "")
        except ValueError as error:
            raise _Refused(reject_reasons.BAD_VALUE, str(error)) from None


def _raw(record: Record, message: Record | None, part: Mapping[str, Any]) -> Any:
    """The raw value of a part: its member of the record, or else of the enclosing message, or its constant."""
    path = part.get("path")
    if path is None:
        return part["const"] if part.get("const") is not None else MISSING
    value = member(record, path)
    return member(message, path) if value is MISSING and message is not None else value


def _text(record: Record, message: Record | None, part: Mapping[str, Any] | None) -> str | None:
    return None if part is None else text_of(_raw(record, message, part))


def _root(record: Record, path: str) -> str:
    return path if path in record else path.split(".")[0]


def _absent(what: str, part: Mapping[str, Any] | None) -> str:
    path = part.get("path") if part else None
    return f"no {what} at {path!r}" if path else f"no {what}: the mapping does not say where"
