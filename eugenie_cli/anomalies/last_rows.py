"""The last scored row of each asset, from the end of the scores topic: evidence that the stream is alive."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from eugenie_cli.broker.client import MOVING, client_settings, failure, topic_exists
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.field_types import parse_instant, to_ms
from eugenie_cli.site.kafka import KafkaAccess

LOOK_BACK = 2_000
"""Records read from the end of each partition: for most sites they include every asset."""
ANSWER_S = 3.0
READ_WITHIN_S = 3.0
_POLL_S = 0.2
_BATCH = 1_000


class Row(NamedTuple):
    """A row of an asset: its instant, and when its score arrived in Kafka. ms since 1970 UTC."""

    ts_ms: int
    arrived_ms: int


class LastRows:
    """The last rows of a site's assets. `look` updates them; call `close` at the end.

    scored:  asset -> its last row with a score, among the records read.
    arrived: when the last row arrived, scored or not; None: no row was found.
    """

    def __init__(self, access: KafkaAccess, clock: Callable[[], float] = time.monotonic) -> None:
        self._access, self._clock = access, clock
        self._topic = str(access.topics.scores)
        self._consumer: Consumer | None = None
        self._next: dict[int, int] = {}
        self.scored: dict[str, Row] = {}
        self.arrived: int | None = None

    def look(self) -> bool:
        """Read new records. Returns False if the topic does not exist. Raises EugenieError without contact."""
        try:
            ends = self._ends()
            if ends is None:
                return False
            self._read({partition: span for partition, span in ends.items() if span[1] > span[0]})
        except KafkaException as error:
            raise failure(self._access, f"reading {self._topic}", error) from None
        return True

    def close(self) -> None:
        if self._consumer is not None:
            with contextlib.suppress(KafkaException, RuntimeError):
                self._consumer.close()
            self._consumer = None

    def _client(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                client_settings(
                    self._access,
                    group_id=f"eugenie-life-{uuid.uuid4().hex[:12]}",
                    enable_auto_commit=False,
                    enable_auto_offset_store=False,
                    enable_partition_eof=True,
                    isolation_level="read_committed",
                    auto_offset_reset="earliest",
                )
            )
        return self._consumer

    def _ends(self) -> dict[int, tuple[int, int]] | None:
        """Partition -> the first offset to read, and the end. None: the topic does not exist."""
        consumer = self._client()
        metadata = consumer.list_topics(self._topic, timeout=ANSWER_S).topics.get(self._topic)
        if metadata is None or not topic_exists(metadata):
            return None
        spans = {}
        for partition in metadata.partitions:
            try:
                low, high = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=ANSWER_S)
            except KafkaException as error:
                if error.args[0].code() not in MOVING:
                    raise
                continue  # the brokers answer, but are still choosing the partition's leader: nothing to read yet
            known = self._next.get(partition, 0)
            known = known if known <= high else 0  # the topic was recreated
            spans[partition] = max(low, high - LOOK_BACK, known), high
        return spans

    def _read(self, spans: dict[int, tuple[int, int]]) -> None:
        if not spans:
            return
        consumer, left = self._client(), set(spans)
        consumer.assign([TopicPartition(self._topic, partition, start) for partition, (start, _) in spans.items()])
        deadline = self._clock() + READ_WITHIN_S
        try:
            while left and self._clock() < deadline:
                for message in consumer.consume(_BATCH, timeout=_POLL_S):
                    error = message.error()
                    if error is None:
                        self._next[int(message.partition() or 0)] = int(message.offset() or 0) + 1
                        self._take(message.value(), message.timestamp()[1])
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left.discard(int(message.partition() or 0))
                    elif not error.retriable():
                        raise KafkaException(error)
        finally:
            consumer.unassign()

    def _take(self, value: bytes | None, arrived_ms: int) -> None:
        with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):  # not a score record
            record = json.loads(value or b"")
            asset, score, instant = record["asset"], record["score"], parse_instant(record["ts"])
            self.arrived = max(self.arrived or 0, arrived_ms)
            if score is not None:
                previous = self.scored.get(asset)
                if previous is None or arrived_ms >= previous.arrived_ms:
                    self.scored[asset] = Row(to_ms(instant), arrived_ms)


def contact(rows: LastRows) -> tuple[bool, str]:
    """Read once. Returns whether the topic exists, and why Kafka does not answer (empty when it does)."""
    try:
        return rows.look(), ""
    except EugenieError as error:
        return True, error.reason
