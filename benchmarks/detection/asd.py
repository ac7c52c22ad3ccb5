"""ASD: six application servers with 19 metrics each; a file for training and a later one with labelled events."""

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
from eugenie_cli.detection.metrics import average_precision, event_metrics, rank_sensors, root_cause_metrics
from eugenie_cli.site.schema import EquipmentClass

NAME = "asd"
SETTINGS = {"window": 120, "warmup": 60, "horizons": (1, 5, 10)}
"""Ten hours at a row every five minutes: the product's defaults."""

FIRST_ROWS = 5
"""The first rows of an event, 25 minutes: what is known when an alarm is raised."""


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The servers under `data`/asd."""
    folder = data / "asd"
    labels = read_labels(folder / "labels.csv")
    files = sorted(folder.glob("*-train.csv"))
    sensors = read_table(files[0]).sensors
    equipment = EquipmentClass.model_validate(
        {"sensors": [{"name": name} for name in sensors], "step": "5m", "max_gap": "5m",
         "model": {**SETTINGS, **model}, "alarm": {"on_delay": 2, "off_delay": 2}}
    )  # fmt: skip
    normal, tests = [], []
    for path in files:
        asset = path.stem.removesuffix("-train")
        train, test = read_table(path), read_table(folder / f"{asset}-test.csv")
        normal.append(normal_until(grid_of(asset, train, equipment), int(train.instants[-1]) + 1, equipment))
        run = grid_of(asset, test, equipment)
        tests.append(Part(asset, run, np.isin(run.edges, test.instants), labels_within(labels, run)))
    return Plant(NAME, equipment, tuple(normal), tuple(tests))


def figures(plant: Plant, runs: Sequence[Scored]) -> Figures:
    """Average precision by row over all servers; events by the alarm; root cause over whole events and, for events
    with an alarm, as its first record names it."""
    judgements = [run.judgement for run in runs]
    rows = average_precision([(judgement.score, judgement.labelled) for judgement in judgements])
    events = event_metrics(
        [event for judgement in judgements for event in judgement.events],
        [raised for judgement in judgements for raised in judgement.raised],
    )
    whole = root_cause_metrics([blame for judgement in judgements for blame in judgement.blamed])
    opening = [blame for run in runs for blame in _blamed_when_opening(plant, run)]
    first = [blame for run in runs for blame in _blamed_by_first_rows(plant, run)]
    quiet = np.concatenate([judgement.score[~judgement.labelled] for judgement in judgements])
    figures = {
        **by_row(runs),
        "average_precision": rows or 0.0,
        "events": float(events.total),
        "events_found": float(events.detected),
        "false_alarms": float(events.false_alarms),
        "false_alarm_rate": float(np.mean(quiet > 1)),
        **_root_cause(whole, ""),
        **_root_cause(root_cause_metrics(first), "_first_rows"),
        "alarms_that_blame": float(len(opening)),
    }
    return figures | (_root_cause(root_cause_metrics(opening), "_at_alarm") if opening else {})


def _blamed_when_opening(plant: Plant, run: Scored) -> list[tuple[list[int], frozenset[int]]]:
    """Ranking and labelled sensors of each event in which an alarm opened, from the rows until it opened."""
    names = plant.equipment.sensor_names
    blamed = []
    for label in run.part.labels:
        first = next((e for e in run.events if e.kind == "open" and label.start <= e.at < label.end), None)
        if first is not None:
            ranking = [int(place) for place in np.argsort(-np.array(first.contribution), kind="stable")]
            blamed.append((ranking, frozenset(names.index(name) for name in label.sensors)))
    return blamed


def _blamed_by_first_rows(plant: Plant, run: Scored) -> list[tuple[list[int], frozenset[int]]]:
    """The same for every event from its first rows only, as if an alarm had been raised there."""
    names, edges = plant.equipment.sensor_names, run.part.grid.edges
    blamed = []
    for label in run.part.labels:
        rows = np.flatnonzero((edges >= label.start) & (edges < label.end) & run.part.judged)[:FIRST_ROWS]
        ranking = rank_sensors(run.score[rows], run.contribution[rows])
        blamed.append((ranking, frozenset(names.index(name) for name in label.sensors)))
    return blamed


def _root_cause(metrics, suffix: str) -> dict[str, float]:
    return {
        f"hit@1{suffix}": metrics.hit_at_1 or 0.0,
        f"hit@3{suffix}": metrics.hit_at_3 or 0.0,
        f"hitrate@100{suffix}": metrics.hitrate_at_100 or 0.0,
        f"hitrate@150{suffix}": metrics.hitrate_at_150 or 0.0,
    }
