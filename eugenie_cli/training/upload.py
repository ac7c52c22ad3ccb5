"""Uploads a spooled run to the tracking server, where it becomes a run and a version of its class.

Every step first checks what the server already has, so a run that was partly uploaded, or whose response was lost, can
be uploaded again without duplicates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from eugenie_cli.errors import EugenieError
from eugenie_cli.locks import exclusive
from eugenie_cli.training import mlflow_model, mlflow_store, spool
from eugenie_cli.training.registered_version import RegisteredVersion
from eugenie_cli.training.registry import Registry
from eugenie_cli.training.training_data import CONTEXT, CONTEXT_TAG, TrainingData

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

T = TypeVar("T")
# MLflow's limits for one request.
_PARAMS_AT_ONCE, _METRICS_AT_ONCE = 100, 1000


class Delivery:
    """The upload of one run. Methods raise whatever MLflow and its artifact stores raise, and may be called again."""

    def __init__(self, registry: Registry, run: spool.SpooledRun) -> None:
        self._registry, self._client, self._run = registry, registry.client, run
        self._head = run.head
        self._uploaded: Run | None = None
        self._params: dict[str, str] = {}
        self._metrics = 0
        self._known: set[tuple[str, int, int, float]] = set()
        self._has_data = False

    def begin(self) -> str:
        """The run's id on the server, which creates the run if it does not exist."""
        if self._uploaded is None:
            self._uploaded = self._find() or self._create()
        return str(self._uploaded.info.run_id)

    def forward(self) -> None:
        """Uploads the parameters, data set and metrics that the server does not have yet."""
        from mlflow.entities import Metric, Param

        run_id = self.begin()
        params = {name: value for name, value in self._run.params.items() if self._params.get(name) != value}
        with mlflow_store.once():
            for params_batch in _batches([Param(*item) for item in params.items()], _PARAMS_AT_ONCE):
                self._client.log_batch(run_id, params=params_batch)
            self._params |= params
            used = self._run.data
            if used is not None and not self._has_data:
                log_data(self._client, run_id, used)
                self._has_data = True
            new = self._run.metrics(after=self._metrics)
            for batch in _batches(new, _METRICS_AT_ONCE):
                unknown = [
                    item for item in batch if (item.key, item.timestamp, item.step, item.value) not in self._known
                ]
                metrics = [Metric(item.key, item.value, item.timestamp, item.step) for item in unknown]
                self._client.log_batch(run_id, metrics=metrics)
                self._metrics += len(batch)

    def complete(self) -> RegisteredVersion:
        """Uploads all of a complete run, registers its version and removes its folder from the spool."""
        with exclusive(self._run.folder.parent / spool.LOCK):
            ended = self._run.ended
            if ended is None:  # another process has uploaded it in the meantime
                return self._version()
            self.forward()
            run_id, class_name = self.begin(), self._head.class_name
            self._client.log_artifacts(run_id, str(self._run.artifacts))
            registered = self._register(run_id, class_name)
            self._client.set_terminated(run_id, "FINISHED", end_time=ended)
            self._run.drop()
            return registered

    def abandon(self, status: str) -> None:
        """Records the status of a run that ended without a version."""
        self.forward()
        self._client.set_terminated(self.begin(), status)

    def _register(self, run_id: str, class_name: str) -> RegisteredVersion:
        registered = self._registry.of_run(class_name, run_id)
        if registered is not None:
            return registered
        source = f"{self._client.get_run(run_id).info.artifact_uri}/{mlflow_store.DETECTOR}"
        with mlflow_store.once():
            return self._registry.register(
                class_name, run_id, source, self._run.version_tags, mlflow_model.description(self._run.artifacts)
            )

    def _version(self) -> RegisteredVersion:
        run = self._uploaded or self._find()
        version = self._registry.of_run(self._head.class_name, run.info.run_id) if run else None
        if version is None:
            raise EugenieError(
                f"{self._head.class_name}: the spooled run {self._head.id} has disappeared and has no version",
                f"train the class again: `eugenie train --class {self._head.class_name}`",
            )
        return version

    def _find(self) -> Run | None:
        head = self._head
        tagged = f"tags.`{spool.TAG}` = '{head.id}'"
        runs = self._client.search_runs([self._registry.experiment()], tagged, max_results=1)
        for run in runs:
            for key in {metric.key for metric in self._run.metrics()}:
                history = self._client.get_metric_history(run.info.run_id, key)
                self._known |= {(key, metric.timestamp, metric.step, metric.value) for metric in history}
        return runs[0] if runs else None

    def _create(self) -> Run:
        head = self._head
        with mlflow_store.once():
            return self._client.create_run(
                self._registry.experiment(),
                start_time=head.start,
                tags=dict(head.tags),
                run_name=head.name or head.class_name,
            )


def log_data(client: MlflowClient, run_id: str, used: TrainingData) -> None:
    """Logs the data set of a run. A data set that it has already is not logged twice."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    entry = Dataset(used.name, used.digest, used.source_type, used.source, used.schema, used.profile)
    client.log_inputs(run_id, [DatasetInput(entry, [InputTag(CONTEXT_TAG, CONTEXT)])])


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
