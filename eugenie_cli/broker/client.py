"""How clients of a site reach its Kafka brokers."""

from __future__ import annotations

import logging
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.model import Site
from eugenie_cli.site.secrets import reveal

EMBEDDED = "embedded"
# How long a broker may take to answer before it counts as unreachable.
ANSWER_S = 10.0

_LOG = logging.getLogger("eugenie.kafka")
# librdkafka reports failed connections on its own log, once a try; we raise an error instead.
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False


def bootstrap(site: Site) -> dict[str, Any]:
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


def addresses(site: Site) -> str:
    """`host:port[,host:port...]` of the site's brokers.

    Raises EugenieError (exit code 4) when they are the embedded ones and not running.
    """
    if site.kafka.bootstrap != EMBEDDED:
        return site.kafka.bootstrap
    from eugenie_cli.embedded import endpoints

    return endpoints.kafka(site)


def client_settings(site: Site, **settings: Any) -> dict[str, Any]:
    """`bootstrap`, with a quiet log and more settings; underscores in names stand for dots."""
    more = {name.replace("_", "."): value for name, value in settings.items()}
    return {**bootstrap(site), "logger": _LOG, **more}


def failure(site: Site, doing: str, error: KafkaError | KafkaException) -> EugenieError:
    """A Kafka failure as an error of ours: unreachable brokers get exit code 4, the rest 1."""
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
    if cause.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
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
