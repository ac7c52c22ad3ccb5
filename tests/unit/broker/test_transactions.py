import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from eugenie_cli.broker.transactions import BROKER_DEFAULT_MS, DAY_MS, accepted_ms, settings_of


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param(["900000"], BROKER_DEFAULT_MS, id="Kafka's default"),
        pytest.param([str(DAY_MS), str(DAY_MS)], DAY_MS, id="a day"),
        pytest.param(["604800000"], DAY_MS, id="a week: a dead job would block readers for as long"),
        pytest.param([str(DAY_MS), "300000"], 300_000, id="one broker with less, which would refuse the producer"),
        pytest.param([str(DAY_MS), None], BROKER_DEFAULT_MS, id="one broker that does not show it"),
    ],
)
def test_a_timeout_that_every_broker_accepts(shown, expected):
    assert accepted_ms(shown) == expected


def test_the_settings_of_several_brokers_are_asked_of_each():
    """The client refuses a request that names two; without a broker to answer, each times out."""
    admin = AdminClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    answers = settings_of(admin, (1, 2), within_s=0.2)
    for answer in answers:
        with pytest.raises(KafkaException) as raised:
            answer.result(timeout=10)
        assert raised.value.args[0].code() in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT), raised.value
    assert len(answers) == 2
