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
from eugenie_cli.readings.members import BLANKS, MISSING, Record, opened, paths_of, text_of
from eugenie_cli.readings.quality import IsGood, compile_quality, of_object, opcua
from eugenie_cli.readings.reading import Reading, Rejected, RejectedMeasurement
from eugenie_cli.readings.record_parts import InstantOfRecord, RecordParts, Refused
from eugenie_cli.readings.tag_columns import TagColumns
from eugenie_cli.readings.typed_values import (
    NULL_MARK,
    NULL_VALUE,
    TypedValue,
    explains_absence,
    other_types,
    typed_value,
)
from eugenie_cli.readings.values import MAX_VALUE, ValueRule, compile_rule
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
        self.in_base64 = bool(mapping.get("base64"))
        self.parts = RecordParts(self.in_base64)
        self.instant = InstantOfRecord(mapping, timezone, self.parts)
        value = self.value
        self.value_rule = ValueRule.of(value)
        self.to_value = compile_rule(self.value_rule)
        self.is_good = compile_quality(self.quality)
        self.ignore = frozenset(mapping.get("ignore") or ())
        self.inner_paths = inner_paths(mapping)
        self.columns = TagColumns(mapping)

    # -- one reading per record --------------------------------------------------------------------

    def long(self, record: Record, message: Record | None = None) -> list[Outcome]:
        identity = None
        try:
            asset = self.parts.text(record, message, self.asset)
            sensor = self.parts.text(record, message, self.sensor)
            tag = self.parts.text(record, message, self.tag)
            if sensor is None and tag is None:
                raise self.parts.absent(record, "sensor or tag", self.sensor or self.tag)
            if tag is None and asset is None:
                raise self.parts.absent(record, "asset", self.asset)
            identity = asset, sensor, tag
            raw = self._raw_value(record, message)
            own = None
            if isinstance(raw, dict) and (own := typed_value(raw)) is not None:
                has_own = bool(own.source_ts or own.server_ts)
                ts = self.instant.own(own, self.instant.shared(record, message, has_own))
            else:
                ts = self.instant.of(record, message)
            value = self._value(raw, own, self._good(record, message), record)
        except Refused as refused:
            known = refused.rejected if identity is None else RejectedMeasurement.of(refused.rejected, *identity)
            return [known]
        return [Reading(asset, sensor, tag, ts, value, value == value)]

    def _raw_value(self, record: Record, message: Record | None) -> Any:
        raw = self.parts.first(record, message, self.value)
        if NULL_MARK in record and record[NULL_MARK] is True:
            return None
        if raw is MISSING:
            for path in other_types(self.value.get("path") or ""):
                raw = self.parts.at(record, message, path)
                if raw is not MISSING:
                    return None if path.endswith(NULL_VALUE) else raw
            if explains_absence(record):
                return None
        return raw

    # -- one record per instant --------------------------------------------------------------------

    def wide(self, record: Record, message: Record | None = None) -> list[Outcome]:
        if not self.columns.is_plain:
            return self._by_columns(record, message)
        try:
            asset = self.parts.text(record, message, self.asset)
            if asset is None and self.asset is not None:
                raise self.parts.absent(record, "asset", self.asset)
            inner = self._measurements(record, message)
            if inner is None:
                return []
            columns = [(name, raw, typed_value(raw) if isinstance(raw, dict) else None) for name, raw in inner]
            shared = self.instant.shared(
                record, message, any(own and (own.source_ts or own.server_ts) for *_, own in columns)
            )
            good = self._good(record, message)
        except Refused as refused:
            return [refused.rejected]
        outcomes: list[Outcome] = []
        for column, raw, own in columns:
            try:
                ts = self.instant.own(own, shared)
                value = self._value(raw, own, good, record)
            except Refused as refused:
                rejected = Rejected(refused.rejected.reason, f"{column}: {refused.rejected.detail}")
                outcomes.append(RejectedMeasurement.of(rejected, asset, None, column.strip(BLANKS)))
            else:
                outcomes.append(Reading(asset, None, column.strip(BLANKS), ts, value, value == value))
        return outcomes

    def _by_columns(self, record: Record, message: Record | None) -> list[Outcome]:
        """A wide record in which tags have columns of their own for more than their value."""
        try:
            asset = self.parts.text(record, message, self.asset)
            if asset is None and self.asset is not None:
                raise self.parts.absent(record, "asset", self.asset)
            shared = None if self.columns.has_own_instants else self.instant.of(record, message)
            good = self._good(record, message)
        except Refused as refused:
            return [refused.rejected]
        outcomes: list[Outcome] = []
        for measurement in self.columns.of(tuple(record)):
            raw = record.get(measurement.value)
            is_empty = text_of(raw) is None and not isinstance(raw, (dict, list))
            tag = measurement.name
            if measurement.tag is not None:
                tag = text_of(record.get(measurement.tag))
            own_time = measurement.ts is None or text_of(record.get(measurement.ts)) is not None
            if is_empty and (tag is None or not own_time):
                continue
            try:
                if tag is None:
                    raise self.parts.absent(record, "tag", {"path": measurement.tag})
                ts = self.instant.at(record, measurement.ts) if shared is None else shared
                own_good = measurement.quality is None or self._own_quality(record, measurement.quality)
                value = self._value(raw, None, good and own_good, record)
            except Refused as refused:
                rejected = Rejected(refused.rejected.reason, f"{measurement.value}: {refused.rejected.detail}")
                outcomes.append(RejectedMeasurement.of(rejected, asset, None, tag) if tag is not None else rejected)
            else:
                outcomes.append(Reading(asset, None, tag, ts, value, value == value))
        return outcomes

    def _own_quality(self, record: Record, path: str) -> bool:
        if path not in record:
            raise self.parts.absent(record, "quality", {"path": path})
        return self._verdict(record[path], self.is_good)

    def _measurements(self, record: Record, message: Record | None) -> list[tuple[str, Any]] | None:
        """The members of the object at the value's path, or else of the record; None if the record is only a sign of
        life.
        """
        inner = opened(self.parts.raw(record, message, self.value), self.in_base64)
        if isinstance(inner, dict):
            other = self.ignore | {_root(inner, path) for path in self.inner_paths}
            unread = [(name, None) for name in self._unread(record, message) if name not in inner]
            return [(name, raw) for name, raw in (*inner.items(), *unread) if name not in other]
        if is_keep_alive(record):
            return None
        parts = (self.ts, self.asset, self.quality)
        other = self.ignore | {_root(record, path) for part in parts for path in paths_of(part)}
        return [(name, raw) for name, raw in record.items() if name not in other]

    def _unread(self, record: Record, message: Record | None) -> list[str]:
        """The tags that the gateway could not read, and which are therefore not among the values."""
        path = errors_path(self.value)
        errors = MISSING if path is None else self.parts.at(record, message, path)
        return [name for name, error in errors.items() if error] if isinstance(errors, dict) else []

    # -- fields ------------------------------------------------------------------------------------

    def _good(self, record: Record, message: Record | None) -> bool:
        return (
            True if self.quality is None else self._verdict(self.parts.raw(record, message, self.quality), self.is_good)
        )

    def _verdict(self, raw: Any, is_good: IsGood) -> bool:
        try:
            if isinstance(raw, dict):
                return of_object(raw)
            if isinstance(raw, list):
                raise ValueError("a quality is a number or text, not an array")
            text = text_of(raw)
            return text is None or is_good(text)
        except ValueError as error:
            raise Refused(reject_reasons.BAD_VALUE, str(error)) from None

    def _value(self, raw: Any, own: TypedValue | None, good: bool, record: Record) -> float:
        """The value, NaN for bad quality: the record's (`good`) or its own."""
        if not good:
            return float("nan")
        if own is not None:
            if not self._verdict(own.status, opcua):
                return float("nan")
            raw = own.value
        if raw is MISSING:
            raise self.parts.absent(record, "value", self.value)
        if isinstance(raw, (dict, list)):
            raise Refused(reject_reasons.BAD_VALUE, NOT_A_VALUE)
        try:
            if type(raw) in (int, float) and abs(raw) <= MAX_VALUE:
                return self.value_rule.of_number(float(raw))
            return self.to_value(text_of(raw) or "")
        except ValueError as error:
            raise Refused(reject_reasons.BAD_VALUE, str(error)) from None


def _root(record: Record, path: str) -> str:
    return path if path in record else path.split(".")[0]
