"""Records with one reading each, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.readings.columns.field_paths import (
    Getter,
    around,
    elements_of,
    getter,
    instant_getter,
    is_plain,
    optional,
)
from eugenie_cli.readings.timestamp_parts import nanos_path
from eugenie_cli.readings.typed_values import NULL_MARK

NAMES = ("asset", "sensor", "tag")
PARTS = (*NAMES, "ts", "value", "quality")
REQUIRED = ("ts", "value")


class RawColumns(NamedTuple):
    """Members of N records, unchanged. `quality` is None if the mapping has none."""

    message: NDArray[np.int64]
    identity: list[Any]
    ts: list[Any]
    value: list[Any]
    quality: list[Any] | None


class LongRows:
    """Splits messages into columns; those with the same members together."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        self._parts: dict[str, Mapping[str, Any]] = {
            part: mapping[part] for part in PARTS if mapping.get(part) is not None
        }
        self._parts.setdefault("ts", {"path": "ts"})
        self._parts.setdefault("value", {"path": "value"})
        in_base64 = bool(mapping.get("base64"))
        self._elements = elements_of(mapping.get("records"), in_base64)
        is_whole = nanos_path(self._parts["ts"]) is None and mapping.get("records") is None
        self._is_simple = is_whole and all(map(is_plain, self._parts.values()))
        self._getters: dict[str, Getter] = {
            name: around(getter(part, in_base64)) if name in REQUIRED else optional(around(getter(part, in_base64)))
            for name, part in self._parts.items()
        }
        self._getters["ts"] = instant_getter(self._parts["ts"], in_base64)

    def read(self, index: Sequence[int], messages: Sequence[Any]) -> tuple[RawColumns, list[int]]:
        """Decoded messages and their numbers -> columns, and the numbers of those that lack a part."""
        columns: dict[str, list[Any]] = {part: [] for part in PARTS}
        message: list[int] = []
        refused: list[int] = []
        for numbers, parts in self._simple(index, messages) if self._is_simple else self._any(index, messages):
            if parts is None:
                refused += numbers
                continue
            message += numbers
            for name, column in columns.items():
                column += parts.get(name) or repeat(None, len(numbers))
        identity = list(zip(*(columns[name] for name in NAMES), strict=True))
        quality = columns["quality"] if "quality" in self._parts else None
        return RawColumns(np.array(message, np.int64), identity, columns["ts"], columns["value"], quality), refused

    def _simple(
        self, index: Sequence[int], messages: Sequence[Any]
    ) -> Iterator[tuple[Sequence[int], dict[str, list[Any]] | None]]:
        """Flat objects: those with the same members are processed together, by loops in C."""
        for names, (numbers, alike) in _by_layout(index, messages).items():
            if (
                names is None
                or any(self._parts[part]["path"] not in names for part in REQUIRED)
                or (NULL_MARK in names and any(message[NULL_MARK] is True for message in alike))
            ):
                yield numbers, None
            else:
                present = {part: where["path"] for part, where in self._parts.items() if where["path"] in names}
                yield numbers, {part: list(map(itemgetter(path), alike)) for part, path in present.items()}

    def _any(
        self, index: Sequence[int], messages: Sequence[Any]
    ) -> Iterator[tuple[Sequence[int], dict[str, list[Any]] | None]]:
        mark = NULL_MARK  # a local name: this is the inner loop
        for number, message in zip(index, messages, strict=True):
            try:
                records, outer = self._elements(message)
                for record in records:
                    if mark in record and record[mark] is True:
                        raise TypeError("the reference reads records that say that they have no value")
                pairs = [(record, outer) for record in records]
                parts = {name: [get(pair) for pair in pairs] for name, get in self._getters.items()}
            except (KeyError, TypeError):
                yield [number], None
            else:
                yield [number] * len(pairs), parts


def _by_layout(
    index: Sequence[int], messages: Sequence[Any]
) -> dict[tuple[str, ...] | None, tuple[Sequence[int], Sequence[Any]]]:
    """Names of the members -> the messages with exactly these; None -> those that are not objects."""
    if set(map(type, messages)) == {dict}:
        layouts: list[tuple[str, ...] | None] = list(map(tuple, messages))
        if len(set(layouts)) == 1:
            return {layouts[0]: (index, messages)}
    else:
        layouts = [tuple(message) if type(message) is dict else None for message in messages]
    groups: dict[tuple[str, ...] | None, tuple[list[int], list[Any]]] = {}
    for names, number, message in zip(layouts, index, messages, strict=True):
        numbers, alike = groups.setdefault(names, ([], []))
        numbers.append(number)
        alike.append(message)
    return dict(groups)
