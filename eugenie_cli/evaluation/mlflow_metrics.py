"""Logs an evaluation to the MLflow runs that trained the versions: the figures of each, and the report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.evaluate import Evaluation
from eugenie_cli.evaluation.report import performance_json
from eugenie_cli.progress import Progress
from eugenie_cli.training.mlflow_store import StoreUnreachableError
from eugenie_cli.training.registry import Registry

PREFIX = "evaluate"
FOLDER = "evaluation"
"""The folder of a run's artifacts that holds its reports."""


def track(registry: Registry, evaluation: Evaluation, page: Path, progress: Progress) -> None:
    """Log the figures of the version and of each baseline as metrics `evaluate.*` of its run, a candidate's figures to
    the candidate's run, and the report page to both.

    The evaluation does not depend on it: an unreachable store, or one without the run, is only reported.
    """
    candidate = evaluation.candidate
    runs = {evaluation.run_id: metrics(evaluation)}
    if candidate is not None and candidate.run_id not in runs:
        runs[candidate.run_id] = dict(_flat(PREFIX, performance_json(candidate.model)))
    for run_id, figures in runs.items():
        try:
            _log(registry, run_id, figures, page)
        except (EugenieError, OSError) as problem:
            progress.say(f"not logged to MLflow: {problem}")
            if isinstance(problem, StoreUnreachableError):
                return


def _log(registry: Registry, run_id: str, figures: Mapping[str, float], page: Path) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    registry.client.log_batch(run_id, metrics=[Metric(name, value, now, 0) for name, value in figures.items()])
    registry.client.log_artifact(run_id, str(page), FOLDER)


def metrics(evaluation: Evaluation) -> dict[str, float]:
    """Known figures by metric name: `evaluate.point.f1`, `evaluate.baselines.mewma.vus_pr`, ..."""
    figures = dict(_flat(PREFIX, performance_json(evaluation.model)))
    for name, baseline in evaluation.baselines.items():
        figures |= _flat(f"{PREFIX}.baselines.{name}", performance_json(baseline))
    return figures


def _flat(prefix: str, document: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in document.items():
        key = f"{prefix}.{name}".replace("@", "_at_")  # MLflow allows no @ in a name
        if isinstance(value, Mapping):
            yield from _flat(key, value)
        elif value is not None:
            yield key, float(value)
