"""ASD: six application servers with 19 metrics each; a file for training and a later one with labelled events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection.dataset import WINDOWS, Figures, Plant, from_pairs
from benchmarks.detection.detector_runs import Scored
from benchmarks.detection.row_figures import by_row
from eugenie_cli.detection.metrics import average_precision, event_metrics, rank_sensors, root_cause_metrics

NAME = "asd"
FIRST_ROWS = 5
"""The first rows of an event, 25 minutes: what is known when an alarm is raised."""


def load(data: Path, model: Mapping[str, Any]) -> Plant:
    """The servers under `data`/asd, a row every five minutes: a window is ten hours."""
    delays = {"on_delay": 2, "off_delay": 2}
    return from_pairs(NAME, data / NAME, "5m", {**WINDOWS, **model}, alarm=delays)


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
