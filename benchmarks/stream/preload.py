"""Put all readings of a benchmark onto Kafka before any job runs, as fast as they can be generated."""

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
    """Send `count` messages to the readings topic.

    Raises RuntimeError unless the broker has all of them; TimeoutError, or whatever `check` raises, if it accepts no
    more. There are no delivery reports per message, which would take most of the time: the topic's end is checked.
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
    stored = sum(lag.end_offsets(site, topic).values())
    if stored != count:
        raise RuntimeError(f"{stored:,} of {count:,} readings are on Kafka")
