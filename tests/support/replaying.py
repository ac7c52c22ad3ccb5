"""Sends a site's history to its readings topic in time order, optionally mixed with faulty messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eugenie_cli.broker.produce import Producer
from eugenie_cli.episodes.records import iso
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.schema import Site

# their instants precede all others: a message moves the watermark even if its value is invalid
MALFORMED = (
    b'{"asset": "valve1-0", "sensor"',
    b'{"asset": "valve1-0", "sensor": "Current", "ts": "yesterday", "value": 1}',
    b'{"asset": "valve1-0", "sensor": "Current", "ts": "2020-03-09T10:00:00Z"}',
    b'{"asset": "valve1-0", "sensor": "Current", "ts": "2020-03-09T10:00:00Z", "value": "a lot"}',
    b"\xff\xfe\x00",
)
LATE_BY = 20_000
"""Age of a repeat in messages: old enough that the stream has passed it, whatever the replay speed."""


@dataclass(frozen=True)
class Sent:
    """Numbers of messages sent to the topic."""

    good: int
    malformed: int
    late: int

    @property
    def total(self) -> int:
        return self.good + self.malformed + self.late


def messages(site: Site, assets: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """(asset, canonical reading) of the whole history of `assets`, in time order."""
    history = open_history(site)
    parts = [(asset, history.read(asset)) for asset in assets]
    ts = np.concatenate([readings.ts for _, readings in parts])
    rows = [
        (asset, readings.names[sensor], at, value)
        for asset, readings in parts
        for sensor, at, value in zip(
            readings.sensor.tolist(), readings.ts.tolist(), readings.value.tolist(), strict=True
        )
    ]
    return [(rows[index][0], _payload(*rows[index])) for index in np.argsort(ts, kind="stable")]


def _payload(asset: str, sensor: str, ts: int, value: float) -> bytes:
    reading = {"asset": asset, "sensor": sensor, "ts": iso(ts), "value": None if value != value else value}
    return json.dumps(reading).encode()


def with_faults(
    clean: list[tuple[str, bytes]], malformed: float, late: float, seed: int
) -> Iterator[tuple[str, bytes]]:
    """The same messages, with shares of malformed messages and of repeats that arrive far too late."""
    rng = np.random.default_rng(seed)
    for place, message in enumerate(clean):
        yield message
        if rng.random() < malformed:
            yield "gateway", MALFORMED[rng.integers(len(MALFORMED))]
        if place >= LATE_BY and rng.random() < late:
            yield clean[place - LATE_BY]


def send(site: Site, outgoing: list[tuple[str, bytes]]) -> int:
    """Send all messages; returns their number."""
    with Producer(site) as producer:
        for key, payload in outgoing:
            producer.send(str(site.topics.readings), key, payload)
    return len(outgoing)
