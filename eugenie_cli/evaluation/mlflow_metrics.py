"""Logs an evaluation's figures to the MLflow run that trained the model version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.evaluate import Evaluation
from eugenie_cli.evaluation.report import performance_json
from eugenie_cli.progress import Progress
from eugenie_cli.training.registry import Registry

PREFIX = "evaluate"


def track(registry: Registry, evaluation: Evaluation, progress: Progress) -> None:
    """Log the figures of the model, and of each baseline, as metrics `evaluate.*` of the run.

    The evaluation does not depend on it: an unreachable store, or one without the run, is only reported.
    """
    from mlflow.exceptions import MlflowException

    from eugenie_cli.training import mlflow_store

    try:
        for name, value in metrics(evaluation).items():
            registry.client.log_metric(evaluation.run_id, name, value)
    except (EugenieError, MlflowException) as error:
        progress.say(f"not logged to MLflow: {mlflow_store.first_line(error)}")


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
