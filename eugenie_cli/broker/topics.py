"""The four topics of a site.

Readings, scores and dead letters are events, which the brokers delete when their retention ends. Anomalies are kept for
years: open ones must never be deleted, and closed ones are the plant's history.
"""

from __future__ import annotations

from collections.abc import Collection

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic, TopicMetadata

from eugenie_cli.broker import topic_settings
from eugenie_cli.broker.client import ANSWER_S, EMBEDDED, ask, client_settings, failure, topic_exists
from eugenie_cli.polling import wait_until
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.kafka import KafkaAccess

# -1: the cluster's default. The embedded cluster has one broker.
_CLUSTER_DEFAULT, _ONE = -1, 1
_POLL_S = 0.1
# The broker sets timestamps on arrival: otherwise retention would delete a replay of last year's readings at once.
_EVENTS = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}
KEEP_ALL = {"retention.ms": "-1", "retention.bytes": "-1"}
"""Settings of a topic that keeps all records."""
EVERY_RECORD_MS = 7 * 24 * 3_600_000
"""All records of an anomaly are kept for a week, then only the last: `tail --since 2d` still shows its course."""
_ANOMALIES = {
    "cleanup.policy": "compact",  # each anomaly has its own key
    "message.timestamp.type": "LogAppendTime",
    "min.compaction.lag.ms": str(EVERY_RECORD_MS),
    **KEEP_ALL,
}


def names(access: KafkaAccess) -> tuple[str, ...]:
    """Readings, anomalies, scores and dead letters, in that order."""
    topics = access.topics
    return tuple(str(name) for name in (topics.readings, topics.anomalies, topics.scores, topics.dead_letters))


def ensure(access: KafkaAccess, progress: Progress = SILENT) -> tuple[str, ...]:
    """Create missing topics, each with `kafka.partitions`. Returns their names. Idempotent.

    Existing topics are left unchanged, as they may belong to the plant; except by `keep_anomalies`, which this calls.
    Raises EugenieError when the brokers are unreachable or refuse access.
    """
    admin = AdminClient(client_settings(access))
    existing = _listed(access, admin)
    replication = _ONE if access.kafka.bootstrap == EMBEDDED else _CLUSTER_DEFAULT
    new_topics = [
        NewTopic(name, access.kafka.partitions, replication, config=_settings(access, name))
        for name in names(access)
        if name not in existing
    ]
    created = []
    if new_topics:
        futures = admin.create_topics(new_topics, operation_timeout=ANSWER_S, request_timeout=ANSWER_S)
        for name, future in futures.items():
            try:
                future.result(timeout=2 * ANSWER_S)
                created.append(name)
            except KafkaException as error:
                # Another client created it first, which is just as good.
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise failure(access, f"creating topic {name}", error) from None
    if created:
        _wait_until_known(access, admin, created)
        progress.say(f"created topics {', '.join(created)}")
    if str(access.topics.anomalies) in existing:
        keep_anomalies(access, progress)
    return tuple(created)


def _wait_until_known(access: KafkaAccess, admin: AdminClient, created: Collection[str]) -> None:
    """Brokers confirm a new topic before all of them know it, so a query right afterwards may not find it."""

    def all_known() -> bool:
        listed = _listed(access, admin)
        topics = [listed[name].partitions.values() for name in created if name in listed]
        return len(topics) == len(created) and all(
            of_topic and all(partition.leader >= 0 for partition in of_topic) for of_topic in topics
        )

    wait_until(all_known, ANSWER_S, _POLL_S)


def missing(access: KafkaAccess) -> tuple[str, ...]:
    """The site's topics that do not exist. Raises EugenieError when the brokers are unreachable."""
    existing = _listed(access, AdminClient(client_settings(access)))
    return tuple(name for name in names(access) if name not in existing)


def _listed(access: KafkaAccess, admin: AdminClient) -> dict[str, TopicMetadata]:
    return ask(access, "listing topics", lambda: admin.list_topics(timeout=ANSWER_S)).topics


def keep_anomalies(access: KafkaAccess, progress: Progress = SILENT) -> None:
    """Make an existing anomalies topic keep its records indefinitely, if it would delete them.

    Lifts the retention on the embedded broker; for external brokers, reports the problem and the command that fixes it.
    Never enables compaction: earlier releases used the asset as the key, so compaction would keep only the last record
    of each asset. Raises EugenieError when the brokers are unreachable.
    """
    lost = forgotten(access)
    if not lost:
        return
    topic = str(access.topics.anomalies)
    if access.kafka.bootstrap != EMBEDDED:
        progress.say(f"{topic} deletes anomalies, even open ones: {lost}\nnext: {keep_command(access)}")
        return
    topic_settings.change(access, topic, KEEP_ALL)
    progress.say(f"{topic} now keeps anomalies indefinitely (before: {lost})")


def forgotten(access: KafkaAccess) -> str:
    """The settings by which the anomalies topic deletes records, such as `retention.ms=604800000`; empty if none.

    Also empty when the topic does not exist or this user may not read its settings: then they are unknown.
    Raises EugenieError when the brokers are unreachable.
    """
    values = topic_settings.describe(access, ("anomalies",)).get("anomalies", {})
    if "delete" not in values.get("cleanup.policy", ""):
        return ""
    return ", ".join(f"{name}={values[name]}" for name in KEEP_ALL if values.get(name, "-1") != "-1")


def keep_command(access: KafkaAccess) -> str:
    """The Kafka command that makes an external anomalies topic keep its records indefinitely."""
    return topic_settings.command(access, str(access.topics.anomalies), KEEP_ALL)


def _settings(access: KafkaAccess, name: str) -> dict[str, str]:
    if name == str(access.topics.anomalies):
        return _ANOMALIES
    if name == str(access.topics.readings) and not topic_settings.stamps_on_arrival(access):
        return {**_EVENTS, "message.timestamp.type": "CreateTime"}
    return _EVENTS


def partitions(access: KafkaAccess, topic: str) -> int:
    """The number of partitions of a topic. Raises EugenieError when it does not exist."""
    admin = AdminClient(client_settings(access))

    def count_partitions() -> int:
        metadata = admin.list_topics(topic, timeout=ANSWER_S).topics.get(topic)
        return len(metadata.partitions) if metadata is not None and topic_exists(metadata) else 0

    count = ask(access, f"looking up topic {topic}", count_partitions)
    if not count:
        raise failure(access, f"topic {topic}", KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    return count
