"""Open transactions, which hide all later records of a partition from readers of committed records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from eugenie_cli.broker.client import ANSWER_S, ask, client_settings
from eugenie_cli.broker.topics import partitions
from eugenie_cli.site.kafka import KafkaAccess


@dataclass(frozen=True)
class OpenTransaction:
    """The oldest open transaction of a partition."""

    topic: str
    partition: int
    first: int
    """The offset of its first record, which is the partition's last stable offset."""
    hidden: int
    """The number of records, and markers of transactions, from there to the end."""
    since_ms: int
    """When its first record was written, ms since 1970 UTC."""


def oldest(access: KafkaAccess, topics: Iterable[str]) -> list[OpenTransaction]:
    """The oldest open transaction of each partition that has one. Raises EugenieError when brokers do not answer."""
    where = [TopicPartition(topic, number) for topic in topics for number in range(partitions(access, topic))]
    ends = _ends(access, where, IsolationLevel.READ_UNCOMMITTED)  # first: a transaction may end in between
    stable = _ends(access, where, IsolationLevel.READ_COMMITTED)
    behind = {place: (first, ends[place] - first) for place, first in stable.items() if first < ends[place]}
    return [
        OpenTransaction(*place, *behind[place], since_ms)
        for place, since_ms in _timestamps(access, {place: first for place, (first, _) in behind.items()})
    ]


def stable_ends(access: KafkaAccess, topic: str) -> dict[int, int]:
    """Partition -> the offset after its last committed record. Raises EugenieError when brokers do not answer."""
    where = [TopicPartition(topic, number) for number in range(partitions(access, topic))]
    return {number: end for (_, number), end in _ends(access, where, IsolationLevel.READ_COMMITTED).items()}


def hidden(access: KafkaAccess, topic: str) -> int:
    """The number of a topic's records, and markers, that readers of committed records cannot see yet.

    Raises EugenieError when brokers do not answer.
    """
    where = [TopicPartition(topic, number) for number in range(partitions(access, topic))]
    ends = _ends(access, where, IsolationLevel.READ_UNCOMMITTED)
    stable = _ends(access, where, IsolationLevel.READ_COMMITTED)
    return sum(max(ends[place] - first, 0) for place, first in stable.items())


def _ends(access: KafkaAccess, where: list[TopicPartition], level: IsolationLevel) -> dict[tuple[str, int], int]:
    admin = AdminClient(client_settings(access))  # keep a reference: once collected, the client never answers

    def query() -> dict[tuple[str, int], int]:
        asked = dict.fromkeys(where, OffsetSpec.latest())
        answers = admin.list_offsets(asked, isolation_level=level, request_timeout=ANSWER_S)
        return {
            (str(place.topic), place.partition): future.result(timeout=2 * ANSWER_S).offset
            for place, future in answers.items()
        }

    return ask(access, "reading the last stable offsets", query)


def _timestamps(access: KafkaAccess, offsets: Mapping[tuple[str, int], int]) -> Iterator[tuple[tuple[str, int], int]]:
    """The timestamps (ms) of records at offsets, whether committed or not; omits those that no longer exist.

    Those of topics with the producers' timestamps (CreateTime) are omitted, too.
    """
    settings = client_settings(
        access,
        group_id="eugenie-transactions",
        enable_auto_commit=False,
        isolation_level="read_uncommitted",
        auto_offset_reset="error",
    )
    with closing(Consumer(settings)) as consumer:
        for (topic, number), offset in offsets.items():
            consumer.assign([TopicPartition(topic, number, offset)])
            record = consumer.poll(ANSWER_S)
            if record is None or record.error() is not None:
                continue
            if record.timestamp()[0] == TIMESTAMP_LOG_APPEND_TIME:  # a producer's own says nothing about the age
                yield (topic, number), record.timestamp()[1]
