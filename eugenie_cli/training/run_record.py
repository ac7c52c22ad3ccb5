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
from eugenie_cli.training.store_client import StoreError

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
    """The record of a run. Raises EugenieError when the store no longer has it, or it is damaged."""
    run = _run(client, run_id)
    ended = iso(run.info.end_time) if run.info.end_time else "never"
    return TrainingRecord(
        run_id, ended, dict(run.data.params), dict(run.data.metrics), dict(run.data.tags), _periods(client, run_id)
    )


def learnt_by(client: MlflowClient, run_id: str) -> Stretches | None:
    """The rows that a run used for training, validation or calibration; None for a run that did not record them.

    Raises EugenieError when the store no longer has the run, or its record is damaged.
    """
    _run(client, run_id)
    document = _artifact(client, run_id, LEARNT)
    if document is None:
        return None
    try:
        return {
            asset: [(to_ms(parse_instant(first)), to_ms(parse_instant(last))) for first, last in stretches]
            for asset, stretches in document.items()
        }
    except (TypeError, ValueError) as problem:
        raise _damaged(run_id, LEARNT, problem) from problem


def _run(client: MlflowClient, run_id: str) -> Run:
    try:
        return client.get_run(run_id)
    except StoreError as problem:
        if not (problem.is_absent or problem.is_malformed):
            raise
        raise EugenieError(
            f"the tracking store has no run {run_id}: it was deleted permanently, or belongs to another store",
            "restore the store from a backup, or train again: `eugenie train --again`",
        ) from problem


def _periods(client: MlflowClient, run_id: str) -> Periods:
    periods = _artifact(client, run_id, PERIODS) or {}
    if not all(isinstance(parts, dict) for parts in periods.values()):
        raise _damaged(run_id, PERIODS, "it does not name the parts of each asset")
    return periods


def _artifact(client: MlflowClient, run_id: str, name: str) -> dict[str, Any] | None:
    """A JSON object among a run's artifacts; None for a run without it."""
    if not any(file.path == name for file in client.list_artifacts(run_id)):
        return None
    try:
        document = json.loads(Path(client.download_artifacts(run_id, name)).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise _damaged(run_id, name, problem) from problem
    if not isinstance(document, dict):
        raise _damaged(run_id, name, "it is not a JSON object")
    return document


def _damaged(run_id: str, name: str, problem: object) -> EugenieError:
    return EugenieError(
        f"{name} of run {run_id} is damaged: {problem}",
        "restore the run's artifacts from a backup, or train again: `eugenie train --again`",
    )
