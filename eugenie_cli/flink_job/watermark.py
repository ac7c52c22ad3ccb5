"""Event time of a stream with several sources: the progress of the slowest source that counts. Pure.

The basis is Flink's rule for split watermarks: the largest instant of each source, the minimum of these, minus the
out-of-orderness. It is implemented here because instants are read here, and to avoid waiting for a source indefinitely:

- A source is idle when the others send readings for `idle_timeout` and it does not. A pause of all sources (the job was
  held up, the plant is quiet) makes none of them idle: it counts as a fraction of the time-out at most.
- Instants older than the watermark by more than `idle_timeout` are ignored: the clock of their source was reset.
- A source that only repeats instants counts as silent: a gateway that repeatedly sends an unchanged value with the
  instant of its last change, or a clock that stopped.
- A source far behind the foremost one that does not catch up is left behind. A source whose backlog is being read
  catches up, and is waited for.

As in Flink, the watermark is not state. After a restart it holds until every awaited source has sent a reading, or the
others have for `idle_timeout`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NOT_YET = 0
"""The watermark before the first reading: earlier than every instant that a reading can have."""

FAR_BEHIND_MS = 3_600_000
"""One hour. Live data with a smaller delay (a slow bridge, a file every half hour) is waited for."""

CATCHING_UP = 1.25
"""Seconds of event time per second of wall clock: 1 for live data, far more for a backlog."""

PAUSE_DIVISOR = 4
"""A pause of all sources counts as 1/4 of the time-out at most. So a source becomes idle only after at least four calls
without it, and the first source to send after a pause does not make the others idle."""

DECODERS_IDLE_MS = 30_000
"""Minimum time-out for decoders. They are processes: one may start, or be scheduled, seconds after the others."""


@dataclass
class _Source:
    """The last known state of a source."""

    largest: int
    heard: float
    """When it last sent a later instant, on the scale of `Watermark._listened`."""
    behind: tuple[float, int, int] | None = None
    """When it began to be far behind: (listened, wall clock, largest instant); None: it is not."""


class Watermark:
    """Tracks the partitions that one decoder reads or, in the next operator, the watermarks of the decoders."""

    def __init__(self, partitions: int, parallelism: int, out_of_orderness_ms: int, idle_timeout_ms: int) -> None:
        # Flink distributes partitions evenly, so no decoder has more than this
        self._awaited = -(-partitions // parallelism)
        self._behind = out_of_orderness_ms + 1
        """Plus one: a reading delayed by exactly the out-of-orderness is in time."""
        self._idle_timeout = idle_timeout_ms
        self._far_behind = max(FAR_BEHIND_MS, idle_timeout_ms)
        self._sources: dict[int, _Source] = {}
        self._listened = 0.0
        """ms during which sources could send readings, with pauses of all sources capped."""
        self._wall: int | None = None
        self._has_started = False
        self.now = NOT_YET
        """ms since 1970 UTC: every reading up to here has arrived."""

    @classmethod
    def of_decoders(cls, parallelism: int, idle_timeout_ms: int) -> Watermark:
        """The watermark of a task after several decoders: that of the slowest decoder."""
        # a decoder that waits for one of its partitions does not advance for one time-out, and is waited for
        return cls(parallelism, 1, -1, max(2 * idle_timeout_ms, DECODERS_IDLE_MS))

    def advance(self, largest: Mapping[int, int], wall_ms: int) -> int:
        """Update with the largest instants of some sources at a wall-clock time. Returns `now`, which never decreases.

        With decoders as sources, an instant is a decoder's `now`; `NOT_YET`: it still waits for a partition.
        """
        if self._wall is not None:
            self._listened += min(max(wall_ms - self._wall, 0), self._idle_timeout / PAUSE_DIVISOR)
        self._wall = wall_ms
        for number, instant in largest.items():
            if instant < self.now - self._idle_timeout:
                continue
            source = self._sources.get(number)
            if source is None:
                self._sources[number] = _Source(instant, self._listened)
            elif instant > source.largest or instant == NOT_YET:  # a waiting decoder repeats NOT_YET
                source.largest, source.heard = max(source.largest, instant), self._listened
        self._has_started = (
            self._has_started or len(self._sources) >= self._awaited or self._listened > self._idle_timeout
        )
        if self._has_started and (waited_for := self._waited_for(wall_ms)):
            self.now = max(self.now, min(waited_for) - self._behind)
        return self.now

    def _waited_for(self, wall_ms: int) -> list[int]:
        """Largest instants of the sources not left behind. Idle sources are forgotten, unless all are idle."""
        live = {n: source for n, source in self._sources.items() if self._listened - source.heard <= self._idle_timeout}
        self._sources = live or self._sources
        foremost = max((source.largest for source in self._sources.values()), default=NOT_YET)
        return [
            source.largest for source in self._sources.values() if not self._is_left_behind(source, foremost, wall_ms)
        ]

    def _is_left_behind(self, source: _Source, foremost: int, wall_ms: int) -> bool:
        if source.largest == NOT_YET or foremost - source.largest <= self._far_behind:
            source.behind = None
            return False
        if source.behind is None:
            source.behind = self._listened, wall_ms, source.largest
            return False
        listened, wall, instant = source.behind
        if self._listened - listened <= self._idle_timeout:
            return False
        if source.largest - instant <= CATCHING_UP * max(wall_ms - wall, self._listened - listened):
            return True
        source.behind = self._listened, wall_ms, source.largest
        return False
