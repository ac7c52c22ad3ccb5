"""Local times that occur twice, when clocks are set back: the order of the rows shows which of the two is meant.

The rows of each asset or sensor are in the order of time, ascending or descending. In the doubled hour the clock goes
from 02:59:59 back to 02:00:00: rows before that step are of the first pass, later ones of the second. Without such a
step, an hour is missing between two of the rows. It is known where if all other rows are less than ten minutes apart,
or if only that makes all of them equally far apart; otherwise the rows do not show it, and are rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNCLEAR = (
    ", and the order of the rows does not show which is meant: send UTC or an offset, or divide the source, with"
    " `ambiguous: first` for the one part and `second` for the other"
)
"""The end of the explanation of a rejected time, which begins with which time occurs twice."""
NEAR_MS = 600_000
"""Rows less than this apart follow each other: between them, no hour is missing."""

FEWEST_BACK, MIXED = 3, 0.25
"""So many steps against the direction of the others, and such a share of them, are no order."""


def unclear(detail: str, ts: Mapping[str, Any]) -> str:
    """The explanation of a rejection; another one if the order of rows was to show which of two instants is meant."""
    twice, sign, _ = detail.partition(": send an offset")
    return twice + UNCLEAR if sign and "occurs twice" in twice and ts.get("ambiguous") == "order" else detail


class RowOrder:
    """The order of the rows of one item, across its blocks. `last`: the instant of the last row by key."""

    def __init__(self) -> None:
        self.last: dict[int, int] = {}
        self._descents: Counter[int] = Counter()
        """By key: steps back in time less steps ahead, among the rows whose instants are known."""

    def copy(self) -> RowOrder:
        """The order so far, for a block that may have to be read once more."""
        copied = RowOrder()
        copied.last, copied._descents = dict(self.last), Counter(self._descents)
        return copied

    def resolved(
        self,
        keys: NDArray[np.integer],
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        read: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Instants [N] and a mask [N] of those that are known.

        `keys` [N]: what each row is about, negative if unknown; `first`, `second` [N]: the instant by either reading,
        in ms since 1970 UTC; `read` [N]: whether it could be read.
        """
        ts, known = first.copy(), read.copy()
        twice = read & (first != second)
        for key in np.unique(keys[twice & (keys >= 0)]).tolist():
            rows = np.flatnonzero(read & (keys == key))
            before = np.array([self.last[key]] if key in self.last else [], np.int64)
            early, late = np.concatenate([before, first[rows]]), np.concatenate([before, second[rows]])
            resolved, clear = _in_order(early, late, self._descents[key])
            ts[rows], known[rows] = resolved[len(before) :], clear[len(before) :]
        self._remember(keys, ts, known)
        return np.where(known, ts, 0), known

    def _remember(self, keys: NDArray[np.integer], ts: NDArray[np.int64], known: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(known & (keys >= 0))
        if not len(rows):
            return
        rows = rows[np.argsort(keys[rows], kind="stable")]
        names, begin = np.unique(keys[rows], return_index=True)
        instants = ts[rows]
        ahead = np.sign(np.diff(instants, prepend=instants[0]))
        numbers = names.tolist()
        ahead[begin] = [np.sign(at - self.last.get(key, at)) for key, at in zip(numbers, instants[begin], strict=True)]
        for key, steps in zip(numbers, np.add.reduceat(ahead, begin).tolist(), strict=True):
            self._descents[key] -= steps
        ends = np.append(begin[1:], len(rows)) - 1
        self.last.update(zip(numbers, instants[ends].tolist(), strict=True))


def _in_order(
    early: NDArray[np.int64], late: NDArray[np.int64], descents: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The instants of rows of one key, and a mask of those that their order shows.

    `descents`: the steps back in time among earlier rows, less those ahead.
    """
    twice = early != late
    once = early[~twice]
    if _is_mixed(once):
        return early, ~twice
    descents += _descents(once if len(np.unique(once)) > 1 else early)
    if descents > 0:
        ts, clear = _ascending(early[::-1], late[::-1])
        return ts[::-1], clear[::-1]
    return _ascending(early, late) if descents else (early, ~twice)


def _is_mixed(ts: NDArray[np.int64]) -> bool:
    """Whether rows are in no order: many steps go the other way. Some do where a file consists of several exports."""
    steps = np.diff(ts)
    back, ahead = int(np.count_nonzero(steps < 0)), int(np.count_nonzero(steps > 0))
    return min(back, ahead) >= FEWEST_BACK and min(back, ahead) > MIXED * (back + ahead)


def _descents(ts: NDArray[np.int64]) -> int:
    """Steps back in time less steps ahead."""
    steps = np.diff(ts)
    return int(np.count_nonzero(steps < 0)) - int(np.count_nonzero(steps > 0))


def _ascending(early: NDArray[np.int64], late: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    twice = early != late
    ts, clear = early.copy(), ~twice
    edges = np.flatnonzero(np.diff(np.concatenate([[False], twice, [False]]).astype(np.int8)))
    for start, end in edges.reshape(-1, 2).tolist():
        before = int(early[start - 1]) if start else None
        after = int(early[end]) if end < len(early) else None
        switch = _switch(early[start:end], late[start:end], before, after)
        if switch is not None:
            ts[start + switch : end] = late[start + switch : end]
            clear[start:end] = True
    return ts, clear


def _switch(early: NDArray[np.int64], late: NDArray[np.int64], before: int | None, after: int | None) -> int | None:
    """The index at which the second pass begins, in rows [n] that all occur twice; None if the order does not show it.

    `before`, `after`: the instants of the rows around them.
    """
    count = len(early)
    steps = np.diff(early)
    back = np.flatnonzero(steps < 0)
    if len(back) > 1:
        return None
    switch = int(back[0]) + 1 if len(back) else _missing_hour(early, late, before, after)
    if switch is None:
        return None
    start = late[0] if switch == 0 else early[0]
    end = early[-1] if switch == count else late[-1]
    fits = (before is None or before <= start) and (after is None or end <= after)
    return switch if fits else None


def _missing_hour(
    early: NDArray[np.int64], late: NDArray[np.int64], before: int | None, after: int | None
) -> int | None:
    """The index of the gap with the missing hour: 0 before the first row, [n] after the last one; None if unclear."""
    hour = int(late[0] - early[0])
    inner = np.diff(early).tolist()
    gaps = [
        None if before is None else int(early[0]) - before,
        *inner,
        None if after is None else after - int(late[-1]),
    ]
    if gaps[0] is not None and gaps[0] < 0:  # the row before is of the second pass, as are these
        return 0
    # two rows with the same time may be one, repeated, or the same time of both passes
    far = [
        index
        for index, gap in enumerate(gaps)
        if gap is None or gap >= NEAR_MS or (gap == 0 and 0 < index <= len(inner))
    ]
    if len(far) == 1:
        return far[0]
    known = [gap for gap in gaps if gap is not None]
    if len(known) == len(gaps):
        regular = [
            index
            for index in range(len(gaps))
            if len({gap + hour * (place == index) for place, gap in enumerate(known)}) == 1
        ]
        return regular[0] if len(regular) == 1 else None
    return None
