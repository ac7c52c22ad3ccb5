"""The four topics of a site."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from eugenie_cli.broker.client import ANSWER_S, EMBEDDED, client_settings, failure
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.model import Site

# -1: the cluster's own default. The embedded cluster is one broker.
_CLUSTER_DEFAULT, _ONE = -1, 1
# All four hold events, not the latest value of a key, so none is compacted. Records are stamped on arrival:
# a replay of last year's readings must not be older than the topic's retention when it arrives.
_SETTINGS = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}


def names(site: Site) -> tuple[str, ...]:
    """Readings, anomalies, scores and dead letters, in that order."""
    topics = site.topics
    return tuple(str(name) for name in (topics.readings, topics.anomalies, topics.scores, topics.dead_letters))


def ensure(site: Site, progress: Progress = SILENT) -> tuple[str, ...]:
    """Create the topics that are missing, each with `kafka.partitions`; returns their names. Idempotent.

    A topic that exists is left as it is, whatever its settings: it may be the plant's.
    Raises EugenieError when the brokers are unreachable or refuse.
    """
    admin = AdminClient(client_settings(site))
    try:
        existing = admin.list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        raise failure(site, "listing topics", error) from None
    replication = _ONE if site.kafka.bootstrap == EMBEDDED else _CLUSTER_DEFAULT
    missing = [
        NewTopic(name, num_partitions=site.kafka.partitions, replication_factor=replication, config=_SETTINGS)
        for name in names(site)
        if name not in existing
    ]
    created = []
    if missing:
        for name, future in admin.create_topics(missing, operation_timeout=ANSWER_S).items():
            try:
                future.result(timeout=2 * ANSWER_S)
                created.append(name)
            except KafkaException as error:
                # Somebody was faster: the topic is there, which is all that was asked.
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise failure(site, f"creating topic {name}", error) from None
    if created:
        progress.say(f"created topics {', '.join(created)}")
    return tuple(created)


def partitions(site: Site, topic: str) -> int:
    """How many partitions a topic has. Raises EugenieError when it does not exist."""
    try:
        found = AdminClient(client_settings(site)).list_topics(topic, timeout=ANSWER_S).topics.get(topic)
    except KafkaException as error:
        raise failure(site, f"asking for topic {topic}", error) from None
    if found is None or found.error is not None or not found.partitions:
        raise failure(site, f"topic {topic}", KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    return len(found.partitions)
