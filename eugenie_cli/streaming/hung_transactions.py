"""Transactions of other programs that hide records of the site's topics for long, and the command that ends each.

A program that dies in a transaction leaves it open until its time-out, which may be a day. Until then, readers of
committed records, as the job and everything that reads its results, stop before it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from eugenie_cli.broker import open_transactions
from eugenie_cli.broker.client import addresses
from eugenie_cli.broker.open_transactions import OpenTransaction
from eugenie_cli.site.kafka import KafkaAccess
from eugenie_cli.streaming.problems import Problem

LONG_MS = 60_000
"""A program that sends readings commits within seconds."""

COMMITTED_WITHIN_MS = 30_000
"""The job's own transactions are committed this soon after their checkpoint is complete."""


def problems(kafka: KafkaAccess, checkpoints: Mapping[str, Any] | None) -> list[Problem]:
    """A problem for each such transaction. `checkpoints`: as for `committed_before`. Raises EugenieError."""
    topics = kafka.topics
    names = [str(topics.readings), str(topics.anomalies), str(topics.scores), str(topics.dead_letters)]
    now_ms = int(time.time() * 1000)
    found = hung(open_transactions.oldest(kafka, names), names[0], committed_before(checkpoints, now_ms), now_ms)
    return [_problem(kafka, transaction, names[0]) for transaction in found]


def hung(candidates: Iterable[OpenTransaction], readings: str, own_since_ms: int, now_ms: int) -> list[OpenTransaction]:
    """The open transactions that other programs have left: any on the topic of readings, and older ones on the others.

    The job writes its results in transactions of its own, which began at `own_since_ms` (since 1970 UTC) or later.
    """
    return [
        transaction
        for transaction in candidates
        if now_ms - transaction.since_ms > LONG_MS
        and (transaction.topic == readings or transaction.since_ms < own_since_ms)
    ]


def committed_before(checkpoints: Mapping[str, Any] | None, now_ms: int) -> int:
    """The instant (ms since 1970 UTC) before which all of the job's own transactions began that are committed by now.

    A transaction is committed when the next checkpoint is complete. `checkpoints`: Flink's statistics of the running
    job, with the last few; None: it does not run. 0 when that is unknown.
    """
    completed = sorted(
        (entry["trigger_timestamp"], entry["latest_ack_timestamp"])
        for entry in (checkpoints or {}).get("history", [])
        if entry["status"] == "COMPLETED"
    )
    settled = [began for began, ended in completed if now_ms - ended >= COMMITTED_WITHIN_MS]
    if settled:
        return max(settled)
    return completed[0][0] if len(completed) > 2 else 0  # with short intervals, all of the last few are recent


def _problem(kafka: KafkaAccess, hung_one: OpenTransaction, readings: str) -> Problem:
    age_s = time.time() - hung_one.since_ms / 1000
    hidden = "the job" if hung_one.topic == readings else "readers of results"
    where = f"--bootstrap-server {addresses(kafka)}"
    return Problem(
        f"another program's transaction, open for {age_s:,.0f} s, holds up partition {hung_one.partition} of"
        f" {hung_one.topic}: {hidden} cannot read the {hung_one.hidden:,} records from offset {hung_one.first}",
        f"end the program, or its transaction: kafka-transactions.sh {where} abort --topic {hung_one.topic}"
        f" --partition {hung_one.partition} --start-offset {hung_one.first}",
    )
