"""How long the stream has listened: wall-clock time during which a silent asset could have sent a reading. Pure.

An asset that sends nothing is waited for, but not indefinitely. The wait is measured in wall-clock time, because only
that advances without readings, but not every second counts:

- A pause of all partitions (the job was held up, the broker restarts, the plant is quiet) is nobody's silence: it
  counts as a fraction of the idle time-out at most. Most of it counts afterwards only, at the pace of the wall clock:
  after a stall, what was sent meanwhile arrives in several batches, and nobody is silent before all of it has.
- Nothing counts while some partition has not been heard: the silent asset's readings may wait in it. A partition
  that is silent for longer than the idle time-out is idle, and is not waited for.
- When the whole plant has been silent for `silent_plant_ms`, waiting ends for all assets. A clock that is set, or a
  machine that stood still (suspended, migrated), looks the same at first: what has arrived is read within seconds, so
  a silence counts once it has been looked at twice.

Nothing of this is state: after a restart, listening begins anew, once every partition has been heard or the others
have for the idle time-out.
"""

from __future__ import annotations

from collections.abc import Iterable

PAUSE_DIVISOR = 4
"""A pause of all partitions counts as 1/4 of the idle time-out at most, so that the first partition to send after a
pause does not make the others idle."""

PROMPT_MS = 500
"""So much of a pause counts at once: batches of a live plant are closer together."""

CONFIRMED_MS = 30_000
"""A silence of the whole plant counts if nothing has arrived this long after it was noticed: broken connections to the
brokers are renewed by then."""


class Listening:
    """Time on the scale of a task: starts at 0, in ms, never decreases."""

    def __init__(self, partitions: int, idle_timeout_ms: int, silent_plant_ms: int) -> None:
        """`partitions`: of the readings topic."""
        self._awaited = partitions
        self._idle_timeout = idle_timeout_ms
        self._silent_plant = silent_plant_ms
        self._heard: dict[int, float] = {}
        self._total = 0.0
        self._owed = 0.0
        """ms of former pauses that still have to count."""
        self._now = 0.0
        self._wall: int | None = None
        self._free: int | None = None
        self._noticed: int | None = None
        self._is_silent = False
        self.has_started = False
        """Whether every partition has been heard, or has been silent for the idle time-out: before, readings of any
        asset may wait in one that has not been read at all, and no row is complete."""

    @property
    def now(self) -> float:
        """ms listened up to which every partition that is not idle has been heard."""
        return self._now

    @property
    def latest(self) -> float:
        """ms listened when the last records arrived, in whichever partition: `now` or later. A silence begins then."""
        return self._total

    def hear(self, partitions: Iterable[int], wall_ms: int) -> None:
        """Records of these partitions have arrived at a wall-clock time."""
        if self._wall is not None:
            self._pass(max(wall_ms - self._wall, 0))
        self._wall = wall_ms
        self._heard.update(dict.fromkeys(partitions, self._total))
        self._heard = {number: at for number, at in self._heard.items() if self._total - at <= self._idle_timeout}
        self.has_started = self.has_started or len(self._heard) >= self._awaited or self._total > self._idle_timeout
        if self.has_started:
            self._now = max(self._now, min(self._heard.values(), default=self._total))

    def _pass(self, passed_ms: float) -> None:
        """The wall clock has advanced since the last records arrived."""
        counted = min(passed_ms, self._idle_timeout / PAUSE_DIVISOR)
        at_once, made_up = min(counted, PROMPT_MS), min(passed_ms, self._owed)
        self._total += at_once + made_up
        self._owed += counted - at_once - made_up

    def done(self, wall_ms: int) -> None:
        """What arrived last has been processed at a wall-clock time: from then on, something else could arrive."""
        self._free = wall_ms
        self._noticed, self._is_silent = None, False

    def is_plant_silent(self, wall_ms: int) -> bool:
        """Whether no partition has sent a record for so long that the plant no longer sends."""
        self._free = None if self._free is None else min(self._free, wall_ms)  # the clock may be set back
        if self._free is None or wall_ms - self._free < self._silent_plant:
            self._noticed, self._is_silent = None, False
            return False
        self._noticed = wall_ms if self._noticed is None else self._noticed
        self._is_silent = self._is_silent or wall_ms - self._noticed >= CONFIRMED_MS
        return self._is_silent

    @property
    def is_in_doubt(self) -> bool:
        """Whether a silence of the plant has been noticed and is not confirmed: it must be looked at again."""
        return self._noticed is not None and not self._is_silent
