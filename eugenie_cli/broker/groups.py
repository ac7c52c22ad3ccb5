"""The consumer groups of a broker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from eugenie_cli.broker.client import ANSWER_S, ask, client_settings
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.kafka import KafkaAccess


def names(access: KafkaAccess, selects: Callable[[str], bool]) -> list[str] | None:
    """Names of the consumer groups that `selects`, in order; None when the brokers do not list them."""
    admin = AdminClient(client_settings(access))  # keep a reference: once collected, the client never answers

    def query() -> list[str]:
        listed = admin.list_consumer_groups(request_timeout=ANSWER_S).result(timeout=2 * ANSWER_S)
        if listed.errors and not listed.valid:
            raise KafkaException(listed.errors[0])
        return sorted(group.group_id for group in listed.valid if selects(group.group_id))

    try:
        return ask(access, "listing consumer groups", query)
    except (EugenieError, futures.TimeoutError):
        return None
