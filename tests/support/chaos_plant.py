"""A small plant whose data make every case of the stream's bookkeeping, the same for the same seed.

Eight assets of three sensors, a reading a second of each. Values are multiples of 1/4, so that the scores of
`small_models.sixteenths` are exact and two runs can be compared to the last digit. There are bursts that alarm,
silences in the middle of some of them, bad quality, two readings at one instant, readings out of order within the
bound; and among them messages that are no readings: malformed ones, unknown addresses, repeats that come far too late.
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
"""The most that a reading is delayed: less than the bound, so no order of arrival makes it late."""
LATE_MS = 1_500_000
"""How old the repeats are. Whatever is sent at once covers less, so the stream has passed them in every run."""

Message = tuple[str, bytes]
"""(key, payload)."""


def plant(site_factory: Callable[..., Site], name: str, **stream: Any) -> Site:
    """The plant as a site on engines of its own."""
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
        # a partition that waits for its broker is not idle: with a time-out the others would go on without it
        stream={"checkpoint": "1s", "out_of_orderness": f"{OUT_OF_ORDER_MS}ms", "idle_timeout": "10m", **stream},
        engines={"slots": 4},
    )


def messages(seed: int, seconds: int) -> list[Message]:
    """What the gateway sends in `seconds` of the plant's time, in the order of arrival: about 24.9 a second."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, size=(len(ASSETS), seconds, SENSORS)) / 4
    there = rng.random(values.shape) > 0.01
    for place in range(len(ASSETS)):
        for start in np.sort(rng.integers(20, seconds, seconds // 150)):
            length = int(rng.integers(8, 40))
            values[place, start : start + length] += rng.choice([0.75, 2.0, 4.0])
            if rng.random() < 0.3:
                there[place, start + length // 2 : start + length // 2 + rng.integers(10, 60)] = False
    asset, second, sensor = np.nonzero(there)
    ts = BEGIN + second * STEP_MS + rng.integers(-400, 401, len(second))
    value = values[asset, second, sensor]

    again = np.flatnonzero(rng.random(len(ts)) < 0.003)  # a second reading at the same instant
    asset, sensor, ts = (np.concatenate([one, one[again]]) for one in (asset, sensor, ts))
    value = np.concatenate([value, value[again] + 0.25])
    bad = rng.random(len(ts)) < 0.01
    delay = np.where(rng.random(len(ts)) < 0.2, rng.integers(0, DELAY_MS, len(ts)), 0)

    outgoing: list[Message] = []
    for at in np.argsort(ts + delay, kind="stable"):
        place, now = int(asset[at]), int(ts[at])
        quality = "bad" if bad[at] else "good"
        outgoing.append(_reading(rng, ASSETS[place], NAMES[sensor[at]], now, float(value[at]), quality))
        outgoing += _no_readings(rng, now)
    return outgoing


def _reading(rng: np.random.Generator, asset: str, sensor: str, ts: int, value: float, quality: str) -> Message:
    address = {"sensor": sensor} if rng.random() < 0.7 else {"tag": f"{asset}.{sensor}"}
    record = {"asset": asset, **address, "ts": iso(ts), "value": value}
    if quality != "good" or rng.random() < 0.5:
        record["quality"] = quality
    return asset, json.dumps(record).encode()


def _no_readings(rng: np.random.Generator, now: int) -> list[Message]:
    """What the gateway sends beside the reading at `now`: mostly nothing."""
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
