"""A column of qualities: the same results as `quality.compile_quality`, as arrays. Used by imports and the stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.readings.columns.arrow_columns import as_texts, is_temporal
from eugenie_cli.readings.columns.distinct import distinct
from eugenie_cli.readings.quality import compile_quality, of_object

REMEMBERED = 10_000
"""Distinct qualities kept in memory: a site has tens, but hostile messages could bring any number."""

Read = tuple["NDArray[np.bool_]", "NDArray[np.bool_]"]
"""good [N], and a mask [N] of those that could be read."""


class Qualities:
    """Reads qualities in the scheme of the mapping's quality part; None: the default scheme."""

    def __init__(self, part: Mapping[str, Any] | None) -> None:
        self._is_good = compile_quality(part)
        # true, 1 and 1.0 are equal as keys of a dictionary but different texts, so each type has its own
        self._known: dict[type, dict[Any, int]] = {str: {}, int: {}, float: {}, bool: {}}
        self._objects: dict[Any, int] = {}

    def of_members(self, members: Sequence[Any]) -> Read:
        """Members [N] of messages; None for an absent quality, which is good."""
        kinds = set(map(type, members))
        known = self._known.get(next(iter(kinds))) if len(kinds) == 1 else None
        looked_up: list[int | None] = list(map(known.get, members)) if known is not None else [None] * len(members)
        if None in looked_up:
            pairs = zip(members, looked_up, strict=True)
            looked_up = [self._code(member) if code is None else code for member, code in pairs]
        codes = np.array(looked_up, np.int8)
        return codes == 1, codes >= 0

    def of_column(self, column: pa.Array) -> Read:
        """A normalized Arrow column (`arrow_columns`); a null and an empty text are good."""
        if pa.types.is_decimal(column.type) or is_temporal(column):
            column = as_texts(column)
        values, index = distinct(column)
        good, readable = self.of_members(values)
        return good[index], readable[index]

    def _code(self, member: Any) -> int:
        """1: good; 0: bad; -1: unknown, the reference decides."""
        kind = type(member)
        if member is None:
            return 1
        known = self._known.get(kind)
        if known is None:
            return self._of_object(member) if kind is dict else -1
        if member in known:
            return known[member]
        text = (
            member.strip(" \t")
            if kind is str
            else {True: "true", False: "false"}[member]
            if kind is bool
            else repr(member)
        )
        try:
            code = int(self._is_good(text)) if text else 1
        except ValueError:
            return -1
        if len(known) < REMEMBERED:
            known[member] = code
        return code

    def _of_object(self, member: Mapping[str, Any]) -> int:
        code, symbol = member.get("Code"), member.get("Symbol")
        key = (type(code), code, type(symbol), symbol)
        try:
            if key in self._objects:
                return self._objects[key]
            verdict = int(of_object(member))
        except (TypeError, ValueError):  # an object or array as the code, or an unknown one
            return -1
        if len(self._objects) < REMEMBERED:
            self._objects[key] = verdict
        return verdict
