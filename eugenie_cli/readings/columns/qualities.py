"""A column of qualities: what `quality.SCHEMES` reads one by one, as arrays. Imports and the stream use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.readings.columns.distinct import distinct
from eugenie_cli.readings.quality import SCHEMES

REMEMBERED = 10_000
"""Different texts of qualities that are remembered: a site has tens, a hostile message could bring any number."""

Read = tuple["NDArray[np.bool_]", "NDArray[np.bool_]"]
"""good [N], and a mask [N] of those that could be read."""


class Qualities:
    """Reads qualities by the scheme of the mapping's quality part; None: by the default one."""

    def __init__(self, part: Mapping[str, Any] | None) -> None:
        self._is_good = SCHEMES[(part or {}).get("scheme") or "words"]
        # true, 1 and 1.0 are one key of a dictionary, and three texts: a memory for each type
        self._known: dict[type, dict[Any, int]] = {str: {}, int: {}, float: {}, bool: {}}

    def of_members(self, members: Sequence[Any]) -> Read:
        """Members [N] of messages, None where there is none, which is good."""
        kinds = set(map(type, members))
        known = self._known.get(next(iter(kinds))) if len(kinds) == 1 else None
        found: list[int | None] = list(map(known.get, members)) if known is not None else [None] * len(members)
        if None in found:
            found = [self._one(member) if code is None else code for member, code in zip(members, found, strict=True)]
        codes = np.array(found, np.int8)
        return codes == 1, codes >= 0

    def of_column(self, column: pa.Array) -> Read:
        """A column, as Arrow has it; a null and an empty text are good."""
        different, index = distinct(column)
        good, readable = self.of_members(different)
        return good[index], readable[index]

    def _one(self, member: Any) -> int:
        """1 good, 0 bad, -1 neither that this module knows: the reference decides."""
        kind = type(member)
        if member is None:
            return 1
        known = self._known.get(kind)
        if known is None:
            return -1
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
