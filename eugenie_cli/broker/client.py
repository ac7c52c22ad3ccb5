"""Settings, queries and errors shared by the Kafka clients of a site."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import TopicMetadata

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.kafka import KafkaAccess
from eugenie_cli.site.secrets import reveal

EMBEDDED = "embedded"
# How long a broker may take to answer before it counts as unreachable.
ANSWER_S = 10.0

_POLL_S = 0.2
_T = TypeVar("_T")
_LOG = logging.getLogger("eugenie.kafka")
# librdkafka logs every failed connection attempt; we raise an error instead.
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False


def bootstrap(access: KafkaAccess) -> dict[str, Any]:
    """The librdkafka settings common to all clients of the site: brokers and security, secrets resolved.

    The result contains the password: pass it to a client, never print it.
    Raises EugenieError when the embedded broker is not running or a secret is missing.
    """
    settings: dict[str, Any] = {"bootstrap.servers": addresses(access)}
    security = access.kafka.security
    if security.protocol != "PLAINTEXT":
        settings["security.protocol"] = security.protocol
    if security.mechanism is not None:
        settings["sasl.mechanism"] = security.mechanism
    if security.username is not None:
        settings["sasl.username"] = security.username
    if security.password is not None:
        settings["sasl.password"] = reveal(security.password)
    if security.ca is not None:
        settings["ssl.ca.location"] = str(access.resolve(security.ca))
    return settings


def addresses(access: KafkaAccess) -> str:
    """`host:port[,host:port...]` of the site's brokers.

    Raises EugenieError (exit code 4) when the site uses the embedded broker and it is not running.
    """
    if access.kafka.bootstrap != EMBEDDED:
        return access.kafka.bootstrap
    from eugenie_cli.engines import endpoints

    return endpoints.kafka(access)


def client_settings(access: KafkaAccess, **settings: Any) -> dict[str, Any]:
    """`bootstrap` with logging disabled and further settings; underscores in their names stand for dots."""
    further = {name.replace("_", "."): value for name, value in settings.items()}
    return {**bootstrap(access), "logger": _LOG, **further}


def ask(access: KafkaAccess, doing: str, question: Callable[[], _T]) -> _T:
    """The brokers' answer to `question`, repeated while a leader or coordinator moves. Raises EugenieError."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            return question()
        except KafkaException as error:
            if error.args[0].code() not in MOVING or time.monotonic() >= deadline:
                raise failure(access, doing, error) from None
        time.sleep(_POLL_S)


def checked(partitions: Sequence[TopicPartition] | None) -> list[TopicPartition]:
    """The partitions of an answer, each of which may contain an error. Raises the first one as KafkaException."""
    for partition in partitions or ():
        if partition.error is not None:
            raise KafkaException(partition.error)
    return list(partitions or ())


def topic_exists(topic: TopicMetadata) -> bool:
    """Whether a topic exists, by its metadata. Raises KafkaException for any other error in it."""
    if topic.error is not None and topic.error.code() not in NO_TOPIC:
        raise KafkaException(topic.error)
    return topic.error is None and bool(topic.partitions)


def failure(access: KafkaAccess, doing: str, error: KafkaError | KafkaException) -> EugenieError:
    """A Kafka error as EugenieError: exit code 4 for unreachable or refusing brokers and missing topics, else 1."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    where = "the embedded broker" if access.kafka.bootstrap == EMBEDDED else access.kafka.bootstrap
    if cause.code() in _UNREACHABLE:
        hint = "`eugenie status` shows the engines; `eugenie up` starts them"
        if access.kafka.bootstrap != EMBEDDED:
            hint = "check kafka.bootstrap in the site file, the network, and that the brokers are running"
        return EugenieError(f"{doing}: {where} cannot be reached ({cause.str()})", hint, ExitCode.UNREACHABLE)
    if cause.code() in _REFUSED:
        hint = "check kafka.security in the site file and the user's rights"
        return EugenieError(f"{doing}: {where} refused ({cause.str()})", hint, ExitCode.UNREACHABLE)
    if cause.code() in NO_TOPIC:
        hint = "`eugenie stream submit` creates the site's topics; or correct kafka: in the site file"
        return EugenieError(f"{doing}: {where} has no such topic", hint, ExitCode.UNREACHABLE)
    return EugenieError(f"{doing}: {cause.str()}", "see the brokers' logs")


_UNREACHABLE = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._SSL,
        KafkaError.REQUEST_TIMED_OUT,
    }
)
_REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)
NO_TOPIC = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})
MOVING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)
"""Errors of brokers and client shortly after a topic or group was created, or a broker restarted.

librdkafka retries reads and writes of records by itself, but not queries.
"""
