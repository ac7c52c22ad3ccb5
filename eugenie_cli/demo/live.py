"""Plays the plant's messages into Kafka at a chosen speed, in order of arrival."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from eugenie_cli.demo.messages import Stream

TURN_S = 0.05  # how often waiting messages are sent; well below the watermark interval of the stream


class Sink(Protocol):
    """The receiver of messages: `broker.produce.Producer`."""

    def send(
        self, topic: str, key: str | bytes | None, value: bytes | None, timestamp_ms: int | None = None
    ) -> None: ...

    def flush(self) -> None: ...


@dataclass(frozen=True)
class Played:
    """How many messages were sent and acknowledged, and how long it took."""

    messages: int
    seconds: float


def play(
    stream: Stream,
    sink: Sink,
    topic: str,
    *,
    start_ms: int,
    speed: float,
    on_turn: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Played:
    """Sends each message when the plant's clock, `speed` times as fast as the real one, reaches its arrival.

    Returns when all messages are sent and acknowledged, or soon after `stopped()` is true. `on_turn` is called about
    twenty times per second with the plant's time and the number of messages sent so far.
    """
    began = clock()
    sent = 0
    while sent < len(stream) and not stopped():
        plant_now = start_ms + int((clock() - began) * 1_000 * speed)
        due = int(np.searchsorted(stream.arrival, plant_now, side="right"))
        for key, value in stream.messages(sent, due):
            sink.send(topic, key, value)
        sent = due
        if on_turn is not None:
            on_turn(plant_now, sent)
        sleep(TURN_S)
    sink.flush()
    return Played(sent, clock() - began)
