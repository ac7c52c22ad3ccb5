"""Judges the settings of a site's topics: what would lose readings or results, and the command that corrects it.

Topics on external brokers belong to the plant, so nothing is changed there; on the embedded broker it is corrected. A
topic that does not exist, or whose settings this user may not read, has no findings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from eugenie_cli.broker.client import ANSWER_S, EMBEDDED, NO_TOPIC, client_settings, failure
from eugenie_cli.episodes.records import DETAIL_LIMIT, PAYLOAD_LIMIT
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.polling import wait_until
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.readings.json_text import MAX_PAYLOAD
from eugenie_cli.readings.kafka_record import SHOWN
from eugenie_cli.readings.mapping import PARTS
from eugenie_cli.site.field_types import show_duration
from eugenie_cli.site.kafka import KafkaAccess

OUTAGE_MS = 3 * 24 * 3_600_000
"""A job that fails on a Friday evening is found on Monday morning: until then Kafka must keep the readings."""

RESULTS_MS = 24 * 3_600_000
"""Scores and dead letters are looked at within a day."""

WEEK_MS = 7 * 24 * 3_600_000
"""Kafka's own default of `retention.ms`, which the commands set."""

LARGEST_LETTER = 6 * (PAYLOAD_LIMIT + DETAIL_LIMIT + len(PARTS) * SHOWN) + 4_096
"""Bytes of a dead letter at most: a character takes up to six in JSON, and the other members little."""

LARGEST_RESULT = 65_536
"""Bytes of an anomaly or a score, with room to spare: long names, units and five sensors take a tenth of it."""

DEFAULT_MESSAGE = 1_048_588
"""Kafka's default of `max.message.bytes`."""

UNREADABLE = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)
"""Errors for a user who may not read a topic's settings."""

ROLES = ("readings", "anomalies", "scores", "dead_letters")
"""The site's topics, in the order of `topics.names`."""

_POLL_S = 0.1

Finding = tuple[str, Mapping[str, str]]
"""What is unfit, and the settings that correct it."""


@dataclass(frozen=True)
class Unfit:
    """The unfit settings of one topic, in words; `settings` correct them."""

    topic: str
    problems: tuple[str, ...]
    settings: Mapping[str, str]
    stops: bool = False
    """Whether the job fails because of them."""

    def __str__(self) -> str:
        return f"{self.topic}: {'; '.join(self.problems)}"


def unfit(access: KafkaAccess) -> dict[str, Unfit]:
    """`readings`, `anomalies`, `scores`, `dead_letters` -> its unfit settings, for topics that have some.

    Whether the anomalies topic deletes anomalies is checked by `topics.forgotten`. Raises EugenieError when the brokers
    are unreachable.
    """
    found = {}
    for role, values in describe(access).items():
        findings = list(_CHECKS[role](access, values))
        if findings:
            settings = {name: value for _, mending in findings for name, value in mending.items()}
            stops = role == "dead_letters" and "cleanup.policy" in settings
            found[role] = Unfit(_topic(access, role), tuple(problem for problem, _ in findings), settings, stops)
    return found


def review(access: KafkaAccess, progress: Progress = SILENT) -> None:
    """Report unfit settings, with the commands that correct them; on the embedded broker, correct them.

    Raises EugenieError for settings with which the job would fail (REFUSED), and when the brokers are unreachable.
    """
    for topic in unfit(access).values():
        if access.kafka.bootstrap == EMBEDDED:
            change(access, topic.topic, topic.settings)
            listed = ", ".join(f"{name}={value}" for name, value in topic.settings.items())
            progress.say(f"{topic}\nset: {listed}")
        elif topic.stops:
            raise EugenieError(str(topic), command(access, topic.topic, topic.settings), ExitCode.REFUSED)
        else:
            progress.say(f"{topic}\nnext: {command(access, topic.topic, topic.settings)}")


def command(access: KafkaAccess, topic: str, settings: Mapping[str, str]) -> str:
    """The Kafka command that changes settings of an external topic."""
    # a value that contains a comma, as `delete,compact`, would need brackets; none of ours does
    listed = ",".join(f"{name}={value}" for name, value in settings.items())
    return (
        f"kafka-configs.sh --bootstrap-server {access.kafka.bootstrap} --alter --entity-type topics"
        f" --entity-name {topic} --add-config {listed}"
    )


def change(access: KafkaAccess, topic: str, settings: Mapping[str, str]) -> None:
    """Change settings of a topic and wait until the brokers report them; the others stay. Raises EugenieError."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient(client_settings(access))  # keep a reference: once collected, the client never answers
    try:
        for future in admin.incremental_alter_configs([resource], request_timeout=ANSWER_S).values():
            future.result(timeout=2 * ANSWER_S)
    except KafkaException as error:
        raise failure(access, f"changing the settings of {topic}", error) from None

    def is_changed() -> bool:  # a broker applies what the controller has confirmed a moment later
        values = _in_force(access, [topic]).get(topic)
        return values is None or settings.items() <= values.items()

    wait_until(is_changed, ANSWER_S, _POLL_S)


def describe(access: KafkaAccess, roles: Sequence[str] = ROLES) -> dict[str, dict[str, str]]:
    """Role -> the settings in force, of those topics that exist and whose settings this user may read.

    Raises EugenieError when the brokers are unreachable.
    """
    by_topic = {_topic(access, role): role for role in roles}
    return {by_topic[topic]: values for topic, values in _in_force(access, list(by_topic)).items()}


def _in_force(access: KafkaAccess, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    admin = AdminClient(client_settings(access))
    described = {}
    try:
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        answers = admin.describe_configs(resources, request_timeout=ANSWER_S)
    except KafkaException as error:
        raise failure(access, "reading the settings of topics", error) from None
    for resource, future in answers.items():
        try:
            entries = future.result(timeout=2 * ANSWER_S)
        except KafkaException as error:
            if error.args[0].code() in (*NO_TOPIC, *UNREADABLE):
                continue
            raise failure(access, f"reading the settings of {resource.name}", error) from None
        described[resource.name] = {name: str(entry.value) for name, entry in entries.items()}
    return described


def stamps_on_arrival(access: KafkaAccess) -> bool:
    """Whether the brokers should set the timestamps of readings: unless they are the readings' own instants."""
    return access.kafka.readings.ts.record != "timestamp"


def _readings(access: KafkaAccess, values: Mapping[str, str]) -> Iterator[Finding]:
    if "compact" in values.get("cleanup.policy", ""):
        yield (
            "compaction removes readings of the same key before the job has read them",
            {"cleanup.policy": "delete"},
        )
    yield from _kept(values, OUTAGE_MS, "a job that is down for longer loses readings")
    stamp = values.get("message.timestamp.type")
    if stamp == "CreateTime" and stamps_on_arrival(access):
        yield (
            "its timestamps are the producers' (CreateTime): where their clocks are wrong, retention deletes readings"
            " too early or never, and --start-at finds the wrong ones",
            {"message.timestamp.type": "LogAppendTime"},
        )
    if stamp == "LogAppendTime" and not stamps_on_arrival(access):
        yield (
            "kafka.readings.ts is the record's timestamp, which the brokers replace with the time of arrival"
            " (LogAppendTime)",
            {"message.timestamp.type": "CreateTime"},
        )
    if _number(values, "max.message.bytes", 0) > DEFAULT_MESSAGE:
        yield (
            f"it accepts messages of {values['max.message.bytes']} bytes, but those of more than {MAX_PAYLOAD:,}"
            " characters become dead letters (too-large)",
            {"max.message.bytes": str(DEFAULT_MESSAGE)},
        )


def _anomalies(_access: KafkaAccess, values: Mapping[str, str]) -> Iterator[Finding]:
    yield from _accepted(values, LARGEST_RESULT)


def _scores(_access: KafkaAccess, values: Mapping[str, str]) -> Iterator[Finding]:
    if "compact" in values.get("cleanup.policy", ""):
        yield "compaction keeps only the last score of each asset", {"cleanup.policy": "delete"}
    yield from _kept(values, RESULTS_MS, "older scores are gone")
    yield from _accepted(values, LARGEST_RESULT)


def _dead_letters(_access: KafkaAccess, values: Mapping[str, str]) -> Iterator[Finding]:
    if "compact" in values.get("cleanup.policy", ""):
        yield (
            "a compacted topic refuses records without a key, as dead letters are: the job would fail at the first one",
            {"cleanup.policy": "delete"},
        )
    yield from _kept(values, RESULTS_MS, "what was refused before can no longer be seen")
    yield from _accepted(values, LARGEST_LETTER)


_CHECKS = {"readings": _readings, "anomalies": _anomalies, "scores": _scores, "dead_letters": _dead_letters}


def _kept(values: Mapping[str, str], at_least: int, otherwise: str) -> Iterator[Finding]:
    """A retention that is too short. `retention.bytes` cannot be judged without the rate of the plant."""
    kept = _number(values, "retention.ms", -1)
    # compaction alone keeps everything, but is to be replaced by deletion wherever retention matters
    if 0 <= kept < at_least:
        yield f"keeps records for {show_duration(kept)} only: {otherwise}", {"retention.ms": str(WEEK_MS)}


def _accepted(values: Mapping[str, str], at_least: int) -> Iterator[Finding]:
    most = _number(values, "max.message.bytes", DEFAULT_MESSAGE)
    if most < at_least:
        yield (
            f"accepts records of at most {most} bytes; the job fails when it writes a longer one, of up to {at_least}",
            {"max.message.bytes": str(DEFAULT_MESSAGE)},
        )


def _number(values: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(values.get(name, default))
    except ValueError:  # a broker that does not tell
        return default


def _topic(access: KafkaAccess, role: str) -> str:
    return str(getattr(access.topics, role))
