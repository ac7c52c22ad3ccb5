"""Tennessee Eastman process: one plant, 500 normal rows for training, nine runs with a fault from row 160 on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection.dataset import (
    Figures,
    Part,
    Plant,
    grid_of,
    labels_within,
    normal_until,
    read_labels,
    read_table,
)
from benchmarks.detection.detector_runs import Scored
from benchmarks.detection.row_figures import by_row
from eugenie_cli.site.schema import EquipmentClass

NAME = "tep"
ASSET = "te-plant"
FAULT_ROW = 160
UNDETECTABLE = (3, 9)
"""Faults known to change next to nothing: reported, but not included in the mean."""
SETTINGS = {"window": 60, "warmup": 20, "horizons": (1, 5, 10)}
"""Three hours at a row every three minutes: the 500 rows contain eight such windows."""


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The runs under `data`/tep."""
    folder = data / "tep"
    labels = read_labels(folder / "labels.csv")
    train = read_table(folder / "normal-train.csv")
    equipment = EquipmentClass.model_validate(
        {"sensors": [{"name": name} for name in train.sensors], "step": "3m", "max_gap": "3m",
         "model": {**SETTINGS, **model}}
    )  # fmt: skip
    grid = grid_of(ASSET, train, equipment)
    normal = normal_until(grid, int(train.instants[-1]) + 1, equipment)
    tests = []
    for path in [folder / "normal-test.csv", *sorted(folder.glob("fault-*.csv"))]:
        table = read_table(path)
        run = grid_of(ASSET, table, equipment)
        tests.append(Part(path.stem, run, np.isin(run.edges, table.instants), labels_within(labels, run)))
    return Plant(NAME, equipment, (normal,), tuple(tests))


def figures(plant: Plant, runs: Sequence[Scored]) -> Figures:
    """Rates over judged rows with a score, for each fault and their mean. Delays until the alarm, in minutes."""
    minutes = plant.equipment.step / 60_000
    measured = dict(by_row(runs, [f"fault-{number:02}" for number in UNDETECTABLE]))
    rates, before, delays = {}, [], []
    for run in runs:
        score = run.judgement.score
        if run.part.name == "normal-test":
            measured["false_alarm_rate"] = _rate(score)
            continue
        number = int(run.part.name.removeprefix("fault-"))
        before.append(score[:FAULT_ROW])
        rates[number] = float(np.mean(score[FAULT_ROW:] > 1))
        start = run.part.labels[0].start
        raised = [alarm.detected for alarm in run.judgement.raised if alarm.end > start]
        if raised and number not in UNDETECTABLE:
            delays.append(max(0, min(raised) - start) / 60_000)
    measured["false_alarm_rate_before_faults"] = _rate(np.concatenate(before))
    measured["detection_rate"] = float(np.mean([rate for number, rate in rates.items() if number not in UNDETECTABLE]))
    measured |= {f"detection_rate_fault_{number}": rate for number, rate in sorted(rates.items())}
    if delays:
        measured |= {"delay_median_min": float(np.median(delays)), "delay_max_min": max(delays), "step_min": minutes}
    return measured


def _rate(score: np.ndarray) -> float:
    scored = score[~np.isnan(score)]
    return float(np.mean(scored > 1)) if len(scored) else 0.0
