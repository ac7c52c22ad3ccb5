"""The parts of a record: the members that the mapping names, and the instant that one or several of them are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.members import MISSING, Record, member, text_of, unreadable_text
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.readings.stated import compile_ts
from eugenie_cli.readings.timestamp_parts import nanos_path, parts_in, seconds_text
from eugenie_cli.readings.timestamps import JOINER, ToInstant, compile_instant
from eugenie_cli.readings.typed_values import TypedValue


class Refused(Exception):  # noqa: N818 - control flow within the mapping, not a program error
    """A record, or one of its measurements, is not a reading."""

    def __init__(self, reason: str, detail: str) -> None:
        self.rejected = Rejected(reason, detail)


class RecordParts:
    """Finds the parts of records, and in the message around them."""

    def __init__(self, in_base64: bool) -> None:
        self._in_base64 = in_base64

    def raw(self, record: Record, message: Record | None, part: Mapping[str, Any]) -> Any:
        """The raw value of a part: its member of the record, or else of the enclosing message, or its constant."""
        path = part.get("path")
        if path is None:
            return part["const"] if part.get("const") is not None else MISSING
        return record[path] if path in record else self.at(record, message, path)

    def first(self, record: Record, message: Record | None, part: Mapping[str, Any]) -> Any:
        """The raw value of a part with several paths: the first that is not empty; None if all that exist are empty."""
        paths = part.get("paths")
        if not paths:
            return self.raw(record, message, part)
        found = [raw for path in paths if (raw := self.raw(record, message, {"path": path})) is not MISSING]
        filled = (raw for raw in found if isinstance(raw, (dict, list)) or text_of(raw) is not None)
        return next(filled, None if found else MISSING)

    def at(self, record: Record, message: Record | None, path: str) -> Any:
        """The member at a path; MISSING if there is none."""
        value = member(record, path, self._in_base64)
        return member(message, path, self._in_base64) if value is MISSING and message is not None else value

    def text(self, record: Record, message: Record | None, part: Mapping[str, Any] | None) -> str | None:
        """A part as trimmed text; None if it is absent."""
        return None if part is None else text_of(self.raw(record, message, part))

    def absent(self, record: Record, what: str, part: Mapping[str, Any] | None) -> Refused:
        """The refusal of a record without a part."""
        path = part.get("path") if part else None
        if path is None:
            return Refused(reject_reasons.MISSING_FIELD, f"no {what}: the mapping does not say where")
        text = unreadable_text(record, path, self._in_base64)
        hint = "" if text is None else f": {text!r} is text without a JSON object"
        if text is not None and not self._in_base64:
            hint += " (with `base64: true` it is read as base64)"
        return Refused(reject_reasons.MISSING_FIELD, f"no {what} at {path!r}{hint}")


class InstantOfRecord:
    """Reads the instants of records, and those that measurements have of their own."""

    def __init__(self, mapping: Mapping[str, Any], timezone: str, parts: RecordParts) -> None:
        self._ts: Mapping[str, Any] = mapping.get("ts") or {"path": "ts"}
        self._paths = [{"path": path} for path in self._ts.get("paths") or ()]
        self._parts = parts
        self._read = compile_ts(self._ts, timezone)
        self._read_own, self._read_seconds = compile_instant(), compile_instant("s")
        is_csv = mapping.get("format") == "csv"
        self._nanos = None if is_csv or self._paths else nanos_path(self._ts)

    def shared(self, record: Record, message: Record | None, optional: bool) -> int | Refused:
        """The instant of a record; `optional`: its refusal, since some measurements have their own."""
        try:
            return self.of(record, message)
        except Refused as refused:
            if not optional:
                raise
            return refused

    def own(self, own: TypedValue | None, shared: int | Refused) -> int:
        """The instant of a measurement: its source's, or else that of its record, or else its server's."""
        if own is not None:
            for text in (own.source_ts, own.server_ts if isinstance(shared, Refused) else None):
                if text_of(text) is not None:
                    return _instant(self._read_own, str(text_of(text)))
        if isinstance(shared, Refused):
            raise shared
        return shared

    def of(self, record: Record, message: Record | None) -> int:
        """The instant of a record. Raises Refused."""
        if self._paths:
            return _instant(self._read, JOINER.join(self._field(record, message, part) for part in self._paths))
        raw = self._parts.raw(record, message, self._ts)
        if isinstance(raw, dict) and (names := parts_in(raw)) is not None:
            seconds, nanos = (raw.get(name) for name in names)
            return _instant(self._read_seconds, _seconds(seconds, nanos))
        text = text_of(raw)
        if text is None:
            raise self._parts.absent(record, "ts", self._ts)
        if self._nanos is not None and (nanos := self._parts.at(record, message, self._nanos)) is not MISSING:
            text = _seconds(raw, nanos)
        return _instant(self._read, text)

    def at(self, record: Record, path: str | None) -> int:
        """The instant of a measurement in its own column. Raises Refused."""
        return _instant(self._read, self._field(record, None, {"path": path}))

    def _field(self, record: Record, message: Record | None, part: Mapping[str, Any]) -> str:
        text = self._parts.text(record, message, part)
        if text is None:
            raise self._parts.absent(record, "ts", part)
        return text


def _seconds(seconds: Any, nanos: Any) -> str:
    try:
        return seconds_text(seconds, nanos)
    except ValueError as error:
        raise Refused(reject_reasons.BAD_TIMESTAMP, str(error)) from None


def _instant(read: ToInstant, text: str) -> int:
    try:
        return read(text)
    except ValueError as error:
        raise Refused(reject_reasons.BAD_TIMESTAMP, str(error)) from None
