"""The live stream as a gateway sends it: JSON messages in order of arrival, with the defects of real gateways.

Feed pumps report tags; boosters report asset and sensor. Some messages arrive late or damaged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eugenie_cli.demo.plant.equipment import FEED_CLASS, PUMPS, Pump
from eugenie_cli.demo.plant.instruments import Samples
from eugenie_cli.demo.plant.randomness import generator

DELAY_MEAN_MS, DELAY_MAX_MS = 300.0, 2_000.0  # of the gateway, in plant time
LATE_SHARE, LATE_FROM_MS, LATE_TO_MS = 0.01, 60_000.0, 600_000.0
MALFORMED_SHARE = 0.005
DAMAGES = ("truncated", "missing-field", "bad-timestamp", "text-value", "unknown-tag")


def _addresses(pump: Pump) -> list[tuple[bytes, dict[str, str]]]:
    if pump.class_name == FEED_CLASS:
        return [(pump.name.encode(), {"tag": pump.tags[sensor]}) for sensor in pump.sensors]
    return [(pump.name.encode(), {"asset": pump.name, "sensor": sensor}) for sensor in pump.sensors]


_ADDRESSES = [_addresses(pump) for pump in PUMPS]


@dataclass(frozen=True)
class Stream:
    """Messages in order of arrival: samples in that order, arrival int64 [N] ms, damage int8 [N] (-1: none)."""

    samples: Samples
    arrival: np.ndarray
    damage: np.ndarray

    def __len__(self) -> int:
        return len(self.arrival)

    def messages(self, begin: int, end: int) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of messages [begin, end); the key is the asset."""
        samples = self.samples
        times = np.datetime_as_string(samples.ts[begin:end].astype("datetime64[ms]"), unit="ms").tolist()
        for i, ts in zip(range(begin, end), times, strict=True):
            key, address = _ADDRESSES[samples.pump[i]][samples.sensor[i]]
            quality = "good" if samples.good[i] else "bad"
            record = {**address, "ts": ts + "Z", "value": float(samples.value[i]), "quality": quality}
            damage = int(self.damage[i])
            yield key, _encode(record) if damage < 0 else _damaged(record, DAMAGES[damage])


def arrivals(seed: int, samples: Samples) -> Stream:
    """Gives each sample a delay, to some of them a long one, and damages some of them."""
    rng = generator(seed, "gateway")
    draws = rng.random((len(samples), 4))
    delay = np.minimum(-DELAY_MEAN_MS * np.log1p(-draws[:, 0]), DELAY_MAX_MS)
    late = draws[:, 1] < LATE_SHARE
    delay = np.where(late, LATE_FROM_MS + (LATE_TO_MS - LATE_FROM_MS) * draws[:, 0], delay)
    damage = np.where(draws[:, 2] < MALFORMED_SHARE, (draws[:, 3] * len(DAMAGES)).astype(np.int8), -1)
    arrival = samples.ts + delay.astype(np.int64)
    order = np.argsort(arrival, kind="stable")
    return Stream(samples.where(order), arrival[order], damage[order])


def _encode(record: dict[str, object]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def _damaged(record: dict[str, object], damage: str) -> bytes:
    if damage == "truncated":
        return _encode(record)[:-12]
    if damage == "missing-field":
        return _encode({key: value for key, value in record.items() if key != "ts"})
    if damage == "bad-timestamp":
        return _encode({**record, "ts": "31.02.2026 25:61"})
    if damage == "text-value":
        return _encode({**record, "value": "twelve"})
    unknown = {"tag": "P-999.XX.PV"} if "tag" in record else {"asset": "P-999"}
    return _encode({**record, **unknown})
