"""Sending that waits for a slow broker: a producer's queue fills while the broker elects leaders or loads its state.

A broker that was just started loads its transaction coordinator, and an idempotent producer has nothing acknowledged
until then. What it is given meanwhile stays in its queue, which holds `queue.buffering.max.messages` of them.
"""

from __future__ import annotations

import time

import confluent_kafka

from benchmarks.common.waiting import Check

TAKEN_WITHIN_S = 60.0
"""Without a single message taken for this long the broker is given up. A coordinator loads in seconds."""

FULL_POLL_S = 0.1


def unwatched() -> None:
    """A check of nothing."""


def send(
    producer: confluent_kafka.Producer,
    topic: str,
    value: bytes,
    key: str,
    check: Check = unwatched,
    within_s: float = TAKEN_WITHIN_S,
) -> None:
    """Queue a message; while the queue is full, wait until the broker takes some of it.

    Raises TimeoutError when it is still full after `within_s` seconds, and what `check` does.
    """
    try:
        producer.produce(topic, value, key)
        return
    except BufferError:
        deadline = time.monotonic() + within_s
    while True:
        producer.poll(FULL_POLL_S)
        check()
        try:
            producer.produce(topic, value, key)
            return
        except BufferError:
            if time.monotonic() > deadline:
                queued = f"{len(producer):,} messages are queued"
                raise TimeoutError(f"the broker has taken no message for {within_s:.0f} s: {queued}") from None
