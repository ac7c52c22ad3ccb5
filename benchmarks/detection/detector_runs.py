"""Every detector over a protocol's plant: scores, and the events of the product's episode state machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.detection.dataset import Part, Plant
from eugenie_cli.detection.alarm_forecast import AlarmForecast
from eugenie_cli.detection.arrays import Floats
from eugenie_cli.episodes.delays import Delays
from eugenie_cli.episodes.state_machine import Event
from eugenie_cli.evaluation.backtest import alarm_rule
from eugenie_cli.evaluation.episodes import replay
from eugenie_cli.evaluation.performance import Judgement, judge

if TYPE_CHECKING:
    from eugenie_cli.training.build import Built

MODEL = "model"
USUAL = Delays()
SEGMENT_ROWS = 4096
"""Rows that the graph scores in one call, as `eugenie evaluate` does."""


@dataclass(frozen=True)
class Scored:
    """A part, scored by one detector. `score` [T]; `events` of the episode state machine; `judgement` by the labels."""

    part: Part
    score: Floats
    contribution: Floats
    events: tuple[Event, ...]
    judgement: Judgement


def baselines(plant: Plant) -> Iterator[tuple[str, list[Scored]]]:
    """Every classical detector, by name, trained and calibrated on the same rows as the model."""
    from eugenie_cli.detection.baselines import BASELINES, fit
    from eugenie_cli.training.datasets import CALIBRATION

    learnt = {grid.asset: grid.rows[grid.learnt] for grid in plant.normal}
    held_out = {grid.asset: grid.rows[grid.part == CALIBRATION] for grid in plant.normal}
    for name, factory in BASELINES.items():
        detector = fit(factory, learnt, held_out, plant.equipment.alarm_policy)
        yield (
            name,
            [
                _judged(plant, part, *detector.score(part.grid.asset, part.grid.rows), detector.delays)
                for part in plant.tests
            ],
        )


def model(plant: Plant) -> tuple[list[Scored], Mapping[str, float]]:
    """The product's model, scored by its exported graph; and figures of its training."""
    built, scored = trained(plant)
    calibration = built.detector.calibration
    return scored, {
        "margin": calibration.margin,
        "rehearsal": calibration.rehearsal,
        "fit_s": built.fit.seconds,
        "context_sensors": float(np.count_nonzero(~built.detector.scored)),
        **_expected(calibration.forecast),
    }


def _expected(forecast: AlarmForecast | None) -> dict[str, float]:
    """The ranges that training promises: the share of normal rows above 1, and alarms of an asset and day."""
    if forecast is None:
        return {}
    ranges = {"expected_flagged": forecast.all.rows, "expected_alarm_rate": forecast.all.alarms}
    return {f"{name}_{end}": getattr(range_, end) for name, range_ in ranges.items() for end in ("low", "high")}


def trained(plant: Plant) -> tuple[Built, list[Scored]]:
    """The product's model, trained and calibrated, and the parts as its exported graph scores them."""
    from eugenie_cli.detection.scoring import ScoringModule
    from eugenie_cli.progress import SILENT
    from eugenie_cli.training.build import build

    built = build(plant.name, plant.equipment, plant.normal, SILENT)
    graph = ScoringModule(built.detector)
    delays = built.detector.calibration.delays
    return built, [_judged(plant, part, *_score(graph, part), delays) for part in plant.tests]


def _score(graph, part: Part) -> tuple[Floats, Floats]:
    import tensorflow as tf

    rows = part.grid.rows
    before = graph.window - 1
    padded = np.concatenate([np.full((before, rows.shape[1]), np.nan, np.float32), rows])
    score, contribution = [], []
    for first in range(0, len(rows), SEGMENT_ROWS):
        segment = padded[None, first : first + SEGMENT_ROWS + before]
        answer = graph.serving_default(tf.constant([part.grid.asset]), tf.constant(segment))
        score.append(answer["score"].numpy()[0])
        contribution.append(answer["contribution"].numpy()[0])
    return np.concatenate(score), np.concatenate(contribution)


def _judged(plant: Plant, part: Part, score: Floats, contribution: Floats, delays: Delays = USUAL) -> Scored:
    edges, rows = part.grid.edges, part.grid.rows
    events = replay(alarm_rule(plant.equipment, delays), edges, score, contribution, values=rows)
    judgement = judge(
        part.grid.asset,
        edges,
        score,
        contribution,
        events,
        judged=part.judged,
        labels=part.labels,
        sensors=plant.equipment.sensor_names,
    )
    return Scored(part, score, contribution, tuple(events), judgement)
