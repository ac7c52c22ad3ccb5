"""Reads a topic without side effects: no consumer group, no commits, only committed transactions."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from eugenie_cli.broker.client import ANSWER_S, ask, checked, client_settings, failure
from eugenie_cli.broker.topics import partitions
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.kafka import KafkaAccess

# The longest wait for the next record, so that Ctrl-C and idle_s take effect soon.
_POLL_S = 0.2
_BATCH = 500
_SPAN_BATCH = 10_000
# A bounded read fails when the brokers have not answered for this long.
UNREACHABLE_S = 30.0
FROM_NOW = -1
"""Value of `since_ms`: only records that arrive from now on."""


class Record(NamedTuple):
    """A record of a topic. `timestamp_ms`: set by broker or producer, ms since 1970 UTC."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    """Empty unless `span` read them."""


def read(
    access: KafkaAccess,
    topic: str,
    *,
    since_ms: int | None = None,
    until_end: bool = False,
    follow: bool = False,
    idle_s: float | None = None,
    group: str | None = None,
    stop: Callable[[], bool] | None = None,
) -> Iterator[Record]:
    """Records of a topic, in order within each partition. Omits those of open or aborted transactions.

    since_ms:  start at the first record of that time, 0 for all; None: from the beginning, or from now on with
               `follow` without `until_end`.
    until_end: stop when every partition has reached its end, as partition-EOF events report: offsets do not show it,
               because transaction markers take offsets as well.
    follow:    continue indefinitely with new records, unless `until_end` is given.
    idle_s:    stop after this long without a record.
    group:     the client's name in the brokers' logs; nothing is ever committed.
    stop:      called about five times a second; the read stops when it returns true.

    Raises EugenieError when the brokers are unreachable, refuse access, or lack the topic.
    """
    if not (until_end or follow or idle_s is not None):
        raise ValueError("a read needs an end: until_end, idle_s or follow")
    if since_ms is None and follow and not until_end:
        since_ms = FROM_NOW
    for record in stream(
        access, topic, since_ms=since_ms or 0, until_end=until_end, idle_s=idle_s, group=group, stop=stop
    ):
        if record is not None:
            yield record


def stream(
    access: KafkaAccess,
    topic: str,
    *,
    since_ms: int = 0,
    begin: Mapping[int, int] | None = None,
    until_end: bool = False,
    idle_s: float | None = None,
    group: str | None = None,
    stop: Callable[[], bool] | None = None,
) -> Iterator[Record | None]:
    """Like `read`, with a single None after the last record that existed at the start.

    `begin`: partition -> the first offset to read; only these partitions are read. Overrides `since_ms`.
    """
    count = partitions(access, topic) if begin is None else len(begin)
    consumer = Consumer(
        client_settings(
            access,
            group_id=group or f"eugenie-{uuid.uuid4().hex[:12]}",
            enable_auto_commit=False,
            enable_auto_offset_store=False,
            enable_partition_eof=True,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
    )
    try:
        if begin is None:
            consumer.assign(_start(access, consumer, topic, count, since_ms))
        else:
            consumer.assign([TopicPartition(topic, number, offset) for number, offset in begin.items()])
        yield from _records(access, consumer, topic, count, until_end, idle_s, stop)
    except KafkaException as error:
        raise failure(access, f"reading {topic}", error) from None
    finally:
        consumer.close()


def span(access: KafkaAccess, topic: str, partition: int, first: int, end: int) -> Iterator[list[Record]]:
    """The committed records with `first <= offset < end` of a partition, in lists, with their headers.

    `end`: at most the end of the committed records. Raises EugenieError, also if `first` is no longer kept.
    """
    consumer = Consumer(
        client_settings(
            access,
            group_id=f"eugenie-{uuid.uuid4().hex[:12]}",
            enable_auto_commit=False,
            enable_auto_offset_store=False,
            enable_partition_eof=True,
            isolation_level="read_committed",
            auto_offset_reset="error",
        )
    )
    where = TopicPartition(topic, partition, first)
    last_answer = time.monotonic()
    try:
        consumer.assign([where])
        while consumer.position([where])[0].offset < end:  # not the records' offsets: markers of transactions take some
            messages = consumer.consume(_SPAN_BATCH, timeout=_POLL_S)
            if not messages and time.monotonic() - last_answer >= UNREACHABLE_S:
                raise _silence(topic)
            last_answer = time.monotonic() if messages else last_answer
            records = []
            for message in messages:
                error = message.error()
                offset = cast(int, message.offset())
                if error is None and offset < end:
                    headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
                    records.append(_record(topic, message)._replace(headers=headers))
                elif error is not None and error.code() == KafkaError._PARTITION_EOF:
                    end = min(end, offset)
                elif error is not None and not error.retriable() and error.code() not in _RETRIED_BY_CLIENT:
                    raise failure(access, f"reading {topic}", error)
            if records:
                yield records
    except KafkaException as error:
        raise failure(access, f"reading {topic}", error) from None
    finally:
        consumer.close()


def _start(access: KafkaAccess, consumer: Consumer, topic: str, count: int, since_ms: int) -> list[TopicPartition]:
    if since_ms in (0, FROM_NOW):
        offset = OFFSET_BEGINNING if since_ms == 0 else OFFSET_END
        return [TopicPartition(topic, partition, offset) for partition in range(count)]
    instants = [TopicPartition(topic, partition, max(since_ms, 0)) for partition in range(count)]
    doing = f"looking up {topic} by time"
    starts = ask(access, doing, lambda: checked(consumer.offsets_for_times(instants, timeout=ANSWER_S)))
    # No record is that recent: start at the next one.
    return [
        TopicPartition(topic, position.partition, position.offset if position.offset >= 0 else OFFSET_END)
        for position in starts
    ]


def _records(
    access: KafkaAccess,
    consumer: Consumer,
    topic: str,
    count: int,
    until_end: bool,
    idle_s: float | None,
    stop: Callable[[], bool] | None,
) -> Iterator[Record | None]:
    ended: set[int] = set()
    caught_up = False
    last_record = last_answer = time.monotonic()
    while not (stop is not None and stop()):
        for message in consumer.consume(_BATCH, timeout=_POLL_S):
            error = message.error()
            last_answer = time.monotonic()
            if error is None:
                last_record = last_answer
                yield _record(topic, message)
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(cast(int, message.partition()))
            elif not error.retriable() and error.code() not in _RETRIED_BY_CLIENT:
                raise failure(access, f"reading {topic}", error)
        if len(ended) == count:
            if not caught_up:
                caught_up = True
                yield None
            if until_end:
                return
        if idle_s is not None and time.monotonic() - last_record >= idle_s:
            return
        if until_end and time.monotonic() - last_answer >= UNREACHABLE_S:
            raise _silence(topic)


def _record(topic: str, message: Message) -> Record:
    return Record(
        topic,
        cast(int, message.partition()),  # None only in messages not yet sent
        cast(int, message.offset()),
        message.timestamp()[1],
        message.key(),
        message.value(),
    )


def _silence(topic: str) -> EugenieError:
    return EugenieError(
        f"reading {topic}: no answer from the brokers for {UNREACHABLE_S:.0f} s",
        "`eugenie status` shows the engines",
        ExitCode.UNREACHABLE,
    )


# librdkafka retries these by itself.
_RETRIED_BY_CLIENT = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT})
