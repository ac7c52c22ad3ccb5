"""Transactions that other programs left open are told from the job's own, and named with the command that ends them."""

from __future__ import annotations

import pytest

from eugenie_cli.broker.open_transactions import OpenTransaction
from eugenie_cli.streaming import hung_transactions
from eugenie_cli.streaming.hung_transactions import committed_before, hung

NOW = 1_796_018_900_000
READINGS, SCORES = "plant.readings", "plant.scores"


def opened(topic: str, ago_s: float) -> OpenTransaction:
    return OpenTransaction(topic, 2, 4_711, 58, NOW - int(1_000 * ago_s))


@pytest.mark.parametrize(
    ("topic", "ago_s", "own_ago_s", "reported"),
    [
        (READINGS, 5, 10, False),  # a gateway that sends in transactions
        (READINGS, 61, None, True),
        (READINGS, 3_600, 10, True),
        (SCORES, 5, 10, False),
        (SCORES, 61, 300, False),  # the job's own: it has completed no checkpoint since
        (SCORES, 61, None, False),  # left by a job that died; the next one commits it
        (SCORES, 61, 40, True),
        (SCORES, 50, 40, False),
    ],
)
def test_long_transactions_that_are_not_the_jobs_are_reported(topic, ago_s, own_ago_s, reported):
    own_since = 0 if own_ago_s is None else NOW - 1_000 * own_ago_s
    one = opened(topic, ago_s)
    assert hung([one], READINGS, own_since, NOW) == ([one] if reported else [])


def statistics(*checkpoints: tuple[int, int, str]) -> dict:
    """Flink's statistics: when each began and ended, in seconds before NOW, newest first."""
    history = [
        {"trigger_timestamp": NOW - 1_000 * began, "latest_ack_timestamp": NOW - 1_000 * ended, "status": status}
        for began, ended, status in checkpoints
    ]
    return {"history": history}


@pytest.mark.parametrize(
    ("checkpoints", "ago_s"),
    [
        (None, None),
        ({}, None),
        (statistics((5, 4, "COMPLETED")), None),  # its transactions may be being committed now
        (statistics((70, 69, "COMPLETED")), 70),
        (statistics((5, 4, "COMPLETED"), (45, 40, "COMPLETED"), (70, 69, "COMPLETED")), 45),
        (statistics((35, 34, "FAILED"), (45, 40, "COMPLETED")), 45),
        (statistics((3, 0, "IN_PROGRESS"), (90, 89, "FAILED")), None),
        (statistics((1, 1, "COMPLETED"), (2, 2, "COMPLETED"), (3, 3, "COMPLETED")), 3),  # once a second
    ],
)
def test_the_jobs_transactions_end_with_its_checkpoints(checkpoints, ago_s):
    assert committed_before(checkpoints, NOW) == (0 if ago_s is None else NOW - 1_000 * ago_s)


@pytest.mark.parametrize(("topic", "whom"), [(READINGS, "the job cannot read"), (SCORES, "readers of results")])
def test_the_problem_names_the_command(site_of, monkeypatch, topic, whom):
    monkeypatch.setattr(hung_transactions.time, "time", lambda: NOW / 1_000)
    monkeypatch.setattr(hung_transactions.open_transactions, "oldest", lambda *_: [opened(topic, 600)])
    (problem,) = hung_transactions.problems(site_of().kafka_access, statistics((60, 59, "COMPLETED")))
    assert f"partition 2 of {topic}" in problem.what and whom in problem.what
    assert "600 s" in problem.what and "58 records from offset 4711" in problem.what
    assert problem.next.endswith(
        f"--bootstrap-server broker:9092 abort --topic {topic} --partition 2 --start-offset 4711"
    )
