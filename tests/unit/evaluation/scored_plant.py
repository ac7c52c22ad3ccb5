"""The small plant of these tests: its site file and its rows."""

from __future__ import annotations

import numpy as np

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP = 1_000
WINDOW = 10
NORMAL_ROWS = 400
ROWS = 1_000
FAULT = range(700, 760)
"""Rows of pump p-1 in which its flow is four too high."""
GAP = range(500, 530)
"""Rows of p-1 without a reading."""

SITE = """
site: plant
workspace: {workspace}
classes:
  pump:
    sensors: [{{name: pressure, unit: bar}}, {{name: flow, unit: l/s}}]
    step: 1s
    max_gap: 1s
    model: {{window: 10, warmup: 5, horizons: [1]}}
    alarm: {{budget: 0.01, on_delay: 3, off_delay: 3}}
assets:
  p-1: {{class: pump, normal: [{{start: 2026-01-01T00:00:00Z, end: 2026-01-01T00:06:40Z}}]}}
  p-2: {{class: pump, normal: [{{start: 2026-01-01T00:00:00Z, end: 2026-01-01T00:06:40Z}}]}}
"""


def rows_of(asset: str) -> np.ndarray:
    """float64 [ROWS, 2]."""
    generator = np.random.default_rng(int(asset[-1]))
    rows = np.array([10.0, 20.0]) + 0.5 * generator.normal(size=(ROWS, 2))
    if asset == "p-1":
        rows[FAULT, 1] += 4.0
        rows[GAP] = np.nan
    return rows
