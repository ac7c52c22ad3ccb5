"""Whether the brokers answer."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from eugenie_cli.broker.client import addresses, client_settings
from eugenie_cli.engines.ports import answers
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.interfaces import HasKafka

KAFKA_S = 5.0
"""Brokers that are not on this machine: names, TLS and SASL come first."""


def why_no_kafka(site: HasKafka, timeout_s: float = KAFKA_S) -> str:
    """What keeps the site's brokers from answering, as their client says it; empty: they answer."""
    try:
        if not any(answers(each.strip()) for each in addresses(site).split(",")):
            return "nothing listens there"  # which a client would find out as late as one that hangs
        admin = AdminClient(client_settings(site, socket_timeout_ms=int(timeout_s * 1000)))
        return "" if admin.list_topics(timeout=timeout_s).brokers else "no broker is known there"
    except EugenieError as error:  # it does not run, a secret is missing
        return error.reason
    except KafkaException as error:
        return str(error.args[0].str())
