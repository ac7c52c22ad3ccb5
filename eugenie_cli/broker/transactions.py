"""How long the brokers let a transaction stay open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from eugenie_cli.broker.client import ANSWER_S, ask, client_settings, failure
from eugenie_cli.site.kafka import KafkaAccess

BROKER_DEFAULT_MS = 900_000
"""Kafka's default of the setting below: assumed for brokers that do not show theirs."""
DAY_MS = 24 * 3_600_000
"""The most that a job requests. What it prepared before an outage overnight is then committed in the morning. But as
long as a transaction is open, nobody reads what was committed after it: so a job that never returns must end it, too.
"""
_NOT_SHOWN = (
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError._UNSUPPORTED_FEATURE,
    KafkaError.INVALID_REQUEST,  # brokers of a cloud service that have no settings of their own
)
_SETTING = "transaction.max.timeout.ms"


def longest_ms(access: KafkaAccess) -> int:
    """The longest timeout that all brokers accept for a transaction, up to a day; Kafka's default if it is not shown.

    Showing it takes the right to describe the cluster's configuration. Raises EugenieError when the brokers are
    unreachable.
    """
    admin = AdminClient(client_settings(access))
    brokers = ask(access, "listing brokers", lambda: admin.list_topics(timeout=ANSWER_S)).brokers
    answers = settings_of(admin, brokers)
    try:
        shown = [answer.result(timeout=2 * ANSWER_S).get(_SETTING) for answer in answers]
    except KafkaException as error:
        if error.args[0].code() in _NOT_SHOWN:
            return BROKER_DEFAULT_MS
        raise failure(access, "reading the settings of the brokers", error) from None
    return accepted_ms([None if entry is None else entry.value for entry in shown])


def settings_of(admin: AdminClient, brokers: Iterable[int], within_s: float = ANSWER_S) -> list[Future]:
    """The settings of each broker, requested at once. A request may name one broker only."""
    resources = [ConfigResource(ResourceType.BROKER, str(number)) for number in brokers]
    return [admin.describe_configs([one], request_timeout=within_s)[one] for one in resources]


def accepted_ms(shown: Sequence[str | None]) -> int:
    """What every broker accepts, by their settings (ms as text; None where a broker shows none), up to a day."""
    return min([DAY_MS, *(BROKER_DEFAULT_MS if text is None else int(text) for text in shown)])
