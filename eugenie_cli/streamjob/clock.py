"""Event time of a stream of several partitions: how far all of them have come. Pure.

The rule is Flink's own for split watermarks: the largest instant of each partition, the smallest of these, less the
out-of-orderness. It is kept here because instants are read here. Like Flink's it is not state: after a restart
it begins anew, and holds until every partition that it waits for has spoken or has been silent for `idle_timeout`.
"""

from __future__ import annotations

from collections.abc import Mapping

NOT_YET = 0
"""The clock before there is one: before every instant that a reading can have."""


class Clock:
    """Follows the partitions that one source task reads."""

    def __init__(self, partitions: int, parallelism: int, out_of_orderness_ms: int, idle_timeout_ms: int) -> None:
        # Flink deals partitions out evenly, so no task has more than this
        self._awaited = -(-partitions // parallelism)
        self._behind = out_of_orderness_ms + 1
        """One more: a reading that is late by all of the out-of-orderness is in time."""
        self._idle_timeout = idle_timeout_ms
        self._largest: dict[int, int] = {}
        self._heard: dict[int, int] = {}
        self._began: int | None = None
        self.now = NOT_YET
        """ms since 1970 UTC: every reading up to here has come."""

    def advance(self, largest: Mapping[int, int], wall_ms: int) -> int:
        """Take in the largest instants of some partitions, heard at a wall clock; returns `now`, which never falls."""
        if self._began is None:
            self._began = wall_ms
        for partition, instant in largest.items():
            self._largest[partition] = max(self._largest.get(partition, NOT_YET), instant)
            self._heard[partition] = wall_ms
        if len(self._largest) >= self._awaited or self._is_over(self._began, wall_ms):
            active = [
                instant
                for partition, instant in self._largest.items()
                if not self._is_over(self._heard[partition], wall_ms)
            ]
            if active:
                self.now = max(self.now, min(active) - self._behind)
        return self.now

    def _is_over(self, since_ms: int, wall_ms: int) -> bool:
        return wall_ms - since_ms > self._idle_timeout
