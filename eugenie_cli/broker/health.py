"""Checks whether the brokers answer."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from eugenie_cli.broker.client import addresses, client_settings
from eugenie_cli.engines.ports import answers
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.kafka import KafkaAccess

KAFKA_S = 5.0
"""Enough for brokers on another machine: name resolution, TLS and SASL come first."""


def why_no_kafka(access: KafkaAccess, timeout_s: float = KAFKA_S) -> str:
    """Why the site's brokers do not answer, in the words of their client; empty when they do."""
    try:
        if not any(answers(address.strip()) for address in addresses(access).split(",")):
            return "nothing listens there"  # checked first, because a client would only time out
        admin = AdminClient(client_settings(access, socket_timeout_ms=int(timeout_s * 1000)))
        return "" if admin.list_topics(timeout=timeout_s).brokers else "no broker is listed there"
    except EugenieError as error:  # the broker is not running, or a secret is missing
        return error.reason
    except KafkaException as error:
        return str(error.args[0].str())
