"""A small plant whose data exercise every case of the stream's bookkeeping, reproducibly for a given seed.

Eight assets with three sensors each, one reading per sensor and second. Values are multiples of 1/4, so the scores of
`small_models.sixteenths` are exact and two runs can be compared to the last digit. The data contain bursts that raise
alarms, silences in the middle of some bursts, bad quality, two readings at one instant, and readings out of order
within the bound. In between are messages that are not valid readings: malformed ones, unknown addresses, and repeats
that arrive far too late.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from eugenie_cli.episodes.records import iso
from eugenie_cli.site.schema import Site
from support.small_models import SENSORS, WINDOW

CLASS = "pump"
ASSETS = tuple(f"pump-{number}" for number in range(101, 109))
NAMES = ("a", "b", "c")
BEGIN = 1_772_323_200_000
"""2026-03-01T00:00:00Z."""
STEP_MS = 1_000

OUT_OF_ORDER_MS = 2_000
DELAY_MS = 1_500
"""Longest delay of a reading: less than the bound, so no order of arrival makes it late."""
LATE_MS = 1_500_000
"""Age of the repeats. Messages sent at once span less time, so the stream has passed them in every run."""

Message = tuple[str, bytes]
"""(key, payload)."""


def plant(site_factory: Callable[..., Site], name: str, **stream: Any) -> Site:
    """The plant as a site with its own engines."""
    return site_factory(
        name,
        classes={
            CLASS: {
                "sensors": [{"name": sensor, "low": -10.0, "high": 100.0} for sensor in NAMES],
                "step": "1s",
                "max_gap": "5s",
                "model": {"type": "last-value", "window": WINDOW, "horizons": [1]},
                "alarm": {"on_delay": 3, "off_delay": 3, "cooldown": 2},
            }
        },
        assets={asset: {"class": CLASS, "tags": {name: f"{asset}.{name}" for name in NAMES}} for asset in ASSETS},
        stream={"checkpoint": "1s", "out_of_orderness": f"{OUT_OF_ORDER_MS}ms", **stream},
        engines={"slots": 4},
    )


def messages(seed: int, seconds: int) -> list[Message]:
    """The gateway's messages in `seconds` of the plant's time, in order of arrival: about 24.9 per second."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, size=(len(ASSETS), seconds, SENSORS)) / 4
    present = rng.random(values.shape) > 0.01
    for number in range(len(ASSETS)):
        for start in np.sort(rng.integers(20, seconds, seconds // 150)):
            length = int(rng.integers(8, 40))
            values[number, start : start + length] += rng.choice([0.75, 2.0, 4.0])
            if rng.random() < 0.3:
                present[number, start + length // 2 : start + length // 2 + rng.integers(10, 60)] = False
    asset, second, sensor = np.nonzero(present)
    ts = BEGIN + second * STEP_MS + rng.integers(-400, 401, len(second))
    value = values[asset, second, sensor]

    again = np.flatnonzero(rng.random(len(ts)) < 0.003)  # a second reading at the same instant
    asset, sensor, ts = (np.concatenate([column, column[again]]) for column in (asset, sensor, ts))
    value = np.concatenate([value, value[again] + 0.25])
    bad = rng.random(len(ts)) < 0.01
    delay = np.where(rng.random(len(ts)) < 0.2, rng.integers(0, DELAY_MS, len(ts)), 0)

    outgoing: list[Message] = []
    for at in np.argsort(ts + delay, kind="stable"):
        number, now = int(asset[at]), int(ts[at])
        quality = "bad" if bad[at] else "good"
        outgoing.append(_reading(rng, ASSETS[number], NAMES[sensor[at]], now, float(value[at]), quality))
        outgoing += _no_readings(rng, now)
    return outgoing


def _reading(rng: np.random.Generator, asset: str, sensor: str, ts: int, value: float, quality: str) -> Message:
    address = {"sensor": sensor} if rng.random() < 0.7 else {"tag": f"{asset}.{sensor}"}
    record = {"asset": asset, **address, "ts": iso(ts), "value": value}
    if quality != "good" or rng.random() < 0.5:
        record["quality"] = quality
    return asset, json.dumps(record).encode()


def _no_readings(rng: np.random.Generator, now: int) -> list[Message]:
    """Other messages that the gateway sends with the reading at `now`: usually none."""
    made: list[Message] = []
    if rng.random() < 0.01:
        text = MALFORMED[rng.integers(len(MALFORMED))].replace(b"NOW", iso(now).encode())
        made.append(("gateway", text))
    if rng.random() < 0.005:
        asset = str(rng.choice([*ASSETS, "pump-999"]))
        record = {"asset": asset, "tag": f"{asset}.x{rng.integers(3)}", "ts": iso(now), "value": 1}
        made.append((asset, json.dumps(record).encode()))
    if rng.random() < 0.005 and now - LATE_MS > BEGIN:
        asset = str(rng.choice(ASSETS))
        record = {"asset": asset, "sensor": str(rng.choice(NAMES)), "ts": iso(now - LATE_MS), "value": 50}
        made.append((asset, json.dumps(record).encode()))
    return made


MALFORMED = (
    b'{"asset": "pump-101", "sensor"',
    b'{"asset": "pump-101", "sensor": "a", "ts": "yesterday", "value": 1}',
    b'{"asset": "pump-102", "sensor": "a", "ts": "NOW"}',
    b'{"asset": "pump-103", "sensor": "a", "ts": "NOW", "value": "a lot"}',
    b'{"ts": "NOW", "value": 1}',
    b"\xff\xfe\x00",
    b"[1, 2]",
    b"",
)
