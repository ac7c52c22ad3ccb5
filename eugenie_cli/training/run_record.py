"""The tracking server's record of the run that trained a version."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eugenie_cli.episodes.records import iso
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.field_types import parse_instant, to_ms

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PERIODS = "periods.json"
"""Artifact of a run: asset -> part (training, validation, calibration) -> first and last instant, ISO 8601."""

LEARNT = "learnt.json"
"""Artifact of a run: asset -> first and last instant, ISO 8601, of each stretch of rows used for any part."""

Periods = Mapping[str, Mapping[str, Sequence[str]]]
Stretches = Mapping[str, Sequence[tuple[int, int]]]
"""asset -> first and last edge of stretches of rows, ms since 1970 UTC, in order."""


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
    """The record of a run. Raises EugenieError when the store no longer has it."""
    run = _run(client, run_id)
    ended = iso(run.info.end_time) if run.info.end_time else "never"
    return TrainingRecord(
        run_id, ended, dict(run.data.params), dict(run.data.metrics), dict(run.data.tags), _periods(client, run_id)
    )


def learnt_by(client: MlflowClient, run_id: str) -> Stretches | None:
    """The rows that a run used for training, validation or calibration; None for a run that did not record them.

    Raises EugenieError when the store no longer has the run.
    """
    _run(client, run_id)
    document = _artifact(client, run_id, LEARNT)
    if document is None:
        return None
    return {
        asset: [(to_ms(parse_instant(first)), to_ms(parse_instant(last))) for first, last in stretches]
        for asset, stretches in document.items()
    }


def _run(client: MlflowClient, run_id: str) -> Run:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as problem:
        raise EugenieError(
            f"the tracking store has no run {run_id}: it was deleted, or belongs to another store",
            "restore it (`mlflow runs restore`), or train again: `eugenie train --again`",
        ) from problem


def _periods(client: MlflowClient, run_id: str) -> Periods:
    return _artifact(client, run_id, PERIODS) or {}


def _artifact(client: MlflowClient, run_id: str, name: str) -> dict[str, Any] | None:
    if not any(file.path == name for file in client.list_artifacts(run_id)):
        return None
    return dict(json.loads(Path(client.download_artifacts(run_id, name)).read_text(encoding="utf-8")))
