"""Where a topic begins and ends now, which topic of its name it is, and how far a group has read it."""

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
from eugenie_cli.broker.client import ANSWER_S, ask, client_settings, sound
from eugenie_cli.broker.topics import partitions
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.interfaces import HasKafka

ZERO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""What brokers say that know no ids of topics: older than Kafka 2.8."""


@dataclass(frozen=True)
class TopicState:
    """A topic as its brokers have it. By partition: the first offset that is kept, and the one after the last."""

    name: str
    identity: str | None
    """Kafka's own id: another one when a topic is made anew under its name. None: the brokers do not tell."""
    begin: dict[int, int]
    end: dict[int, int]


def look(site: HasKafka, topic: str) -> TopicState:
    """Ask the brokers. Raises EugenieError: they do not answer, or have no such topic."""
    begin, end = ({one: mark[side] for one, mark in marks(site, topic).items()} for side in (0, 1))
    return TopicState(topic, identity(site, topic), begin, end)


def marks(site: HasKafka, topic: str) -> dict[int, tuple[int, int]]:
    """Partition -> the first offset that is kept, and the one after the last. Raises EugenieError."""
    numbers = range(partitions(site, topic))
    with closing(_consumer(site, "eugenie-positions")) as consumer:

        def of(number: int) -> tuple[int, int]:
            found: tuple[int, int] = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_S)
            return found

        doing = f"asking where {topic} begins and ends"
        return {number: ask(site, doing, partial(of, number)) for number in numbers}


def identity(site: HasKafka, topic: str) -> str | None:
    """The id of a topic; None where the brokers do not tell it, or not to this user."""
    admin = AdminClient(client_settings(site))  # named: collected before its answer comes, it would never come

    def told_by_brokers() -> str:
        found = admin.describe_topics(TopicCollection([topic]), request_timeout=ANSWER_S)
        return str(found[topic].result(timeout=2 * ANSWER_S).topic_id)

    try:
        told = ask(site, f"asking for the id of {topic}", told_by_brokers)
    except (EugenieError, futures.TimeoutError):  # which is the built-in one from Python 3.11 on
        return None
    return None if told == ZERO_ID else told


def committed(site: HasKafka, group: str, topic: str) -> dict[int, int]:
    """Partition -> the offset that a group has committed; left out where it has none. Raises EugenieError."""
    places = [TopicPartition(topic, number) for number in range(partitions(site, topic))]
    with closing(_consumer(site, group)) as consumer:
        doing = f"asking how far {topic} was read"
        found = ask(site, doing, lambda: sound(consumer.committed(places, timeout=ANSWER_S)))
    return {place.partition: place.offset for place in found if place.offset >= 0}


def commit(site: HasKafka, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Set what a group has committed: where it begins next. Raises EugenieError."""
    if not offsets:
        return
    places = [TopicPartition(topic, number, offset) for number, offset in offsets.items()]
    with closing(_consumer(site, group)) as consumer:
        doing = f"committing offsets of {topic}"
        ask(site, doing, lambda: sound(consumer.commit(offsets=places, asynchronous=False)))


def at_instant(site: HasKafka, topic: TopicState, instant_ms: int) -> dict[int, int]:
    """Partition -> the first record that arrived at or after an instant (ms); the end where none has."""
    places = [TopicPartition(topic.name, number, instant_ms) for number in topic.end]
    with closing(_consumer(site, "eugenie-positions")) as consumer:
        doing = f"looking up {topic.name} by time"
        found = ask(site, doing, lambda: sound(consumer.offsets_for_times(places, timeout=ANSWER_S)))
    return {one.partition: one.offset if one.offset >= 0 else topic.end[one.partition] for one in found}


def last_records(site: HasKafka, topic: str, most: int) -> Iterator[dict[str, Any]]:
    """The last committed JSON records of a topic, up to `most` offsets of each partition. Raises EugenieError."""
    begin = {number: max(first, end - most) for number, (first, end) in marks(site, topic).items()}
    for one in consume.stream(site, topic, begin=begin, until_end=True):
        if one is not None and one.value is not None:
            yield json.loads(one.value)


def _consumer(site: HasKafka, group: str) -> Consumer:
    return Consumer(client_settings(site, group_id=group, enable_auto_commit=False))
