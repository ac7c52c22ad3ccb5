import pytest

from eugenie_cli.broker.transactions import BROKER_DEFAULT_MS, DAY_MS, accepted_ms


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
