"""Tennessee Eastman process: one plant, 500 normal rows for training, nine runs with a fault from row 160 on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection.dataset import Figures, Plant, from_one_asset
from benchmarks.detection.detector_runs import Scored
from benchmarks.detection.row_figures import by_row

NAME = "tep"
FAULT_ROW = 160
UNDETECTABLE = (3, 9)
"""Faults known to change next to nothing: reported, but not included in the mean."""
SETTINGS = {"window": 60, "warmup": 20, "horizons": (1, 5, 10)}
"""Three hours at a row every three minutes: the 500 rows contain eight such windows."""


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The runs under `data`/tep."""
    folder = data / NAME
    judged = ["normal-test", *(path.stem for path in sorted(folder.glob("fault-*.csv")))]
    return from_one_asset(NAME, "te-plant", folder, "normal-train", judged, "3m", {**SETTINGS, **model})


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
