"""Times of day in files that state their date once: the rows show where the next day begins.

The first row is of the stated date. Rows are in the order of time, so a time that goes back has passed midnight. Where
the rows do not show it beyond doubt, they are rejected from there on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.number_units import DAY_MS
from eugenie_cli.readings.stated import date_of, rule_of
from eugenie_cli.readings.timestamps import zone
from eugenie_cli.sources.records.unclear_days import UnclearDaysError

UNCLEAR_DAY = (
    "the times of day do not show whether midnight has passed before this row: export the date with each time, or a"
    " file for each day"
)
NEAR_MS = 60_000
"""Rows that go back by less are only out of order."""
DOUBTFUL_MS = 2 * 3_600_000
"""Rows that go back by less, but not a little, may be out of order, or almost a day later."""
_SHORT_MS = 6 * 3_600_000
"""Steps that show the direction of rows, forwards or backwards."""
_ALL = -1
_ANY_DAY = "2000-01-03 "
_ANY_DAY_MS = 946_857_600_000


@dataclass
class _Sequence:
    """The last row of each sequence of rows: its time of day, its day, and whether that is known."""

    tod: dict[int, int] = field(default_factory=dict)
    day: dict[int, int] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)

    def copy(self) -> _Sequence:
        return _Sequence(dict(self.tod), dict(self.day), set(self.lost))


class DayCounter:
    """Counts the midnights between the rows of one item, across its blocks. `occurs_twice`: (day, ms of day) -> whether
    that local time does, because clocks are set back.
    """

    def __init__(self, occurs_twice: Callable[[int, int], bool]) -> None:
        self._occurs_twice = occurs_twice
        self._own, self._all = _Sequence(), _Sequence()
        self._descents = 0
        self._ended: set[int] = set()  # what rows were about, before the last row
        self._last: int | None = None
        self._span: tuple[int, int] | None = None  # of the rows about the same as the last one, in ms since the date
        self._grouped = True  # whether all rows about the same follow each other

    def copy(self) -> DayCounter:
        """The count so far, for a block that may have to be read once more."""
        copied = DayCounter(self._occurs_twice)
        copied.__dict__.update(self.__dict__, _own=self._own.copy(), _all=self._all.copy(), _ended=set(self._ended))
        return copied

    def count(self, keys: NDArray[np.integer], tod: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Rows in order -> (days after the stated date [N], whether that is known [N]).

        `keys` [N]: what each row is about; `tod` [N]: its time of day in ms.
        """
        if not len(keys):
            return np.zeros(0, np.int64), np.ones(0, bool)
        self._look(keys, tod)
        if backwards := self._descents > 0:
            self._check_one_day(keys, tod)
        day, known = self._counted(self._own, keys.astype(np.int64), tod, backwards)
        total, total_known = self._counted(self._all, np.full(len(keys), _ALL), tod, backwards)
        same = total_known & (total == day)
        starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
        begun = keys[starts].tolist()
        later = begun[1:] if begun[0] == self._last else begun
        self._grouped &= len(set(begun)) == len(begun) and self._ended.isdisjoint(later)
        if not self._grouped:
            self._last = None
            return day, known & (same)
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(keys)], strict=True):
            if not self._begin(int(keys[start]), day[start:end] * DAY_MS + tod[start:end]):
                known[start:end] &= same[start:end]
                if not same[start:end].all():
                    self._own.lost.add(int(keys[start]))
        return day, known

    def _look(self, keys: NDArray[np.integer], tod: NDArray[np.int64]) -> None:
        """Note the direction of the rows."""
        step = np.diff(tod)[np.diff(keys) == 0]
        step = (step + DAY_MS // 2) % DAY_MS - DAY_MS // 2
        step = step[np.abs(step) <= _SHORT_MS]
        self._descents += int(np.count_nonzero(step < 0)) - int(np.count_nonzero(step > 0))

    def _check_one_day(self, keys: NDArray[np.integer], tod: NDArray[np.int64]) -> None:
        """Raise UnclearDaysError if rows that go back in time pass midnight."""
        step = np.diff(tod)
        if np.any((step > DAY_MS - _SHORT_MS) & (np.diff(keys) == 0)):
            raise UnclearDaysError

    def _begin(self, key: int, at: NDArray[np.int64]) -> bool:
        """Whether rows about one thing, at these ms since the date, may be counted for themselves."""
        first, last = int(at.min()), int(at.max())
        if key == self._last and self._span is not None:
            self._span = min(first, self._span[0]), max(last, self._span[1])
            return key not in self._own.lost
        if self._last is not None:
            self._ended.add(self._last)
        before, self._last, self._span = self._span, key, (first, last)
        # a tag's rows below those of another are of the same days, unless they are later than all of these
        return before is None or (first <= before[1] and last >= before[0])

    def _counted(
        self, so_far: _Sequence, keys: NDArray[np.int64], tod: NDArray[np.int64], backwards: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        order = np.argsort(keys, kind="stable")
        keys, times = keys[order], tod[order]
        begin = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
        names = keys[begin].tolist()
        step = np.diff(times, prepend=times[0])
        step[begin] = times[begin] - [so_far.tod.get(key, at) for key, at in zip(names, times[begin], strict=True)]
        ahead, doubtful = _midnights(step, backwards)
        day = _sums(ahead, begin) + np.repeat(
            [so_far.day.get(key, 0) for key in names], np.diff([*begin.tolist(), len(keys)])
        )
        for row in np.flatnonzero(doubtful & (step < 0)).tolist():
            before = int(times[row] - step[row])
            doubtful[row] = not all(self._occurs_twice(int(day[row]), at) for at in (before, int(times[row])))
        doubtful[begin] |= np.array([key in so_far.lost for key in names])
        lost = _sums(doubtful.astype(np.int64), begin) > 0
        ends = np.append(begin[1:], len(keys)) - 1
        so_far.tod.update(zip(names, times[ends].tolist(), strict=True))
        so_far.day.update(zip(names, day[ends].tolist(), strict=True))
        so_far.lost |= {key for key, is_lost in zip(names, lost[ends].tolist(), strict=True) if is_lost}
        placed, known = np.empty_like(day), np.empty(len(day), bool)
        placed[order], known[order] = day, ~lost
        return placed, known


def _midnights(step: NDArray[np.int64], backwards: bool) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Steps between times of day -> (midnights that they pass, whether that is in doubt)."""
    if backwards:  # newest first: whether the stated date is that of the first row or of the last is not known
        return np.zeros(len(step), np.int64), step > NEAR_MS
    ahead: NDArray[np.int64] = np.where(step < -NEAR_MS, np.int64(1), np.int64(0)) - (step > DAY_MS - NEAR_MS)
    doubtful = (step < -NEAR_MS) & (step >= -DOUBTFUL_MS)
    return np.where(doubtful, 0, ahead), doubtful


def _sums(numbers: NDArray[np.int64], begin: NDArray[np.int64]) -> NDArray[np.int64]:
    """Running sums, from each `begin` on."""
    total = np.cumsum(numbers)
    before = np.concatenate([[0], total])[begin]
    return np.asarray(total - np.repeat(before, np.diff([*begin.tolist(), len(numbers)])), np.int64)


class DatedTimes:
    """Puts dates before the times of day of one item. `part`: the mapping's `ts`, with its date."""

    def __init__(self, part: Mapping[str, Any], timezone: str) -> None:
        self._first = date.fromisoformat(date_of(part, timezone) or "")
        rule = rule_of(part, timezone)
        self._times = Instants(*rule._replace(timezone="UTC"))
        self._zone = zone(rule.timezone)
        self.counter = DayCounter(self._occurs_twice)

    def dated(self, texts: pa.StringArray, keys: NDArray[np.integer]) -> pa.StringArray:
        """Times of day [N] -> them with their dates; null where these are not known.

        `keys` [N]: what each row is about; negative if that is unknown.
        """
        ts, read = self._times.of_texts(pc.binary_join_element_wise(_ANY_DAY.strip(), texts, " "))
        rows = np.flatnonzero(read & (keys >= 0))
        counted, known = self.counter.count(keys[rows], ts[rows] - _ANY_DAY_MS)
        day, clear = np.zeros(len(texts), np.int64), np.ones(len(texts), bool)
        day[rows], clear[rows] = counted, known
        days, index = np.unique(day, return_inverse=True)
        dates = pa.array([(self._first + timedelta(int(after))).isoformat() for after in days], pa.string())
        joined = pc.binary_join_element_wise(dates.take(pa.array(index)), texts, " ")
        return pc.if_else(pa.array(clear), joined, pa.scalar(None, pa.string()))

    def _occurs_twice(self, day: int, tod: int) -> bool:
        local = datetime.combine(self._first, datetime.min.time()) + timedelta(days=day, milliseconds=tod)
        first, second = (local.replace(tzinfo=self._zone, fold=fold).utcoffset() for fold in (0, 1))
        return first is not None and second is not None and first > second
