"""Event time of a stream of several sources: how far all of them have come. Pure.

The rule begins as Flink's own for split watermarks: the largest instant of each source, the smallest of these, less
the out-of-orderness. It is kept here because instants are read here, and because no source is waited for without end:

- A source is idle when the others speak for `idle_timeout` and it does not. A pause of all of them (the job was held
  up, the plant is quiet) is nobody's idleness: it counts as a part of the time-out at most.
- A source that says only what is older than the clock by more than `idle_timeout` says nothing: its clock was reset.
- A source that only repeats itself says nothing either: a gateway that sends a value that stands again and again, with
  the instant of its last change, or a clock that stopped.
- A source that is far behind the foremost one, and comes no nearer, is left behind. One whose backlog is being read
  comes nearer, and is waited for.

Like Flink's it is not state: after a restart it begins anew, and holds until every source that it waits for has spoken,
or the others have for `idle_timeout`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NOT_YET = 0
"""The clock before there is one: before every instant that a reading can have."""

FAR_BEHIND_MS = 3_600_000
"""An hour. Live data that is delayed by less (a slow bridge, a file every half hour) is waited for."""

CATCHING_UP = 1.25
"""Seconds of event time per second of the wall clock. What is read as it is produced has 1, a backlog many."""

PAUSE_PART = 4
"""A pause of all sources counts as this part of the time-out at most. So a source is idle only when the others have
spoken that often, and the first to speak after a pause does not leave the others behind."""

DECODERS_IDLE_MS = 30_000
"""The least time-out between decoders. They are processes: one may start, or be scheduled, seconds after the others."""


@dataclass
class _Source:
    """A source as it was last heard."""

    largest: int
    heard: float
    """When it last said something new, on the scale of `Watermark._listened`."""
    behind: tuple[float, int, int] | None = None
    """Since when it has been far behind: (listened, wall clock, largest instant) then."""


class Watermark:
    """Follows the partitions that one decoder reads; or, at the next operator, the clocks of the decoders."""

    def __init__(self, partitions: int, parallelism: int, out_of_orderness_ms: int, idle_timeout_ms: int) -> None:
        # Flink deals partitions out evenly, so no decoder has more than this
        self._awaited = -(-partitions // parallelism)
        self._behind = out_of_orderness_ms + 1
        """One more: a reading that is late by all of the out-of-orderness is in time."""
        self._idle_timeout = idle_timeout_ms
        self._far_behind = max(FAR_BEHIND_MS, idle_timeout_ms)
        self._sources: dict[int, _Source] = {}
        self._listened = 0.0
        """ms that sources had to make themselves heard in, pauses of all of them cut short."""
        self._wall: int | None = None
        self._goes = False
        self.now = NOT_YET
        """ms since 1970 UTC: every reading up to here has come."""

    @classmethod
    def of_decoders(cls, parallelism: int, idle_timeout_ms: int) -> Watermark:
        """The clock of what follows several decoders: the slowest decoder's."""
        # a decoder that waits for a partition of its own stands still for a time-out, and is waited for
        return cls(parallelism, 1, -1, max(2 * idle_timeout_ms, DECODERS_IDLE_MS))

    def advance(self, largest: Mapping[int, int], wall_ms: int) -> int:
        """Take in the largest instants of some sources, heard at a wall clock; returns `now`, which never falls.

        For the clock of decoders an instant is a decoder's `now`; `NOT_YET` means that it still waits for a partition.
        """
        if self._wall is not None:
            self._listened += min(max(wall_ms - self._wall, 0), self._idle_timeout / PAUSE_PART)
        self._wall = wall_ms
        for number, instant in largest.items():
            if instant < self.now - self._idle_timeout:
                continue
            source = self._sources.get(number)
            if source is None:
                self._sources[number] = _Source(instant, self._listened)
            elif instant > source.largest or instant == NOT_YET:  # a decoder that waits says so all the time
                source.largest, source.heard = max(source.largest, instant), self._listened
        self._goes = self._goes or len(self._sources) >= self._awaited or self._listened > self._idle_timeout
        if self._goes and (waited_for := self._waited_for(wall_ms)):
            self.now = max(self.now, min(waited_for) - self._behind)
        return self.now

    def _waited_for(self, wall_ms: int) -> list[int]:
        """Largest instants of the sources not left behind. Those that are idle are forgotten, unless all are."""
        live = {n: one for n, one in self._sources.items() if self._listened - one.heard <= self._idle_timeout}
        self._sources = live or self._sources
        foremost = max((one.largest for one in self._sources.values()), default=NOT_YET)
        return [one.largest for one in self._sources.values() if not self._is_left_behind(one, foremost, wall_ms)]

    def _is_left_behind(self, source: _Source, foremost: int, wall_ms: int) -> bool:
        if source.largest == NOT_YET or foremost - source.largest <= self._far_behind:
            source.behind = None
            return False
        if source.behind is None:
            source.behind = self._listened, wall_ms, source.largest
            return False
        listened, wall, largest = source.behind
        if self._listened - listened <= self._idle_timeout:
            return False
        if source.largest - largest <= CATCHING_UP * max(wall_ms - wall, self._listened - listened):
            return True
        source.behind = self._listened, wall_ms, source.largest
        return False
