"""The plant of the benchmarks: identical pumps with eight sensors, each with one reading per second.

Sensors follow a few slow common oscillations plus noise, so that a forecaster has something to learn and scores stay
below 1 nearly always, like those of a healthy plant. Pumps beyond the first ALIKE repeat those: the cost of a
thousandth pump does not depend on its values, and training stays short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import plant_tags
from eugenie_cli.site.schema import Site

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

ALIKE = 20
"""Number of machines with different values; asset n repeats asset n % ALIKE."""

SWINGS_S = (37.0, 211.0, 1_009.0)
"""Periods of the common oscillations in seconds: within a window, about two windows, far longer."""

NOISE = 0.3
BLOCK_STEPS = 1_000
"""Steps of the plant that are computed at once; bounds memory for any number of readings."""

TAG_READINGS = {
    "tag": {"path": "tag"},
    "ts": {"path": "ts"},
    "value": {"path": "value"},
    "quality": {"path": "q", "scheme": "opcda"},
}
"""`kafka.readings` of a plant whose gateway knows only tags."""

Message = tuple[str, bytes]
"""Key and value of a record on Kafka."""


@dataclass(frozen=True)
class Plant:
    """`assets` machines, each of whose sensors is read once per second.

    `tagged`: readings are identified by the plant's tags, 8 per asset, instead of by asset and sensor.
    """

    assets: int
    start_ms: int = START_MS
    tagged: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"pump-{number:04d}" for number in range(1, self.assets + 1))

    @property
    def readings_per_step(self) -> int:
        return self.assets * len(SENSORS)

    def site(self, folder: Path, **sections: Any) -> Site:
        """The plant as a site, its workspace in `folder`. `sections` as in a site file."""
        if self.tagged:
            sections["kafka"] = {"readings": TAG_READINGS, **sections.get("kafka", {})}
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
            "assets": {name: {"class": CLASS, **self._tags(number)} for number, name in enumerate(self.names)},
            **sections,
        }
        return Site.model_validate(document).model_copy(update={"base": folder, "file": folder / "bench.yaml"})

    def _tags(self, asset: int) -> dict[str, Any]:
        if not self.tagged:
            return {}
        return {"tags": {name: plant_tags.tag(asset, number) for number, (name, _) in enumerate(SENSORS)}}

    def values(self, first_step: int, steps: int) -> np.ndarray:
        """float64 [steps, ALIKE, S]: values of the first assets' sensors. A pure function of the step."""
        first_block, last_block = first_step // BLOCK_STEPS, (first_step + steps - 1) // BLOCK_STEPS
        blocks = np.concatenate([self._block(number) for number in range(first_block, last_block + 1)])
        begin = first_step - first_block * BLOCK_STEPS
        return blocks[begin : begin + steps]

    def _block(self, number: int) -> np.ndarray:
        fixed = np.random.default_rng(0)
        shape = (len(SWINGS_S), ALIKE, len(SENSORS))
        phase = fixed.uniform(0, 2 * np.pi, shape[:2])[:, :, None] + fixed.uniform(0, 1, shape)
        level = fixed.uniform(10, 100, shape[1:])
        spread = 0.05 * level
        step = number * BLOCK_STEPS + np.arange(BLOCK_STEPS)
        angle = 2 * np.pi * step[:, None] / np.array(SWINGS_S)
        swing = np.sin(angle[:, :, None, None] + phase).sum(axis=1)
        noise = np.random.default_rng([1, number + 2**20]).standard_normal(swing.shape)
        return level + spread * (swing + NOISE * noise)

    def offsets(self) -> np.ndarray:
        """int64 [readings_per_step]: time of each reading of a second, ms after its edge; none is on an edge."""
        return 1 + np.arange(self.readings_per_step) * (STEP_MS - 1) // self.readings_per_step

    def formatter(self) -> tuple[list[tuple[str, str]], str]:
        """(key, text before the instant) of each sensor of each asset, in the order of a step; and the text's end."""
        if self.tagged:
            tags = [plant_tags.tag(asset, sensor) for asset in range(self.assets) for sensor in range(len(SENSORS))]
            return [(tag, f'{{"tag": "{tag}", "ts": "') for tag in tags], ', "q": 192}'
        pairs = [(name, sensor) for name in self.names for sensor, _ in SENSORS]
        heads = [(name, f'{{"asset": "{name}", "sensor": "{sensor}", "ts": "') for name, sensor in pairs]
        return heads, ', "quality": "good"}'

    def messages(self, count: int) -> Iterator[Message]:
        """The stream's first `count` readings as JSON, in time order."""
        addresses, end = self.formatter()
        offsets, step_values = self.offsets(), self.stepper()
        sent = 0
        for step in range(-(-count // self.readings_per_step)):
            instants = (self.start_ms + step * STEP_MS + offsets).astype("datetime64[ms]")
            texts = np.datetime_as_string(instants).tolist()
            for (key, head), ts, value in zip(addresses, texts, step_values(step), strict=True):
                if sent == count:
                    return
                sent += 1
                yield key, f'{head}{ts}Z", "value": {value:.3f}{end}'.encode()

    def stepper(self) -> Callable[[int], list[float]]:
        """step -> the values of all sensors of all assets, in order. Fast for consecutive steps."""
        runs_as = np.arange(self.assets) % ALIKE
        first, block = 0, np.empty((0, ALIKE, len(SENSORS)))

        def values_at(step: int) -> list[float]:
            nonlocal first, block
            if not first <= step < first + len(block):
                first = step - step % BLOCK_STEPS
                block = self.values(first, BLOCK_STEPS)
            return block[step - first][runs_as].ravel().tolist()

        return values_at
