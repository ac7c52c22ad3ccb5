"""Sending that waits for a slow broker: a producer's queue fills while the broker elects leaders or loads its state.

A newly started broker acknowledges nothing to an idempotent producer until it has loaded its transaction coordinator.
Messages sent in the meantime stay in the producer's queue of `queue.buffering.max.messages`.
"""

from __future__ import annotations

import time

import confluent_kafka

from benchmarks.common.waiting import Check

TAKEN_WITHIN_S = 60.0
"""Sending gives up if the broker accepts no message for this long. A coordinator loads in seconds."""

FULL_POLL_S = 0.1


def unwatched() -> None:
    """Checks nothing."""


def send(
    producer: confluent_kafka.Producer,
    topic: str,
    value: bytes,
    key: str,
    check: Check = unwatched,
    within_s: float = TAKEN_WITHIN_S,
) -> None:
    """Queue a message; if the queue is full, wait until the broker accepts some of it.

    Raises TimeoutError if it is still full after `within_s` seconds, and whatever `check` raises.
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
