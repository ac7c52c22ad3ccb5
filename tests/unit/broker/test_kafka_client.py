"""Settings of Kafka clients, queries, and error messages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from pydantic import ValidationError

from eugenie_cli.broker import client, consume, positions, topics
from eugenie_cli.broker.client import bootstrap, client_settings, failure
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.schema import Site


def site(**kafka) -> Site:
    return Site.model_validate(
        {
            "site": "plant",
            "classes": {"pump": {"sensors": [{"name": "pressure"}]}},
            "assets": {"p-1": {"class": "pump"}},
            "kafka": {"bootstrap": "broker:9092", **kafka},
        }
    )


SECURE = {
    "protocol": "SASL_SSL",
    "mechanism": "SCRAM-SHA-512",
    "username": "me",
    "password": "${env:EUGENIE_TEST_KAFKA}",
    "ca": "ca.pem",
}


def test_a_plain_broker_needs_only_its_address():
    assert bootstrap(site()) == {"bootstrap.servers": "broker:9092"}


def test_security_settings_are_passed_on_with_the_secret_resolved(monkeypatch, tmp_path):
    monkeypatch.setenv("EUGENIE_TEST_KAFKA", "hunter2")
    secured = site(security=SECURE).model_copy(update={"base": tmp_path})
    assert bootstrap(secured) == {
        "bootstrap.servers": "broker:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": "hunter2",
        "ssl.ca.location": str(tmp_path / "ca.pem"),
    }


def test_a_missing_secret_is_an_error_before_any_connection(monkeypatch):
    monkeypatch.delenv("EUGENIE_TEST_KAFKA", raising=False)
    with pytest.raises(EugenieError, match="EUGENIE_TEST_KAFKA is not set"):
        bootstrap(site(security=SECURE))


def test_librdkafka_knows_every_setting(monkeypatch):
    monkeypatch.setenv("EUGENIE_TEST_KAFKA", "hunter2")
    Producer(client_settings(site(security={**SECURE, "ca": None}), linger_ms=5, compression_type="lz4"))


def test_an_embedded_broker_that_is_not_running_is_unreachable(tmp_path):
    embedded = site(bootstrap="embedded").model_copy(update={"base": tmp_path})
    with pytest.raises(EugenieError, match="is not running") as caught:
        bootstrap(embedded)
    assert caught.value.exit_code == ExitCode.UNREACHABLE


@pytest.mark.parametrize(
    ("code", "exit_code", "words"),
    [
        (KafkaError._ALL_BROKERS_DOWN, ExitCode.UNREACHABLE, "cannot be reached"),
        (KafkaError._AUTHENTICATION, ExitCode.UNREACHABLE, "refused"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ExitCode.UNREACHABLE, "refused"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, ExitCode.UNREACHABLE, "has no such topic"),
        (KafkaError.MSG_SIZE_TOO_LARGE, ExitCode.FAILED, "sending: Broker: Message size too large"),
    ],
)
def test_failures_name_the_action_the_brokers_and_the_next_step(code, exit_code, words):
    error = failure(site(), "sending", KafkaError(code))
    assert (error.exit_code, error.hint is not None) == (exit_code, True)
    assert words in error.reason


def test_the_topics_of_a_site_have_their_defaults_filled_in():
    given = site(topics={"readings": "scada.raw"})
    assert topics.names(given) == ("scada.raw", "plant.anomalies", "plant.scores", "plant.dead-letters")


@pytest.mark.slow
def test_brokers_that_do_not_answer_a_query_for_topic_settings_are_unreachable(monkeypatch):
    """librdkafka itself would wait a minute, longer than its callers."""
    monkeypatch.setattr(topics, "ANSWER_S", 1.0)
    with pytest.raises(EugenieError, match=r"reading the settings of plant\.anomalies") as caught:
        topics.forgotten(site(bootstrap="127.0.0.1:9"))
    assert caught.value.exit_code is ExitCode.UNREACHABLE


def test_a_read_without_an_end_is_a_mistake():
    with pytest.raises(ValueError, match="needs an end"):
        next(consume.read(site(), "t"))


def test_a_security_protocol_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError):
        site(security={"protocol": "TLS"})


MOVING = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
)


def answers(*codes: int):
    """A query that raises one error per code and then returns 7; and a list with an entry per call."""
    calls = []

    def query() -> int:
        calls.append(1)
        if len(calls) <= len(codes):
            raise KafkaException(KafkaError(codes[len(calls) - 1]))
        return 7

    return query, calls


@pytest.mark.parametrize("code", MOVING)
def test_a_query_is_repeated_while_leaders_or_coordinators_move(monkeypatch, code):
    monkeypatch.setattr(client, "_POLL_S", 0.0)
    query, calls = answers(code, code)
    assert client.ask(site(), "querying", query) == 7
    assert len(calls) == 3


@pytest.mark.parametrize("code", MOVING)
def test_a_query_is_not_repeated_indefinitely(monkeypatch, code):
    monkeypatch.setattr(client, "ANSWER_S", 0.0)
    query, calls = answers(*[code] * 5)
    with pytest.raises(EugenieError, match="querying: "):
        client.ask(site(), "querying", query)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._ALL_BROKERS_DOWN, KafkaError.UNKNOWN]
)
def test_permanent_errors_are_raised_at_once(code):
    query, calls = answers(code)
    with pytest.raises(EugenieError, match="querying: "):
        client.ask(site(), "querying", query)
    assert len(calls) == 1


def test_an_answer_with_an_error_for_a_partition_is_rejected():
    fine = TopicPartition("readings", 0)
    wrong = SimpleNamespace(error=KafkaError(KafkaError.NOT_COORDINATOR))  # only librdkafka can set it on a real object
    with pytest.raises(KafkaException, match="NOT_COORDINATOR"):
        client.checked([fine, wrong])
    assert client.checked([fine]) == [fine]
    assert client.checked(None) == []


class Consumer:
    """Two partitions; `ends`: the error with which each of them answers a read."""

    places: list[TopicPartition]
    ends = (KafkaError._PARTITION_EOF, KafkaError._PARTITION_EOF)

    def __init__(self, _settings: dict) -> None:
        pass

    def assign(self, places: list[TopicPartition]) -> None:
        type(self).places = places

    def consume(self, *_: object, **__: object) -> list[SimpleNamespace]:
        record = SimpleNamespace(
            error=lambda: None, partition=lambda: 1, offset=lambda: 999, timestamp=lambda: (0, 0), key=lambda: None,
            value=lambda: b'{"asset": "p-1"}',
        )  # fmt: skip
        ends = [
            SimpleNamespace(error=lambda code=code: KafkaError(code), partition=lambda number=number: number)
            for number, code in enumerate(self.ends)
        ]
        return [record, *ends]

    def close(self) -> None:
        pass


@pytest.fixture
def two_partitions(monkeypatch) -> type[Consumer]:
    monkeypatch.setattr(positions, "marks", lambda *_: {0: (0, 5), 1: (40, 1_000)})
    monkeypatch.setattr(consume, "Consumer", Consumer)
    return Consumer


def test_the_last_records_are_those_within_a_number_of_offsets_before_each_end(two_partitions):
    assert list(positions.last_records(site(), "t", 100)) == [{"asset": "p-1"}]
    assert [(place.partition, place.offset) for place in two_partitions.places] == [(0, 0), (1, 900)]


def test_unauthorized_records_are_not_the_end_of_a_partition(two_partitions, monkeypatch):
    """Otherwise a drained stream would seem to have made no rows, and the next job would make them again."""
    monkeypatch.setattr(Consumer, "ends", (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._PARTITION_EOF))
    with pytest.raises(EugenieError, match=r"reading t: .* refused"):
        list(positions.last_records(site(), "t", 100))


def describing(monkeypatch, *errors: KafkaError | None) -> list[int]:
    """Brokers with a topic of two partitions that answer the first queries with `errors`. Returns a list with an entry
    per query."""
    calls = []

    class Admin:
        def __init__(self, _settings: dict) -> None:
            pass

        def list_topics(self, topic: str, timeout: float) -> SimpleNamespace:
            error = errors[len(calls)] if len(calls) < len(errors) else None
            calls.append(1)
            metadata = SimpleNamespace(error=error, partitions={} if error is not None else {0: None, 1: None})
            return SimpleNamespace(topics={topic: metadata})

    monkeypatch.setattr(topics, "AdminClient", Admin)
    monkeypatch.setattr(client, "_POLL_S", 0.0)
    return calls


def test_a_topic_whose_leaders_are_being_elected_is_looked_up_again(monkeypatch):
    calls = describing(monkeypatch, KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
    assert (topics.partitions(site(), "t"), len(calls)) == (2, 2)


@pytest.mark.parametrize(
    ("code", "words"),
    [(KafkaError.UNKNOWN_TOPIC_OR_PART, "has no such topic"), (KafkaError.TOPIC_AUTHORIZATION_FAILED, "refused")],
)
def test_missing_and_unauthorized_topics_are_distinguished_at_once(monkeypatch, code, words):
    calls = describing(monkeypatch, KafkaError(code))
    with pytest.raises(EugenieError, match=words) as caught:
        topics.partitions(site(), "t")
    assert (caught.value.exit_code, len(calls)) == (ExitCode.UNREACHABLE, 1)
