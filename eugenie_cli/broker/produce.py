"""A producer that accounts for every record: delivered, or counted in an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message

from eugenie_cli.broker.client import client_settings, failure
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.kafka import KafkaAccess

# Fills batches at thousands of records a second, and is not noticeable at a few.
LINGER_MS = 20
BATCH_BYTES = 256 * 1024
# librdkafka and every broker support lz4, which shrinks JSON readings about sixfold.
CODEC = "lz4"
# Give up on a record after this long: unreachable brokers must cause an error, not an endless wait.
DELIVERY_MS = 60_000
# Records in the local queue at most, and how many are handed over in one call.
QUEUE, AT_ONCE = 200_000, 10_000
# A full local queue is drained in steps of this length.
_DRAIN_S = 0.1


class Producer:
    """Sends records to a site's brokers in batches, idempotently: no duplicates, order kept per partition.

    `delivery_ms`: after which a record is given up; 0: never. Use as a context manager, which flushes on exit. `sent`,
    `delivered` and `failed` count records.
    """

    def __init__(self, access: KafkaAccess, *, linger_ms: int = LINGER_MS, delivery_ms: int = DELIVERY_MS) -> None:
        self._access = access
        self._producer = confluent_kafka.Producer(
            client_settings(
                access,
                enable_idempotence=True,
                linger_ms=linger_ms,
                batch_size=BATCH_BYTES,
                compression_type=CODEC,
                delivery_timeout_ms=delivery_ms,
                queue_buffering_max_messages=QUEUE,
            )
        )
        self.sent = 0
        self.delivered = 0
        self.failed = 0
        self._reported = 0
        self._first_error: KafkaError | None = None

    def send(
        self,
        topic: str,
        key: str | bytes | None,
        value: bytes | None,
        timestamp_ms: int | None = None,
        settled: Callable[[KafkaError | None, Message], None] | None = None,
    ) -> None:
        """Queue a record, waiting while the queue is full. `timestamp_ms`: the record's timestamp, by default now.

        `settled`: called by `poll` when the record was delivered, or with why it was not; such records are not counted.
        """
        while True:
            try:
                self._producer.produce(
                    topic, value, key, on_delivery=settled or self._on_delivery, timestamp=timestamp_ms or 0
                )
                break
            except BufferError:
                self._producer.poll(_DRAIN_S)
            except KafkaException as error:
                raise failure(self._access, f"sending to {topic}", error) from None
        if settled is None:
            self.sent += 1
            self._producer.poll(0)

    def send_all(
        self,
        topic: str,
        records: Sequence[tuple[bytes, bytes]],
        settled: Callable[[KafkaError | None, Message], None],
    ) -> dict[int, KafkaError]:
        """Queue records (key, value) in their order, waiting while the queue is full. They are not counted.

        Takes half the time of `send`. `settled`: as there. Returns why records are not queued, by position: `settled`
        is not called for these.
        """
        refused: dict[int, KafkaError] = {}
        for first in range(0, len(records), AT_ONCE):
            messages = [{"key": key, "value": value} for key, value in records[first : first + AT_ONCE]]
            while len(self._producer) + len(messages) > QUEUE:
                self._producer.poll(_DRAIN_S)
            try:
                queued = self._producer.produce_batch(topic, messages, on_delivery=settled)
            except KafkaException as error:
                refused.update(dict.fromkeys(range(first, first + len(messages)), error.args[0]))
                continue
            if queued < len(messages):
                errors: Any = ((first + at, message.get("_error")) for at, message in enumerate(messages))
                refused.update({at: error for at, error in errors if error is not None})
        return refused

    def poll(self, wait_s: float) -> None:
        """Call `settled` of records, waiting for the first one if there is none yet."""
        self._producer.poll(wait_s)

    def flush(self) -> None:
        """Wait until every record has been delivered or given up.

        Raises EugenieError with the number of records not delivered since the last flush, and the first cause.
        """
        while self._producer.flush(1.0):
            pass
        lost = self.failed - self._reported
        self._reported = self.failed
        if lost and self._first_error is not None:
            error, self._first_error = self._first_error, None
            raise failure(self._access, f"{lost:,} of {self.sent:,} records were not delivered", error)
        if self.sent != self.delivered + self.failed:
            raise EugenieError(f"{self.sent - self.delivered - self.failed:,} records are unaccounted for")

    def __enter__(self) -> Producer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()
        else:
            self._producer.purge()

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failed += 1
            self._first_error = self._first_error or error
