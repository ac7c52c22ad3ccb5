"""Locates the parts of a record: the mapping's paths and constants as functions. A missing part raises KeyError."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from eugenie_cli.readings.json_text import within
from eugenie_cli.readings.mapping import WHOLE
from eugenie_cli.readings.members import opened
from eugenie_cli.readings.timestamp_parts import MOST_NANOS, nanos_path

Getter = Callable[[Any], Any]
Elements = Callable[[Any], "tuple[list[Any], dict[str, Any] | None]"]
"""A message -> its records, and the enclosing object."""


def getter(part: Mapping[str, Any], in_base64: bool = False) -> Getter:
    """One part of a record: the member with that exact name, or else the nested one that the path's dots lead to."""
    path = part.get("path")
    if path is None:
        const = part.get("const")
        return lambda _record: const
    if "." not in path:
        return itemgetter(path)
    names = path.split(".")

    def descend(record: Any) -> Any:
        if path in record:
            return record[path]
        for name in names:
            if type(record) is not dict:
                record = within(record, in_base64) if type(record) is str else None
                if type(record) is not dict:
                    raise KeyError(name)
            record = record[name]
        return record

    return descend


def is_plain(part: Mapping[str, Any]) -> bool:
    """Whether a part is a member of the record itself, found by its name alone."""
    return part.get("path") is not None and "." not in part["path"]


def around(get: Getter) -> Getter:
    """(record, the enclosing object) -> a part: of the record, or else of the enclosing object."""

    def find(pair: tuple[Any, Any]) -> Any:
        record, outer = pair
        try:
            return get(record)
        except KeyError:
            if outer is None:
                raise
            return get(outer)

    return find


def optional(get: Getter) -> Getter:
    """None in place of a missing part."""

    def find(record: Any) -> Any:
        try:
            return get(record)
        except KeyError:
            return None

    return find


def instant_getter(part: Mapping[str, Any], in_base64: bool = False) -> Getter:
    """(record, the enclosing object) -> its timestamp: one member, or seconds with their nanoseconds as one text.

    Raises TypeError for parts of an instant that only the reference reads.
    """
    seconds_of, path = around(getter(part, in_base64)), nanos_path(part)
    if path is None:
        return seconds_of
    nanos_of = optional(around(getter({"path": path}, in_base64)))

    def find(pair: tuple[Any, Any]) -> Any:
        seconds, nanos = seconds_of(pair), nanos_of(pair)
        if nanos is None or (nanos == 0 and type(nanos) is int):
            return seconds
        if type(seconds) is not int or type(nanos) is not int or not 0 <= nanos <= MOST_NANOS or seconds < 0:
            raise TypeError("the reference reads these parts of an instant")
        return f"{seconds}.{nanos:09d}"

    return find


def elements_of(records: str | None, in_base64: bool = False) -> Elements:
    """The records of a message. Raises TypeError if they are not objects, or not where they should be."""
    if records is None:
        return lambda message: ([_object(message)], None)
    if records == WHOLE:
        return lambda message: (_objects(message), None)
    get = getter({"path": records}, in_base64)
    return lambda message: (_objects(opened(get(_object(message)), in_base64)), message)


def _object(value: Any) -> Any:
    if type(value) is not dict:
        raise TypeError("not an object")
    return value


def _objects(values: Any) -> list[Any]:
    if type(values) is not list:
        raise TypeError("not an array")
    for value in values:
        _object(value)
    return values
