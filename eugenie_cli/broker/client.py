"""How clients of a site reach its Kafka brokers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import TopicMetadata

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.interfaces import HasKafka
from eugenie_cli.site.secrets import reveal

EMBEDDED = "embedded"
# How long a broker may take to answer before it counts as unreachable.
ANSWER_S = 10.0

_POLL_S = 0.2
_T = TypeVar("_T")
_LOG = logging.getLogger("eugenie.kafka")
# librdkafka reports failed connections on its own log, once a try; we raise an error instead.
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False


def bootstrap(site: HasKafka) -> dict[str, Any]:
    """librdkafka settings that every client of the site starts from: brokers and security, secrets resolved.

    The result holds the password: pass it to a client, never print it.
    Raises EugenieError when the embedded broker is not running, or a secret is missing.
    """
    settings: dict[str, Any] = {"bootstrap.servers": addresses(site)}
    security = site.kafka.security
    if security.protocol != "PLAINTEXT":
        settings["security.protocol"] = security.protocol
    if security.mechanism is not None:
        settings["sasl.mechanism"] = security.mechanism
    if security.username is not None:
        settings["sasl.username"] = security.username
    if security.password is not None:
        settings["sasl.password"] = reveal(security.password)
    if security.ca is not None:
        settings["ssl.ca.location"] = str(site.resolve(security.ca))
    return settings


def addresses(site: HasKafka) -> str:
    """`host:port[,host:port...]` of the site's brokers.

    Raises EugenieError (exit code 4) when they are the embedded ones and not running.
    """
    if site.kafka.bootstrap != EMBEDDED:
        return site.kafka.bootstrap
    from eugenie_cli.engines import endpoints

    return endpoints.kafka(site)


def client_settings(site: HasKafka, **settings: Any) -> dict[str, Any]:
    """`bootstrap`, with a quiet log and more settings; underscores in names stand for dots."""
    more = {name.replace("_", "."): value for name, value in settings.items()}
    return {**bootstrap(site), "logger": _LOG, **more}


def ask(site: HasKafka, doing: str, question: Callable[[], _T]) -> _T:
    """The brokers' answer. While they move what was asked for, it is asked again; raises EugenieError, `failure`'s."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            return question()
        except KafkaException as error:
            if error.args[0].code() not in MOVING or time.monotonic() >= deadline:
                raise failure(site, doing, error) from None
        time.sleep(_POLL_S)


def sound(places: Sequence[TopicPartition] | None) -> list[TopicPartition]:
    """An answer by partition, of which each may hold an error of its own. Raises KafkaException, the first of them."""
    for place in places or ():
        if place.error is not None:
            raise KafkaException(place.error)
    return list(places or ())


def is_there(topic: TopicMetadata) -> bool:
    """Whether brokers have a topic, by what they say of it. Raises KafkaException when that is another error."""
    if topic.error is not None and topic.error.code() not in NO_TOPIC:
        raise KafkaException(topic.error)
    return topic.error is None and bool(topic.partitions)


def failure(site: HasKafka, doing: str, error: KafkaError | KafkaException) -> EugenieError:
    """A Kafka failure as an error of ours; exit code 4 when brokers are away, refuse or have no such topic, else 1."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    where = "the embedded broker" if site.kafka.bootstrap == EMBEDDED else site.kafka.bootstrap
    if cause.code() in _UNREACHABLE:
        hint = "`eugenie status` shows the engines; `eugenie up` starts them"
        if site.kafka.bootstrap != EMBEDDED:
            hint = "check kafka.bootstrap in the site file, the network, and that the brokers run"
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
"""What a broker, or the client itself, says for a moment after a topic or a group was made, or a broker restarted.

librdkafka asks again by itself where it reads or writes records, not where it is asked a question.
"""
