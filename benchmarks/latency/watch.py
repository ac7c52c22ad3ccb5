"""Scores as they arrive, each with the time at which a consumer of committed records has it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
import orjson
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from benchmarks.common import waiting
from benchmarks.common.waiting import Check
from eugenie_cli.broker.client import client_settings
from eugenie_cli.broker.topics import partitions
from eugenie_cli.site.schema import Site

BEHIND_S = 10.0
"""A job has caught up if its rows are younger than this plus two checkpoints: rows wait for late readings."""

CAUGHT_UP_WITHIN_S = 180.0
POLL_S = 0.1


@dataclass(frozen=True)
class Score:
    """A score record. Times in ms since 1970: the row's edge, when the broker accepted the score, when it was read."""

    asset: str
    edge: int
    scored: bool
    taken_ms: int
    read_ms: int


class Watch:
    """Collects new records of the site's scores topic in `scores` while the `with` block runs."""

    def __init__(self, site: Site) -> None:
        self.scores: list[Score] = []
        self._behind_s = BEHIND_S + 2 * site.stream.checkpoint / 1_000
        topic = str(site.topics.scores)
        self._consumer = Consumer(
            client_settings(
                site,
                group_id="eugenie-bench",
                enable_auto_commit=False,
                isolation_level="read_committed",
                fetch_wait_max_ms=10,
            )
        )
        self._consumer.assign([TopicPartition(topic, number, OFFSET_END) for number in range(partitions(site, topic))])
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def wait_until_live(self, check: Check) -> None:
        """Return once current rows arrive. Raises TimeoutError, and whatever `check` raises."""

        def live() -> bool:
            if self._error is not None:
                raise self._error
            return bool(self.scores) and time.time() - self.scores[-1].edge / 1_000 <= self._behind_s

        waiting.until(live, CAUGHT_UP_WITHIN_S, f"no row of the last {self._behind_s:.0f} s was scored", check)

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:  # noqa: BLE001 - raised again in `live`
            self._error = error

    def _read(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(POLL_S)
            if message is None or message.error() is not None:
                continue
            read_ms = time.time_ns() // 1_000_000
            record = orjson.loads(message.value() or b"{}")
            edge = int(np.datetime64(record["ts"].rstrip("Z"), "ms").astype(np.int64))
            scored = record["score"] is not None
            self.scores.append(Score(record["asset"], edge, scored, message.timestamp()[1], read_ms))
