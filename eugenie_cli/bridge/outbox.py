"""What waits to be sent: in memory while Kafka keeps up, on disk as soon as it does not.

Batches leave in the order in which they came. Those that were taken but not yet delivered count as waiting, so that
they are stored, too, when they wait for too long.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from eugenie_cli.bridge.records import Record, pack, unpack
from eugenie_cli.bridge.spool import Spool


@dataclass
class Outgoing:
    """A batch. `since`: when it came, s; `end`: its end on disk, if it is stored there."""

    records: list[Record]
    since: float
    end: tuple[int, int] | None = None


@dataclass
class Outbox:
    """Safe to use from several threads. `patience_s`: how long a batch may wait in memory.

    `lost`: readings that neither memory nor disk had room for.
    """

    spool: Spool
    patience_s: float
    memory: int = 200_000
    """Readings in memory at most, some 50 MB."""
    clock: Callable[[], float] = time.monotonic
    lost: int = 0
    stored: int = 0
    """Readings that were stored on disk since the start."""
    _waiting: deque[Outgoing] = field(default_factory=deque)
    _taken: deque[Outgoing] = field(default_factory=deque)
    _held: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _recorded: float = 0.0

    def put(self, records: list[Record]) -> None:
        """Add a batch. Never waits for Kafka."""
        if not records:
            return
        batch = Outgoing(records, self.clock())
        with self._lock:
            self._held += len(records)
            if self.spool.readings or self._held > self.memory:
                self._store_all()
                self._store(batch)
                self._held -= len(records)
            else:
                self._waiting.append(batch)

    def take(self) -> Outgoing | None:
        """The next batch, or None if there is none. It waits until `delivered`."""
        with self._lock:
            stored = self.spool.take()
            if stored is not None:
                batch = Outgoing(unpack(stored.content), self.clock(), stored.end)
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
                if self.clock() - self._recorded > 1.0:
                    self.spool.record()
                    self._recorded = self.clock()

    def keep(self) -> bool:
        """Store what has waited for too long. Returns whether Kafka keeps up. To be called about every second."""
        with self._lock:
            late = self.clock() - self.patience_s
            oldest = next(iter(self._taken), None) or next(iter(self._waiting), None)
            behind = oldest is not None and oldest.since < late
            if behind:
                self._store_all()
                self.spool.sync()
            self.lost += self.spool.lost
            self.spool.lost = 0
            return not behind and not self.spool.readings

    @property
    def readings(self) -> int:
        """How many wait, in memory and on disk."""
        with self._lock:
            return self._held + self.spool.readings

    def close(self) -> int:
        """Store everything that waits. Returns how many readings that are."""
        with self._lock:
            self._store_all()
            waiting = sum(len(batch.records) for batch in self._taken) + self.spool.readings
            self.lost += self.spool.lost
            self.spool.close()
            return waiting

    # -- storing -----------------------------------------------------------------------------------

    def _store_all(self) -> None:
        """Store batches of memory, those first that were taken. Called with the lock.

        Those that come from disk are the oldest, so that the order on disk is that of arrival.
        """
        if not self.spool.readings:
            for batch in self._taken:
                if batch.end is None and self._stored(batch):
                    self.spool.skip_to(batch.end or (0, 0))
        self._store_waiting()

    def _store_waiting(self) -> None:
        while self._waiting:
            batch = self._waiting.popleft()
            self._held -= len(batch.records)
            self._store(batch)

    def _store(self, batch: Outgoing) -> None:
        if not self._stored(batch):
            self.lost += len(batch.records)

    def _stored(self, batch: Outgoing) -> bool:
        """Store a batch; False if the disk is full."""
        try:
            batch.end = self.spool.append(pack(batch.records), len(batch.records))
        except OSError:
            return False
        self.stored += len(batch.records)
        return True
