"""Locates the parts of a record: the mapping's paths and constants as functions. A missing part raises KeyError."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from eugenie_cli.readings.mapping import WHOLE

Getter = Callable[[Any], Any]
Elements = Callable[[Any], "tuple[list[Any], dict[str, Any] | None]"]
"""A message -> its records, and the enclosing object."""


def getter(part: Mapping[str, Any]) -> Getter:
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


def elements_of(records: str | None) -> Elements:
    """The records of a message. Raises TypeError if they are not objects, or not where they should be."""
    if records is None:
        return lambda message: ([_object(message)], None)
    if records == WHOLE:
        return lambda message: (_objects(message), None)
    get = getter({"path": records})
    return lambda message: (_objects(get(_object(message))), message)


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
