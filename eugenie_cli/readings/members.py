"""Members of records: where a path leads, and what a member is as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from eugenie_cli.readings.json_text import within

Record: TypeAlias = Mapping[str, Any]

MISSING = object()
BLANKS = " \t"


def text_of(value: Any) -> str | None:
    """A member as trimmed text; None if it is absent (missing, null, empty, an object or an array)."""
    if value is None or value is MISSING or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else repr(value)
    return text.strip(BLANKS) or None


def paths_of(part: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The paths of a mapping's part: none, one, or those that together are an instant or of which one has the value."""
    if not part or part.get("path") is None:
        return ()
    return tuple(part.get("paths") or (part["path"],))


def member(record: Record, path: str, in_base64: bool = False) -> Any:
    """The member named `path`, or else the nested one that its dots lead to; MISSING if there is none.

    A path descends into objects, and into texts that contain one (`json_text.within`).
    """
    if path in record:
        return record[path]
    value: Any = record
    for name in path.split("."):
        if isinstance(value, str):
            value = within(value, in_base64)
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def opened(value: Any, in_base64: bool = False) -> Any:
    """The object or array in a text that contains one; any other value unchanged."""
    if not isinstance(value, str):
        return value
    inner = within(value, in_base64)
    return value if inner is None else inner


def unreadable_text(record: Record, path: str, in_base64: bool = False) -> str | None:
    """The part of a path at which it ends at a text that contains no object; None if it ends for another reason."""
    value: Any = record
    names = path.split(".")
    for count, name in enumerate(names):
        if isinstance(value, str) and count:
            inner = within(value, in_base64)
            if not isinstance(inner, dict):
                return ".".join(names[:count])
            value = inner
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return None
