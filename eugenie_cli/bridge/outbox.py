"""What waits to be sent: in memory while Kafka keeps up, on disk as soon as it does not.

Batches leave in the order in which they came. Those that were taken but not yet delivered count as waiting, so that
they are stored, too, when they wait for too long. A batch is *safe* when Kafka has confirmed it, or when it is on disk
and would survive a loss of power: then, and in the order of arrival, its source is told.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from eugenie_cli.bridge.records import Record, pack, unpack
from eugenie_cli.bridge.spool import Spool

RECORDED_EVERY_S = 1.0
"""How often it is written down what was delivered: as much is sent twice after a crash."""


@dataclass(eq=False)
class Outgoing:
    """A batch. `since`: when it came, s; `end`: its end on disk, if it is stored there; `settled`: called when it is
    safe.
    """

    records: list[Record]
    since: float
    settled: Callable[[], None] | None = None
    end: tuple[int, int] | None = None
    is_safe: bool = False


@dataclass
class Outbox:
    """Safe to use from several threads. `patience_s`: how long a batch may wait in memory.

    `waits`: the source keeps what is not safe, so that nothing is given up for want of room; otherwise the oldest
    readings are, if neither disk nor memory has room: `lost`. `full`: why readings cannot be stored now.
    """

    spool: Spool
    patience_s: float
    memory: int = 200_000
    """Readings in memory at most, some 50 MB."""
    clock: Callable[[], float] = time.monotonic
    waits: bool = False
    lost: int = 0
    stored: int = 0
    """Readings that were stored on disk since the start."""
    full: str | None = None
    _waiting: deque[Outgoing] = field(default_factory=deque)
    _taken: deque[Outgoing] = field(default_factory=deque)
    _unsynced: list[Outgoing] = field(default_factory=list)
    _unsettled: deque[Outgoing] = field(default_factory=deque)
    _held: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _recorded: float = 0.0

    def put(self, records: list[Record], settled: Callable[[], None] | None = None) -> None:
        """Add a batch. Never waits for Kafka. `settled`: called, by any thread, when it and all before it are safe."""
        batch = Outgoing(records, self.clock(), settled)
        with self._lock:
            if settled is not None:
                self._unsettled.append(batch)
            if not records:
                self._safe(batch)
                return
            self._held += len(records)
            self._waiting.append(batch)
            if self.spool.readings or self._held > self.memory:
                self._store_all()
                if self.waits:  # the source may send no more until this is safe
                    self._sync()

    @property
    def has_room(self) -> bool:
        """Whether a source that can wait may put more."""
        with self._lock:
            return self._held <= self.memory

    def take(self) -> Outgoing | None:
        """The next batch, or None if there is none. It waits until `delivered`."""
        with self._lock:
            stored = self.spool.take()
            if stored is not None:
                batch = Outgoing(unpack(stored.content), self.clock(), None, stored.end)
                self._held += len(batch.records)
            elif self._waiting:
                batch = self._waiting.popleft()
            else:
                return None
            self._taken.append(batch)
            return batch

    def delivered(self, batch: Outgoing) -> None:
        """Forget a batch: the oldest one that was taken."""
        with self._lock:
            if self._taken[0] is not batch:
                raise ValueError("batches are delivered in the order in which they were taken")
            self._taken.popleft()
            self._held -= len(batch.records)
            if batch.end is not None:
                self.spool.delivered(batch.end)
                if self.clock() - self._recorded > RECORDED_EVERY_S:
                    self.spool.record()
                    self._recorded = self.clock()
            self._safe(batch)

    def keep(self) -> bool:
        """Store what has waited for too long. Returns whether Kafka keeps up. To be called about every second."""
        with self._lock:
            late = self.clock() - self.patience_s
            oldest = next(iter(self._taken), None) or next(iter(self._waiting), None)
            behind = oldest is not None and oldest.since < late
            if behind or self.full is not None:
                self._store_all()
            self._sync()
            self.lost += self.spool.lost
            self.spool.lost = 0
            return not behind and not self.spool.readings

    @property
    def readings(self) -> int:
        """How many wait, in memory and on disk."""
        with self._lock:
            return self._held + self.spool.readings

    def close(self) -> tuple[int, int]:
        """Store everything that waits. Returns how many readings wait on disk, and how many could not be stored there,
        which the source still has.
        """
        with self._lock:
            self._store_all()
            self._sync()
            left = sum(len(batch.records) for batch in (*self._taken, *self._waiting) if batch.end is None)
            waiting = sum(len(batch.records) for batch in self._taken if batch.end is not None) + self.spool.readings
            self.lost += self.spool.lost + (0 if self.waits else left)
            self.spool.close()
            return waiting, left if self.waits else 0

    # -- storing -----------------------------------------------------------------------------------

    def _store_all(self) -> None:
        """Store batches of memory, those first that were taken. Called with the lock.

        Those that come from disk are the oldest, so that the order on disk is that of arrival.
        """
        self.full = None
        if not self.spool.readings:
            for batch in self._taken:
                if batch.end is None:
                    if not self._stored(batch):
                        break
                    self.spool.skip_to(batch.end or (0, 0))
        while self._waiting:
            batch = self._waiting[0]
            if self.full is not None or not self._stored(batch):
                if self.waits or self._held <= self.memory:
                    return
                self.lost += len(batch.records)
                self._safe(batch)
            self._waiting.popleft()
            self._held -= len(batch.records)

    def _stored(self, batch: Outgoing) -> bool:
        """Store a batch; False if there is no room for it."""
        try:
            batch.end = self.spool.append(pack(batch.records), len(batch.records), may_push_out=not self.waits)
        except OSError as error:
            self.full = error.strerror or str(error)
            return False
        self.stored += len(batch.records)
        self._unsynced.append(batch)
        return True

    # -- telling the source ------------------------------------------------------------------------

    def _sync(self) -> None:
        """Make what was stored survive a loss of power."""
        if not self._unsynced:
            return
        try:
            self.spool.sync()
        except OSError as error:
            self.full = error.strerror or str(error)
            return
        stored, self._unsynced = self._unsynced, []
        for batch in stored:
            self._safe(batch)

    def _safe(self, batch: Outgoing) -> None:
        batch.is_safe = True
        while self._unsettled and self._unsettled[0].is_safe:
            settled = self._unsettled.popleft().settled
            if settled is not None:
                settled()
