"""Compiles the `readings` mapping of a site file: record -> readings.

A record is a JSON object or a CSV row (column -> text). `long`: one reading per record; `wide`: one record per instant,
with a member for each sensor or tag. A path names a member exactly; if no member has that name, `a.b.c` descends. A
member that is missing, null, empty, an object or an array is *absent*; only a value distinguishes these (null is a
reading of bad quality, an object may state a value with its own instant and quality: `typed_values`).

If a message contains an array of records, `payload` passes each record with its message: members that the record lacks
are looked up there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, TypeAlias

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.members import BLANKS, MISSING, Record, member, opened, text_of, unreadable_text
from eugenie_cli.readings.quality import SCHEMES, IsGood, of_object, opcua
from eugenie_cli.readings.reading import Reading, Rejected, RejectedMeasurement
from eugenie_cli.readings.timestamp_parts import nanos_path, parts_in, seconds_text
from eugenie_cli.readings.timestamps import ToInstant, compile_instant
from eugenie_cli.readings.typed_values import (
    NULL_MARK,
    NULL_VALUE,
    TypedValue,
    explains_absence,
    other_types,
    typed_value,
)
from eugenie_cli.readings.values import compile_value
from eugenie_cli.readings.wide_members import errors_path, inner_paths, is_keep_alive

Outcome: TypeAlias = "Reading | Rejected"
ToReadings: TypeAlias = "Callable[..., list[Outcome]]"
"""(record, the enclosing message or None) -> its outcomes."""

PARTS = ("ts", "asset", "sensor", "tag", "value", "quality")
WHOLE = "."  # as `records`: the message itself is the array
NOT_A_VALUE = "a value is a number or text, not an object or array (other than OPC UA's DataValue or Variant)"


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
        self.to_own_instant, self.to_own_seconds = compile_instant(), compile_instant("s")
        self.nanos = nanos_path(self.ts) if mapping.get("format") != "csv" else None
        value = self.value
        self.to_value = compile_value(value.get("decimal") or ".", value.get("status") or (), value.get("unit"))
        self.is_good: IsGood = SCHEMES[(self.quality or {}).get("scheme") or "words"]
        self.ignore = frozenset(mapping.get("ignore") or ())
        self.inner_paths = inner_paths(mapping)
        self.in_base64 = bool(mapping.get("base64"))

    # -- one reading per record --------------------------------------------------------------------

    def long(self, record: Record, message: Record | None = None) -> list[Outcome]:
        identity = None
        try:
            asset = self._text(record, message, self.asset)
            sensor = self._text(record, message, self.sensor)
            tag = self._text(record, message, self.tag)
            if sensor is None and tag is None:
                raise self._absent(record, "sensor or tag", self.sensor or self.tag)
            if tag is None and asset is None:
                raise self._absent(record, "asset", self.asset)
            identity = asset, sensor, tag
            raw = self._raw_value(record, message)
            own = None
            if isinstance(raw, dict) and (own := typed_value(raw)) is not None:
                has_own = bool(own.source_ts or own.server_ts)
                ts = self._own_instant(own, self._shared_instant(record, message, has_own))
            else:
                ts = self._instant(record, message)
            value = self._value(raw, own, self._good(record, message), record)
        except _Refused as refused:
            known = refused.rejected if identity is None else RejectedMeasurement.of(refused.rejected, *identity)
            return [known]
        return [Reading(asset, sensor, tag, ts, value, value == value)]

    def _raw_value(self, record: Record, message: Record | None) -> Any:
        raw = self._raw(record, message, self.value)
        if NULL_MARK in record and record[NULL_MARK] is True:
            return None
        if raw is MISSING:
            for path in other_types(self.value.get("path") or ""):
                raw = self._at(record, message, path)
                if raw is not MISSING:
                    return None if path.endswith(NULL_VALUE) else raw
            if explains_absence(record):
                return None
        return raw

    # -- one record per instant --------------------------------------------------------------------

    def wide(self, record: Record, message: Record | None = None) -> list[Outcome]:
        try:
            asset = self._text(record, message, self.asset)
            if asset is None and self.asset is not None:
                raise self._absent(record, "asset", self.asset)
            inner = self._measurements(record, message)
            if inner is None:
                return []
            columns = [(name, raw, typed_value(raw) if isinstance(raw, dict) else None) for name, raw in inner]
            shared = self._shared_instant(
                record, message, any(own and (own.source_ts or own.server_ts) for *_, own in columns)
            )
            good = self._good(record, message)
        except _Refused as refused:
            return [refused.rejected]
        outcomes: list[Outcome] = []
        for column, raw, own in columns:
            try:
                ts = self._own_instant(own, shared)
                value = self._value(raw, own, good, record)
            except _Refused as refused:
                rejected = Rejected(refused.rejected.reason, f"{column}: {refused.rejected.detail}")
                outcomes.append(RejectedMeasurement.of(rejected, asset, None, column.strip(BLANKS)))
            else:
                outcomes.append(Reading(asset, None, column.strip(BLANKS), ts, value, value == value))
        return outcomes

    def _measurements(self, record: Record, message: Record | None) -> list[tuple[str, Any]] | None:
        """The members of the object at the value's path, or else of the record; None if the record is only a sign of
        life.
        """
        inner = opened(self._raw(record, message, self.value), self.in_base64)
        if isinstance(inner, dict):
            other = self.ignore | {_root(inner, path) for path in self.inner_paths}
            unread = [(name, None) for name in self._unread(record, message) if name not in inner]
            return [(name, raw) for name, raw in (*inner.items(), *unread) if name not in other]
        if is_keep_alive(record):
            return None
        parts = (self.ts, self.asset, self.quality)
        other = self.ignore | {_root(record, part["path"]) for part in parts if part and part.get("path")}
        return [(name, raw) for name, raw in record.items() if name not in other]

    def _unread(self, record: Record, message: Record | None) -> list[str]:
        """The tags that the gateway could not read, and which are therefore not among the values."""
        path = errors_path(self.value)
        errors = MISSING if path is None else self._at(record, message, path)
        return [name for name, error in errors.items() if error] if isinstance(errors, dict) else []

    # -- members -----------------------------------------------------------------------------------

    def _raw(self, record: Record, message: Record | None, part: Mapping[str, Any]) -> Any:
        """The raw value of a part: its member of the record, or else of the enclosing message, or its constant."""
        path = part.get("path")
        if path is None:
            return part["const"] if part.get("const") is not None else MISSING
        return record[path] if path in record else self._at(record, message, path)

    def _at(self, record: Record, message: Record | None, path: str) -> Any:
        value = member(record, path, self.in_base64)
        return member(message, path, self.in_base64) if value is MISSING and message is not None else value

    def _text(self, record: Record, message: Record | None, part: Mapping[str, Any] | None) -> str | None:
        return None if part is None else text_of(self._raw(record, message, part))

    def _absent(self, record: Record, what: str, part: Mapping[str, Any] | None) -> _Refused:
        """The refusal of a record without a part."""
        path = part.get("path") if part else None
        if path is None:
            return _Refused(reject_reasons.MISSING_FIELD, f"no {what}: the mapping does not say where")
        text = unreadable_text(record, path, self.in_base64)
        hint = "" if text is None else f": {text!r} is text without a JSON object"
        if text is not None and not self.in_base64:
            hint += " (with `base64: true` it is read as base64)"
        return _Refused(reject_reasons.MISSING_FIELD, f"no {what} at {path!r}{hint}")

    # -- fields ------------------------------------------------------------------------------------

    def _shared_instant(self, record: Record, message: Record | None, optional: bool) -> int | _Refused:
        """The instant of a record; `optional`: its refusal, since some measurements have their own."""
        try:
            return self._instant(record, message)
        except _Refused as refused:
            if not optional:
                raise
            return refused

    def _own_instant(self, own: TypedValue | None, shared: int | _Refused) -> int:
        """The instant of a measurement: its source's, or else that of its record, or else its server's."""
        if own is not None:
            for text in (own.source_ts, own.server_ts if isinstance(shared, _Refused) else None):
                if text_of(text) is not None:
                    return self._read_instant(self.to_own_instant, str(text_of(text)))
        if isinstance(shared, _Refused):
            raise shared
        return shared

    def _instant(self, record: Record, message: Record | None) -> int:
        raw = self._raw(record, message, self.ts)
        if isinstance(raw, dict) and (names := parts_in(raw)) is not None:
            seconds, nanos = (raw.get(name) for name in names)
            return self._read_instant(self.to_own_seconds, self._seconds(seconds, nanos))
        text = text_of(raw)
        if text is None:
            raise self._absent(record, "ts", self.ts)
        if self.nanos is not None and (nanos := self._at(record, message, self.nanos)) is not MISSING:
            text = self._seconds(raw, nanos)
        return self._read_instant(self.to_instant, text)

    def _seconds(self, seconds: Any, nanos: Any) -> str:
        try:
            return seconds_text(seconds, nanos)
        except ValueError as error:
            raise _Refused(reject_reasons.BAD_TIMESTAMP, str(error)) from None

    def _read_instant(self, read: ToInstant, text: str) -> int:
        try:
            return read(text)
        except ValueError as error:
            raise _Refused(reject_reasons.BAD_TIMESTAMP, str(error)) from None

    def _good(self, record: Record, message: Record | None) -> bool:
        return True if self.quality is None else self._verdict(self._raw(record, message, self.quality), self.is_good)

    def _verdict(self, raw: Any, is_good: IsGood) -> bool:
        try:
            if isinstance(raw, dict):
                return of_object(raw)
            if isinstance(raw, list):
                raise ValueError("a quality is a number or text, not an array")
            text = text_of(raw)
            return text is None or is_good(text)
        except ValueError as error:
            raise _Refused(reject_reasons.BAD_VALUE, str(error)) from None

    def _value(self, raw: Any, own: TypedValue | None, good: bool, record: Record) -> float:
        """The value, NaN for bad quality: the record's (`good`) or its own."""
        if not good:
            return float("nan")
        if own is not None:
            if not self._verdict(own.status, opcua):
                return float("nan")
            raw = own.value
        if raw is MISSING:
            raise self._absent(record, "value", self.value)
        if isinstance(raw, (dict, list)):
            raise _Refused(reject_reasons.BAD_VALUE, NOT_A_VALUE)
        try:
            return self.to_value(text_of(raw) or "")
        except ValueError as error:
            raise _Refused(reject_reasons.BAD_VALUE, str(error)) from None


def _root(record: Record, path: str) -> str:
    return path if path in record else path.split(".")[0]
