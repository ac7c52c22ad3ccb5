"""The demo's plant over weeks: normal operation to learn from, a live time with nothing wrong, then the demo's faults.

Production follows shifts and the weather, and bearings slowly get warmer, as in a plant: `demo.plant` has no drift.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.detection.dataset import Part, Plant
from eugenie_cli.demo.plant.equipment import BOOSTER_CLASS, FEED_CLASS, PUMPS
from eugenie_cli.demo.plant.equipment import Pump as Machine
from eugenie_cli.demo.plant.faults import KINDS
from eugenie_cli.demo.plant.instruments import Samples
from eugenie_cli.demo.plant.plant import Plant as Simulated
from eugenie_cli.demo.timeline import DAY_MS, DURATION_MS, live_faults
from eugenie_cli.history.batch import AssetReadings
from eugenie_cli.history.grid import Grid, align
from eugenie_cli.site.labels import Label
from eugenie_cli.site.schema import EquipmentClass
from eugenie_cli.training.datasets import split

START_MS = 1_767_225_600_000
STEP = "30s"
WARMER_PER_DAY = 0.02
"""K by which bearings get warmer: a tenth of an instrument's noise, so half a deviation in a month."""
DRIFTS = "bearing_temperature"


def plants(seed: int, days: float, live_days: float, model: dict[str, object], budget: float | str) -> Iterator[Plant]:
    """The feed pumps and the boosters of a plant: `days` to learn from, `live_days`, and one fault of each kind."""
    simulated = Simulated(seed, START_MS, START_MS + int((days + live_days) * DAY_MS))
    faults = live_faults(simulated, KINDS)
    end = max(fault.end for fault in faults) + DURATION_MS
    # the plant's own clock begins at the same instants, so the live part continues the history
    samples = replace(simulated, end=START_MS).live(end, faults)
    labels = [Label(fault.asset, fault.onset, fault.end, fault.carriers) for fault in faults]
    live = START_MS + int(days * DAY_MS)
    for class_name in (FEED_CLASS, BOOSTER_CLASS):
        machines = [(number, machine) for number, machine in enumerate(PUMPS) if machine.class_name == class_name]
        equipment = EquipmentClass.model_validate(
            {
                "sensors": [{"name": sensor, "role": "scored"} for sensor in machines[0][1].sensors],
                "step": STEP,
                "max_gap": "60s",
                "model": model,
                "alarm": {"budget": budget},
            }
        )
        grids = [_grid(samples, number, machine, equipment) for number, machine in machines]
        normal = [
            split(Grid(grid.asset, grid.edges[past], grid.rows[past]), np.ones(past.sum(), bool), 0.25)
            for grid in grids
            for past in [grid.edges < live]
        ]
        tests = [
            Part(grid.asset, grid, grid.edges >= live, tuple(label for label in labels if label.asset == grid.asset))
            for grid in grids
        ]
        yield Plant(class_name, equipment, tuple(normal), tuple(tests))


def _grid(samples: Samples, number: int, machine: Machine, equipment: EquipmentClass) -> Grid:
    own = samples.where((samples.pump == number) & samples.good)
    warmer = np.where(own.sensor == machine.sensors.index(DRIFTS), (own.ts - START_MS) / DAY_MS * WARMER_PER_DAY, 0.0)
    readings = AssetReadings(machine.name, machine.sensors, own.sensor.astype(np.int32), own.ts, own.value + warmer)
    return align(readings, sensors=machine.sensors, step_ms=equipment.step, max_gap_ms=equipment.max_gap)
