"""A topic's first and last offsets, its id, and the offsets committed by a group."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from confluent_kafka import Consumer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from eugenie_cli.broker import consume
from eugenie_cli.broker.client import ANSWER_S, ask, checked, client_settings
from eugenie_cli.broker.topics import partitions
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.kafka import KafkaAccess

ZERO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""The answer of brokers without topic ids, which are older than Kafka 2.8."""


@dataclass(frozen=True)
class TopicState:
    """A topic's state. By partition: `begin` is the first offset kept, `end` the one after the last."""

    name: str
    identity: str | None
    """Kafka's topic id, which changes when a topic is recreated under its name. None: the brokers do not report it."""
    begin: dict[int, int]
    end: dict[int, int]


def look(access: KafkaAccess, topic: str) -> TopicState:
    """The state of a topic now. Raises EugenieError when the brokers do not answer or lack the topic."""
    begin, end = ({number: mark[side] for number, mark in marks(access, topic).items()} for side in (0, 1))
    return TopicState(topic, identity(access, topic), begin, end)


def marks(access: KafkaAccess, topic: str) -> dict[int, tuple[int, int]]:
    """Partition -> the first offset kept and the one after the last. Raises EugenieError."""
    numbers = range(partitions(access, topic))
    with closing(_consumer(access, "eugenie-positions")) as consumer:

        def of(number: int) -> tuple[int, int]:
            offsets: tuple[int, int] = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_S)
            return offsets

        doing = f"reading the first and last offsets of {topic}"
        return {number: ask(access, doing, partial(of, number)) for number in numbers}


def identity(access: KafkaAccess, topic: str) -> str | None:
    """The id of a topic; None when the brokers do not report it, or not to this user."""
    admin = AdminClient(client_settings(access))  # keep a reference: once collected, the client never answers

    def query() -> str:
        descriptions = admin.describe_topics(TopicCollection([topic]), request_timeout=ANSWER_S)
        return str(descriptions[topic].result(timeout=2 * ANSWER_S).topic_id)

    try:
        topic_id = ask(access, f"reading the id of {topic}", query)
    except (EugenieError, futures.TimeoutError):  # the built-in TimeoutError since Python 3.11
        return None
    return None if topic_id == ZERO_ID else topic_id


def committed(access: KafkaAccess, group: str, topic: str) -> dict[int, int]:
    """Partition -> the offset committed by a group; omits partitions without one. Raises EugenieError."""
    topic_partitions = [TopicPartition(topic, number) for number in range(partitions(access, topic))]
    with closing(_consumer(access, group)) as consumer:
        doing = f"reading the committed offsets of {topic}"
        positions = ask(access, doing, lambda: checked(consumer.committed(topic_partitions, timeout=ANSWER_S)))
    return {position.partition: position.offset for position in positions if position.offset >= 0}


def commit(access: KafkaAccess, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Set the committed offsets of a group, from which it reads next. Raises EugenieError."""
    if not offsets:
        return
    topic_partitions = [TopicPartition(topic, number, offset) for number, offset in offsets.items()]
    with closing(_consumer(access, group)) as consumer:
        doing = f"committing offsets of {topic}"
        ask(access, doing, lambda: checked(consumer.commit(offsets=topic_partitions, asynchronous=False)))


def at_instant(access: KafkaAccess, topic: TopicState, instant_ms: int) -> dict[int, int]:
    """Partition -> the offset of the first record that arrived at or after an instant (ms); the end if none did."""
    topic_partitions = [TopicPartition(topic.name, number, instant_ms) for number in topic.end]
    with closing(_consumer(access, "eugenie-positions")) as consumer:
        doing = f"looking up {topic.name} by time"
        positions = ask(access, doing, lambda: checked(consumer.offsets_for_times(topic_partitions, timeout=ANSWER_S)))
    return {
        position.partition: position.offset if position.offset >= 0 else topic.end[position.partition]
        for position in positions
    }


def last_records(access: KafkaAccess, topic: str, limit: int) -> Iterator[dict[str, Any]]:
    """The committed JSON records within `limit` offsets of the end of each partition. Raises EugenieError."""
    begin = {number: max(first, end - limit) for number, (first, end) in marks(access, topic).items()}
    for record in consume.stream(access, topic, begin=begin, until_end=True):
        if record is not None and record.value is not None:
            yield json.loads(record.value)


def _consumer(access: KafkaAccess, group: str) -> Consumer:
    return Consumer(client_settings(access, group_id=group, enable_auto_commit=False))
