"""One pace for all queries of a source: calls a second, calls at the same time, and repetitions."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from eugenie_cli.readings.backoff import pause_s
from eugenie_cli.site.source_windows import PaceSettings
from eugenie_cli.sources.failures import TransientError

T = TypeVar("T")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


class Pace:
    """Makes the calls of one source. Safe to use from several threads.

    `sleep` and `clock`: seconds, replaced in tests.
    """

    def __init__(
        self,
        settings: PaceSettings,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeout_s = settings.timeout / 1_000
        self._settings, self._sleep, self._clock = settings, sleep, clock
        self._turns = threading.Lock()
        self._next = clock()
        self._free = threading.Semaphore(settings.in_flight)

    def call(self, query: Callable[[], T]) -> T:
        """The result of `query`. One that raises TransientError is repeated after a pause, which grows and is random.

        Raises the last TransientError when `retries` are used up, and at once whatever else `query` raises.
        """
        failures = 0
        while True:
            with self._free:
                self._await_turn()
                try:
                    return query()
                except TransientError:
                    failures += 1
                    if failures > self._settings.retries:
                        raise
            self._sleep(pause_s(failures, FIRST_PAUSE_S, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def each(self, queries: Iterable[Callable[[], T]]) -> Iterator[T]:
        """The results of queries, in their order, with at most `in_flight` of them ahead of the consumer."""
        rest = iter(queries)
        with ThreadPoolExecutor(self._settings.in_flight) as pool:
            waiting: list[Future[T]] = [
                pool.submit(self.call, query) for query in islice(rest, self._settings.in_flight)
            ]
            try:
                while waiting:
                    result = waiting.pop(0).result()
                    waiting += [pool.submit(self.call, query) for query in islice(rest, 1)]
                    yield result
            finally:
                for future in waiting:
                    future.cancel()

    def _await_turn(self) -> None:
        """Wait until the rate allows another call."""
        if self._settings.calls_per_second is None:
            return
        with self._turns:
            turn = max(self._next, self._clock())
            self._next = turn + 1 / self._settings.calls_per_second
        if (wait := turn - self._clock()) > 0:
            self._sleep(wait)
