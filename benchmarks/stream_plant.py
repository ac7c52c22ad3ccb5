"""The plant of the stream benchmark: twenty alike pumps of eight sensors, a reading a second of each.

Sensors follow a few slow swings that they share, plus noise, so that a forecaster has something to learn and scores
stay where a healthy plant's are: below 1 nearly always.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eugenie_cli.site.model import Site

CLASS = "pump"
SENSORS = (
    ("suction_pressure", "bar"),
    ("discharge_pressure", "bar"),
    ("flow", "m3/h"),
    ("speed", "rpm"),
    ("motor_current", "A"),
    ("bearing_temperature", "degC"),
    ("vibration", "mm/s"),
    ("filter_dp", "mbar"),
)
WINDOW, UNITS = 120, 32
STEP_MS = 1_000
START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: the first second of the stream."""

SWINGS_S = (37.0, 211.0, 1_009.0)
"""Periods of the shared swings, in seconds: one within a window, one of about a window, one far beyond."""

NOISE = 0.3
BLOCK_STEPS = 1_000
"""Steps of the plant that are computed at once; bounds memory, whatever the number of readings."""


@dataclass(frozen=True)
class Plant:
    """`assets` machines; every second each of their sensors is read once."""

    assets: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"pump-{number:02d}" for number in range(1, self.assets + 1))

    @property
    def readings_per_step(self) -> int:
        return self.assets * len(SENSORS)

    def site(self, folder: Path, **sections: Any) -> Site:
        """The plant as a site, its workspace in `folder`. `sections` as in a site file."""
        document = {
            "site": "bench",
            "workspace": str(folder / "workspace"),
            "classes": {
                CLASS: {
                    "sensors": [{"name": name, "unit": unit} for name, unit in SENSORS],
                    "step": "1s",
                    "max_gap": "5s",
                    "model": {"window": WINDOW, "warmup": WINDOW // 2, "units": UNITS, "horizons": [1, 5, 10]},
                }
            },
            "assets": {name: {"class": CLASS} for name in self.names},
            **sections,
        }
        return Site.model_validate(document).model_copy(update={"base": folder, "file": folder / "bench.yaml"})

    def values(self, first_step: int, steps: int) -> np.ndarray:
        """float64 [steps, A, S]: what the sensors read. A pure function of the step, in blocks of BLOCK_STEPS."""
        first_block, last_block = first_step // BLOCK_STEPS, (first_step + steps - 1) // BLOCK_STEPS
        blocks = np.concatenate([self._block(number) for number in range(first_block, last_block + 1)])
        begin = first_step - first_block * BLOCK_STEPS
        return blocks[begin : begin + steps]

    def _block(self, number: int) -> np.ndarray:
        fixed = np.random.default_rng(0)
        shape = (len(SWINGS_S), self.assets, len(SENSORS))
        phase = fixed.uniform(0, 2 * np.pi, shape[:2])[:, :, None] + fixed.uniform(0, 1, shape)
        level = fixed.uniform(10, 100, shape[1:])
        spread = 0.05 * level
        step = number * BLOCK_STEPS + np.arange(BLOCK_STEPS)
        angle = 2 * np.pi * step[:, None] / np.array(SWINGS_S)
        swing = np.sin(angle[:, :, None, None] + phase).sum(axis=1)
        noise = np.random.default_rng([1, number + 2**20]).standard_normal(swing.shape)
        return level + spread * (swing + NOISE * noise)

    def messages(self, count: int) -> Iterator[tuple[str, bytes]]:
        """(key, value): the stream's first `count` readings as canonical JSON, in order of time."""
        addresses = [
            (name, f'{{"asset": "{name}", "sensor": "{sensor}", "ts": "')
            for name in self.names
            for sensor, _ in SENSORS
        ]
        # spread over the second, none on its edge
        offsets = (np.arange(self.readings_per_step) + 1) * STEP_MS // (self.readings_per_step + 1)
        sent = 0
        for first in range(0, -(-count // self.readings_per_step), BLOCK_STEPS):
            values = self.values(first, BLOCK_STEPS).reshape(BLOCK_STEPS, -1)
            for step in range(BLOCK_STEPS):
                instants = START_MS + (first + step) * STEP_MS + offsets
                texts = np.datetime_as_string(instants.astype("datetime64[ms]")).tolist()
                for (key, head), ts, value in zip(addresses, texts, values[step].tolist(), strict=True):
                    if sent == count:
                        return
                    sent += 1
                    yield key, f'{head}{ts}Z", "value": {value:.3f}, "quality": "good"}}'.encode()
