"""Reads the history of one node in pages of time, whatever the server does about continuation points.

Servers differ in what they do when a node has more values than they return: most give a continuation point, some only
fewer values than there are, and some lose a value at each point. So a page starts 1 ms before the last instant of the
page before; what repeats is dropped. The history is complete when a page has nothing new. Continuation points are used
only where more values than a page share that millisecond.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.sources.failures import TooMuchError
from eugenie_cli.sources.opcua.decode import NodeHistory, Values
from eugenie_cli.sources.opcua.ticks import MS, to_ticks
from eugenie_cli.sources.windows.reader import Span

SURELY_ALL = 100
"""A page of fewer values, without a continuation point, is the last one: no server limits pages to so few."""

NO_VALUE = np.array([0x80D7_0000, 0x809B_0000, 0x00A5_0000], np.uint32)
"""BadBoundNotFound, BadNoData and GoodNoData: the status of a place where there is no value."""
OF_CODE = np.uint32(0xFFFF_0000)


class Pages:
    """The pages of one node and span. `start`: where the next query starts, in ticks of 100 ns since 1601.

    `continuation`: what the next query has to state; None: it goes by time. `no_instant`: values without a timestamp,
    which are in no page.
    """

    def __init__(self, span: Span, *, by_server: bool = False) -> None:
        self._first, self.end = to_ticks(span.start_ms), to_ticks(span.end_ms)
        self._by_server = by_server
        self.start = self._first - MS  # some servers leave the start itself out
        self._overlap = self._first
        self._last = self._first - 1
        self._seen: Counter[tuple[int, int, bytes]] = Counter()
        self._repeats: Counter[tuple[int, int, bytes]] = Counter()
        """What the present query, and its continuations, will repeat of the queries before."""
        self.continuation: bytes | None = None
        self.complete = False
        self.no_instant = 0

    def take(self, page: NodeHistory, asked: int) -> Values:
        """The values of a page that are new and of the span. `asked`: how many values the query allowed.

        Raises TooMuchError for a page that cannot be continued.
        """
        values = page.values
        went_on, self.continuation = self.continuation is not None, None
        if not went_on:
            self._repeats = self._seen.copy()
        ticks = values.server if self._by_server else values.source
        values = values.take(~np.isin(values.status & OF_CODE, NO_VALUE))
        ticks = values.server if self._by_server else values.source
        dated = ticks > 0
        self.no_instant += int(len(ticks) - np.count_nonzero(dated))
        whole = page.continuation is None and len(page.values) < SURELY_ALL
        if not _rises(ticks[dated]):
            if not whole:
                raise TooMuchError(
                    "the server does not return the values of a node in the order of their timestamps",
                    "set `timestamps` of the source to those that the server sorts by",
                )
            values = values.take(np.argsort(ticks, kind="stable"))
            ticks = values.server if self._by_server else values.source
        new = values.take(self._is_new(values, ticks))
        ticks = new.server if self._by_server else new.source
        self.complete = whole or (page.continuation is None and len(new) == 0)
        if self.complete and not went_on and len(page.values) >= asked:
            raise TooMuchError(
                f"a node has {asked:,} values or more within 2 ms", "raise `values_per_read` of the source above that"
            )
        if len(new):
            self._last = max(self._last, int(ticks[-1]))
        start = self._last - self._last % MS - MS
        if page.continuation is not None and start <= self.start:  # a whole page within a millisecond or two
            self.continuation = page.continuation
        if not self.complete:
            self._remember(new, ticks, start)
            self.start = max(self.start, start)
        if self._last >= self.end:
            self.complete = True
        return new.take(ticks < self.end)

    def _is_new(self, values: Values, ticks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which values have not been in an earlier query."""
        new = ticks >= self._overlap
        for position in np.flatnonzero(new & (ticks <= self._last)).tolist():
            key = _key(values, ticks, position)
            if self._repeats[key] > 0:
                self._repeats[key] -= 1
                new[position] = False
        return new

    def _remember(self, new: Values, ticks: NDArray[np.int64], start: int) -> None:
        """Keep what the next page will repeat, which starts at `start` at the earliest."""
        self._overlap = max(self._overlap, start)
        self._seen = Counter({key: count for key, count in self._seen.items() if key[0] >= self._overlap})
        for position in range(int(np.searchsorted(ticks, self._overlap)), len(ticks)):
            self._seen[_key(new, ticks, position)] += 1


def _key(values: Values, ticks: NDArray[np.int64], position: int) -> tuple[int, int, bytes]:
    other = repr(values.other[position]).encode() if position in values.other else b""
    return int(ticks[position]), int(values.status[position]), values.value[position].tobytes() + other


def _rises(ticks: NDArray[np.int64]) -> bool:
    return bool(np.all(ticks[1:] >= ticks[:-1]))
