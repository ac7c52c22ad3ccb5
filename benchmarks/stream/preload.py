"""All readings of a benchmark onto Kafka before any job runs, as fast as they can be made."""

from __future__ import annotations

from collections.abc import Iterable

import confluent_kafka

from benchmarks.common.plant import Message
from benchmarks.common.sending import send
from benchmarks.common.waiting import Check
from eugenie_cli.broker.client import client_settings
from eugenie_cli.progress import Progress
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming import lag

QUEUED = 200_000
"""Messages in the producer's queue, some 30 MB."""

POLL_EVERY = 2_000
FLUSH_POLL_S = 0.5


def preload(site: Site, messages: Iterable[Message], count: int, progress: Progress, check: Check) -> None:
    """Send `count` messages to the topic of readings.

    Raises RuntimeError unless the broker has all of them, and TimeoutError or what `check` does when it takes no more.

    Nobody asks how each single message fared, which takes most of a careful producer's time: the topic's end tells.
    """
    topic = str(site.topics.readings)
    producer = confluent_kafka.Producer(
        client_settings(
            site,
            enable_idempotence=True,
            linger_ms=50,
            batch_size=1_000_000,
            compression_type="lz4",
            queue_buffering_max_messages=QUEUED,
        )
    )
    with progress.task("preloading", total=count, unit="readings") as advance:
        for number, (key, value) in enumerate(messages, start=1):
            send(producer, topic, value, key, check)
            if number % POLL_EVERY == 0:
                producer.poll(0)
                advance(POLL_EVERY)
        while producer.flush(FLUSH_POLL_S):
            check()
    there = sum(lag.end_offsets(site, topic).values())
    if there != count:
        raise RuntimeError(f"{there:,} of {count:,} readings are on Kafka")
