"""Instruments: the readings that the plant's sensors take of the true values, with their times and quality."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eugenie_cli.demo.plant.equipment import PUMPS, Instrument, Pump
from eugenie_cli.demo.plant.randomness import Floats, generator

NOMINAL_PERIOD_MS = 10_000
PERIOD_SHARE = (0.80, 1.0)  # each sensor reports with its own period, a share of the nominal one
JITTER = 0.04  # standard deviation, as a share of the period
OUTAGE_PER_DAY, OUTAGE_MEAN_MS = 2.0, 100_000.0  # a sensor silent for a while
LINE_OUTAGE_PER_DAY, LINE_OUTAGE_MEAN_MS = 0.7, 120_000.0  # a whole pump silent
BAD_SHARE = 0.002
BAD_SPELL_PER_DAY, BAD_SPELL_MEAN_MS = 1.0, 60_000.0
DUPLICATE_SHARE = 0.002
DAY_MS = 86_400_000.0

Shown = Callable[[str, str, np.ndarray, Floats], Floats]
"""(asset, sensor, ts, values) -> the values that a faulty instrument shows."""


@dataclass(frozen=True)
class Samples:
    """Readings in order of time: pump and sensor int [N], ts int64 [N] ms, value [N], good bool [N].

    `pump` is an index into `equipment.PUMPS`, `sensor` into that pump's instruments.
    """

    pump: np.ndarray
    sensor: np.ndarray
    ts: np.ndarray
    value: Floats
    good: np.ndarray

    def __len__(self) -> int:
        return len(self.ts)

    def where(self, mask: np.ndarray) -> Samples:
        return Samples(self.pump[mask], self.sensor[mask], self.ts[mask], self.value[mask], self.good[mask])


def sample(seed: int, ticks: np.ndarray, truth: dict[str, dict[str, Floats]], shown: Shown) -> Samples:
    """Sample the true values [T] at `ticks` [T] ms with every instrument of the plant."""
    parts = []
    for p, pump in enumerate(PUMPS):
        line = _spells(generator(seed, pump.name, "line"), ticks, LINE_OUTAGE_PER_DAY, LINE_OUTAGE_MEAN_MS)
        for s, instrument in enumerate(pump.instruments):
            ts, value, good = _sample_one(seed, ticks, truth[pump.name][instrument.sensor], pump, instrument, shown)
            up = ~line[np.searchsorted(ticks, ts, side="right") - 1]
            n = int(up.sum())
            parts.append(Samples(np.full(n, p, np.int16), np.full(n, s, np.int16), ts[up], value[up], good[up]))
    order = np.argsort(np.concatenate([part.ts for part in parts]), kind="stable")
    return Samples(
        *(
            np.concatenate([getattr(part, name) for part in parts])[order]
            for name in ("pump", "sensor", "ts", "value", "good")
        )
    )


def _sample_one(
    seed: int, ticks: np.ndarray, truth: Floats, pump: Pump, instrument: Instrument, shown: Shown
) -> tuple[np.ndarray, Floats, np.ndarray]:
    rng = generator(seed, pump.name, instrument.sensor)
    period = NOMINAL_PERIOD_MS * rng.uniform(*PERIOD_SHARE)
    phase = rng.uniform(0, period)
    count = int((ticks[-1] - ticks[0] - phase) // period)
    draws = rng.standard_normal((count, 2))
    jitter = np.clip(draws[:, 0] * JITTER, -0.2, 0.2) * period
    ts = (ticks[0] + phase + np.arange(count) * period + jitter).astype(np.int64)
    ts = np.clip(ts, ticks[0], ticks[-1])
    exact = np.interp(ts, ticks, truth)
    value = exact + draws[:, 1] * (instrument.noise + instrument.relative_noise * np.abs(exact))
    value = np.round(shown(pump.name, instrument.sensor, ts, value), instrument.decimals)

    quality = generator(seed, pump.name, instrument.sensor, "quality")
    fates = quality.random((count, 2))
    spells = generator(seed, pump.name, instrument.sensor, "spells")
    silent = _spells(spells, ts, OUTAGE_PER_DAY, OUTAGE_MEAN_MS)
    bad = _spells(generator(seed, pump.name, instrument.sensor, "bad"), ts, BAD_SPELL_PER_DAY, BAD_SPELL_MEAN_MS)
    good = ~(bad | (fates[:, 0] < BAD_SHARE))
    # gateways sometimes send the same reading twice
    copies = np.where(silent, 0, np.where(fates[:, 1] < DUPLICATE_SHARE, 2, 1))
    return np.repeat(ts, copies), np.repeat(value, copies), np.repeat(good, copies)


def _spells(rng: np.random.Generator, ts: np.ndarray, per_day: float, mean_ms: float) -> np.ndarray:
    """True during random spells that begin `per_day` times a day and have exponential lengths; bool [T]."""
    draws = rng.random((len(ts), 2))
    spacing = np.diff(ts, prepend=ts[0])
    begins = draws[:, 0] < per_day * spacing / DAY_MS
    length = -mean_ms * np.log1p(-draws[:, 1])
    until = np.maximum.accumulate(np.where(begins, ts + length, 0))
    return ts < until
