"""What the tracking server keeps of the run that trained a version."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eugenie_cli.episodes.records import iso

if TYPE_CHECKING:
    from mlflow import MlflowClient

PERIODS = "periods.json"
"""Artifact of a run: asset -> part (training, validation, calibration) -> first and last instant, ISO 8601."""

Periods = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class TrainingRecord:
    """A finished run. `ended`: ISO 8601; `periods` is empty for a run that did not log them."""

    run_id: str
    ended: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    periods: Periods


def of_run(client: MlflowClient, run_id: str) -> TrainingRecord:
    """The record of a run."""
    run = client.get_run(run_id)
    ended = iso(run.info.end_time) if run.info.end_time else "never"
    return TrainingRecord(
        run_id, ended, dict(run.data.params), dict(run.data.metrics), dict(run.data.tags), _periods(client, run_id)
    )


def _periods(client: MlflowClient, run_id: str) -> Periods:
    if not any(file.path == PERIODS for file in client.list_artifacts(run_id)):
        return {}
    return dict(json.loads(Path(client.download_artifacts(run_id, PERIODS)).read_text(encoding="utf-8")))
