"""The four topics of a site.

Readings, scores and dead letters are events, which the brokers forget when their retention ends. Anomalies are kept for
years: what is open must never be forgotten, and what was closed is a plant's memory.
"""

from __future__ import annotations

from collections.abc import Collection

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
    TopicMetadata,
)

from eugenie_cli.broker.client import ANSWER_S, EMBEDDED, ask, client_settings, failure, is_there
from eugenie_cli.polling import wait_until
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.interfaces import HasKafka

# -1: the cluster's own default. The embedded cluster is one broker.
_CLUSTER_DEFAULT, _ONE = -1, 1
_POLL_S = 0.1
# Records are stamped on arrival: a replay of last year's readings must not be older than the topic's retention when it
# arrives.
_EVENTS = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}
FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1"}
"""Settings of a topic that forgets nothing."""
EVERY_RECORD_MS = 7 * 24 * 3_600_000
"""Of an anomaly's records all are kept for a week, then the last: `tail --since 2d` still shows how it went."""
_ANOMALIES = {
    "cleanup.policy": "compact",  # an anomaly has a key of its own
    "message.timestamp.type": "LogAppendTime",
    "min.compaction.lag.ms": str(EVERY_RECORD_MS),
    **FOR_EVER,
}


def names(site: HasKafka) -> tuple[str, ...]:
    """Readings, anomalies, scores and dead letters, in that order."""
    topics = site.topics
    return tuple(str(name) for name in (topics.readings, topics.anomalies, topics.scores, topics.dead_letters))


def ensure(site: HasKafka, progress: Progress = SILENT) -> tuple[str, ...]:
    """Create the topics that are missing, each with `kafka.partitions`; returns their names. Idempotent.

    A topic that exists is left as it is: it may be the plant's. But see `keep_anomalies`, which this calls.
    Raises EugenieError when the brokers are unreachable or refuse.
    """
    admin = AdminClient(client_settings(site))
    existing = _listed(site, admin)
    replication = _ONE if site.kafka.bootstrap == EMBEDDED else _CLUSTER_DEFAULT
    lacking = [
        NewTopic(name, site.kafka.partitions, replication, config=_settings(site, name))
        for name in names(site)
        if name not in existing
    ]
    created = []
    if lacking:
        made = admin.create_topics(lacking, operation_timeout=ANSWER_S, request_timeout=ANSWER_S)
        for name, future in made.items():
            try:
                future.result(timeout=2 * ANSWER_S)
                created.append(name)
            except KafkaException as error:
                # Somebody was faster: the topic is there, which is all that was asked.
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise failure(site, f"creating topic {name}", error) from None
    if created:
        _wait_until_known(site, admin, created)
        progress.say(f"created topics {', '.join(created)}")
    if str(site.topics.anomalies) in existing:
        keep_anomalies(site, progress)
    return tuple(created)


def _wait_until_known(site: HasKafka, admin: AdminClient, created: Collection[str]) -> None:
    """Brokers say that a topic is made before they all know it: for a moment the next question finds none."""

    def all_known() -> bool:
        found = _listed(site, admin)
        parts = [found[name].partitions.values() for name in created if name in found]
        return len(parts) == len(created) and all(some and all(one.leader >= 0 for one in some) for some in parts)

    wait_until(all_known, ANSWER_S, _POLL_S)


def missing(site: HasKafka) -> tuple[str, ...]:
    """The topics of the site that the brokers do not have. Raises EugenieError when they are unreachable."""
    existing = _listed(site, AdminClient(client_settings(site)))
    return tuple(name for name in names(site) if name not in existing)


def _listed(site: HasKafka, admin: AdminClient) -> dict[str, TopicMetadata]:
    return ask(site, "listing topics", lambda: admin.list_topics(timeout=ANSWER_S)).topics


def keep_anomalies(site: HasKafka, progress: Progress = SILENT) -> None:
    """Keep the records of an anomalies topic that exists, and would forget them, for ever.

    In the embedded broker its retention is lifted; of an external one it is said, with the command that does it.
    Compaction is never turned on: earlier releases wrote the asset as the key, and compaction would leave each asset
    its last record. Raises EugenieError when the brokers are unreachable.
    """
    lost = forgotten(site)
    if not lost:
        return
    topic = str(site.topics.anomalies)
    if site.kafka.bootstrap != EMBEDDED:
        progress.say(f"{topic} forgets anomalies, open ones too: {lost}\nnext: {keep_command(site)}")
        return
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in FOR_EVER.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient(client_settings(site))  # named: collected before its answer comes, it would never come
    try:
        for future in admin.incremental_alter_configs([resource], request_timeout=ANSWER_S).values():
            future.result(timeout=2 * ANSWER_S)
    except KafkaException as error:
        raise failure(site, f"keeping the records of {topic}", error) from None
    progress.say(f"{topic} keeps anomalies for ever now ({lost} before)")


def forgotten(site: HasKafka) -> str:
    """What makes the anomalies topic forget, such as `retention.ms=604800000`; empty: nothing does.

    Empty also where there is no such topic, or where its settings are not to be read by this user: nothing is known
    then. Raises EugenieError when the brokers are unreachable.
    """
    topic = str(site.topics.anomalies)
    admin = AdminClient(client_settings(site))
    try:
        resource = ConfigResource(ResourceType.TOPIC, topic)
        (future,) = admin.describe_configs([resource], request_timeout=ANSWER_S).values()
        found = future.result(timeout=2 * ANSWER_S)
    except KafkaException as error:
        if error.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, *_NOT_TO_BE_READ):
            return ""
        raise failure(site, f"asking for the settings of {topic}", error) from None
    set_to = {name: str(entry.value) for name, entry in found.items()}
    if "delete" not in set_to.get("cleanup.policy", ""):
        return ""
    return ", ".join(f"{name}={set_to[name]}" for name in FOR_EVER if set_to.get(name, "-1") != "-1")


def keep_command(site: HasKafka) -> str:
    """The command of Kafka's own that keeps an external anomalies topic's records for ever."""
    settings = ",".join(f"{name}={value}" for name, value in FOR_EVER.items())
    return (
        f"kafka-configs.sh --bootstrap-server {site.kafka.bootstrap} --alter --entity-type topics"
        f" --entity-name {site.topics.anomalies} --add-config {settings}"
    )


_NOT_TO_BE_READ = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)


def _settings(site: HasKafka, name: str) -> dict[str, str]:
    return _ANOMALIES if name == str(site.topics.anomalies) else _EVENTS


def partitions(site: HasKafka, topic: str) -> int:
    """How many partitions a topic has. Raises EugenieError when it does not exist."""
    admin = AdminClient(client_settings(site))

    def counted() -> int:
        found = admin.list_topics(topic, timeout=ANSWER_S).topics.get(topic)
        return len(found.partitions) if found is not None and is_there(found) else 0

    count = ask(site, f"asking for topic {topic}", counted)
    if not count:
        raise failure(site, f"topic {topic}", KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    return count
