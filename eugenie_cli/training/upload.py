"""A spooled run on its way to the tracking server, and what it is there: a run, and a version of its class.

Every step looks first at what the server has already, so a run that was sent in part, or whose answer was lost, is sent
again without being there twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from eugenie_cli.errors import EugenieError
from eugenie_cli.locks import alone
from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.site.load import workspace_of
from eugenie_cli.training import mlflow_model, mlflow_store, spool
from eugenie_cli.training.registry import RegisteredVersion, Registry

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

T = TypeVar("T")
# What MLflow takes at a time.
_PARAMS_AT_ONCE, _METRICS_AT_ONCE = 100, 1000


class Delivery:
    """One run. Methods raise whatever MLflow and its artifact stores do; each may be called again after that."""

    def __init__(self, site: HasTracking, client: MlflowClient, run: spool.SpooledRun) -> None:
        self._site, self._client, self._run = site, client, run
        self._head = run.head
        self._there: Run | None = None
        self._params: dict[str, str] = {}
        self._metrics = 0
        self._known: set[tuple[str, int, int, float]] = set()

    def begin(self) -> str:
        """The run's id on the server, where it is made if it is not there."""
        if self._there is None:
            self._there = self._find() or self._create()
        return str(self._there.info.run_id)

    def forward(self) -> None:
        """Parameters and metrics that the server does not have yet."""
        from mlflow.entities import Metric, Param

        run_id = self.begin()
        params = {name: value for name, value in self._run.params.items() if self._params.get(name) != value}
        with mlflow_store.once():
            for part in _parts([Param(*item) for item in params.items()], _PARAMS_AT_ONCE):
                self._client.log_batch(run_id, params=part)
            self._params |= params
            new = self._run.metrics(after=self._metrics)
            for some in _parts(new, _METRICS_AT_ONCE):
                unknown = [one for one in some if (one.key, one.timestamp, one.step, one.value) not in self._known]
                metrics = [Metric(one.key, one.value, one.timestamp, one.step) for one in unknown]
                self._client.log_batch(run_id, metrics=metrics)
                self._metrics += len(some)

    def complete(self) -> RegisteredVersion:
        """All of a whole run; then its folder is gone."""
        with alone(workspace_of(self._site).spool / spool.LOCK):
            ended = self._run.ended
            if ended is None:  # another process has sent it in the meantime
                return self._sent()
            self.forward()
            run_id, class_name = self.begin(), self._head.class_name
            self._client.log_artifacts(run_id, str(self._run.artifacts))
            registered = self._register(run_id, class_name)
            self._client.set_terminated(run_id, "FINISHED", end_time=ended)
            self._run.drop()
            return registered

    def abandon(self, status: str) -> None:
        """Says how a run ended of which nothing becomes a version."""
        self.forward()
        self._client.set_terminated(self.begin(), status)

    def _register(self, run_id: str, class_name: str) -> RegisteredVersion:
        registry = Registry(self._site, self._client)
        there = registry.of_run(class_name, run_id)
        if there is not None:
            return there
        source = f"{self._client.get_run(run_id).info.artifact_uri}/{mlflow_store.DETECTOR}"
        with mlflow_store.once():
            return registry.register(
                class_name, run_id, source, self._run.version_tags, mlflow_model.description(self._run.artifacts)
            )

    def _sent(self) -> RegisteredVersion:
        there = self._there or self._find()
        found = Registry(self._site, self._client).of_run(self._head.class_name, there.info.run_id) if there else None
        if found is None:
            raise EugenieError(
                f"{self._head.class_name}: the spooled run {self._head.id} is gone, and no version is made of it",
                f"`eugenie train --class {self._head.class_name}`",
            )
        return found

    def _find(self) -> Run | None:
        head = self._head
        wanted = f"tags.`{spool.TAG}` = '{head.id}'"
        found = self._client.search_runs([mlflow_store.experiment(self._site, self._client)], wanted, max_results=1)
        for run in found:
            for key in {one.key for one in self._run.metrics()}:
                history = self._client.get_metric_history(run.info.run_id, key)
                self._known |= {(key, one.timestamp, one.step, one.value) for one in history}
        return found[0] if found else None

    def _create(self) -> Run:
        head = self._head
        with mlflow_store.once():
            return self._client.create_run(
                mlflow_store.experiment(self._site, self._client),
                start_time=head.start,
                tags=dict(head.tags),
                run_name=head.class_name,
            )


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
