"""Logs a training run: into the store of this machine or, for a server, into the spool first.

A server receives the run as it grows for as long as it answers. If it becomes unreachable, training is not affected:
the whole run is in the spool, and is uploaded at the end or later (`training.sync`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eugenie_cli.progress import Progress
from eugenie_cli.training import mlflow_model, mlflow_store, spool, sync
from eugenie_cli.training.registered_version import RegisteredVersion
from eugenie_cli.training.registry import Registry
from eugenie_cli.training.training_data import TrainingData
from eugenie_cli.training.upload import Delivery, log_data

if TYPE_CHECKING:
    from mlflow import MlflowClient

# How often the machine's load is logged: often enough for a curve of a training run of minutes.
_SYSTEM_INTERVAL_S = 5.0


class RunLogger(Protocol):
    """A run that is being written. `id`: the run's id, or its name in the spool until it is on a server."""

    id: str

    def params(self, values: Mapping[str, str]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None: ...

    def artifact(self, source: Path, at: str = "") -> None:
        """Logs a file, or the files of a folder, in folder `at` of the run's artifacts."""

    def data(self, used: TrainingData) -> None:
        """Logs the data set that the run learns from."""

    def register(self, class_name: str, tags: Mapping[str, str], described: Path) -> RegisteredVersion | None:
        """Makes the run's detector a version; None if it has to wait for the server. `described`: the card's folder."""

    def close(self, status: str) -> None:
        """Ends the run with status FINISHED, FAILED or KILLED."""


class StoreRunLogger:
    """A run in a store of this machine."""

    def __init__(self, registry: Registry, name: str, tags: Mapping[str, str]) -> None:
        self._registry, self._client = registry, registry.client
        run = self._client.create_run(registry.experiment(), run_name=name, tags=dict(tags))
        self.id = str(run.info.run_id)
        self.detector = f"{run.info.artifact_uri}/{mlflow_store.DETECTOR}"
        self._load = _Load(self._client, self.id)

    def params(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self._client.log_param(self.id, name, value)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        for name, value in values.items():
            self._client.log_metric(self.id, name, value, step=step)

    def artifact(self, source: Path, at: str = "") -> None:
        log = self._client.log_artifacts if source.is_dir() else self._client.log_artifact
        log(self.id, str(source), at or None)

    def data(self, used: TrainingData) -> None:
        log_data(self._client, self.id, used)

    def register(self, class_name: str, tags: Mapping[str, str], described: Path) -> RegisteredVersion | None:
        described_as = mlflow_model.description(described)
        return self._registry.register(class_name, self.id, self.detector, tags, described_as)

    def close(self, status: str) -> None:
        self._load.stop()
        self._client.set_terminated(self.id, status)


class SpoolRunLogger:
    """A run for a server. `is_reached`: False if the server was unreachable from the beginning."""

    def __init__(self, registry: Registry, run: spool.SpooledRun, progress: Progress, *, is_reached: bool) -> None:
        self._registry, self._class_name, self._progress = registry, run.head.class_name, progress
        self._run = run
        self.id = self._run.head.id
        self._load: _Load | None = None
        self._delivery = Delivery(registry, self._run) if is_reached else None
        if self._forward(lambda delivery: delivery.begin()):
            self._load = _Load(registry.client, self.id)

    def params(self, values: Mapping[str, str]) -> None:
        self._run.add_params(values)
        self._forward(lambda delivery: delivery.forward())

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        self._run.add_metrics(values, step)
        self._forward(lambda delivery: delivery.forward())

    def artifact(self, source: Path, at: str = "") -> None:
        self._run.add_artifact(source, at)

    def data(self, used: TrainingData) -> None:
        self._run.set_data(used)
        self._forward(lambda delivery: delivery.forward())

    def register(self, class_name: str, tags: Mapping[str, str], described: Path) -> RegisteredVersion | None:  # noqa: ARG002
        self._stop_load()
        self._run.finish(tags)
        try:
            delivery = self._delivery or Delivery(self._registry.reconnected(), self._run)
            registered = delivery.complete()
        except Exception as problem:  # noqa: BLE001 - after any failure the complete run is in the spool
            reason, _ = sync.why(problem)
            self._progress.say(
                f"{class_name}: trained, but not uploaded to the tracking server ({reason}). The run waits in "
                f"{self._run.folder}; `eugenie models sync` or the next training run uploads it"
            )
            return None
        self.id = registered.run_id
        return registered

    def close(self, status: str) -> None:
        self._stop_load()
        if self._run.ended is None and status != _FINISHED:
            self._forward(lambda delivery: delivery.abandon(status))
            self._run.drop()

    def _forward(self, action: Callable[[Delivery], Any]) -> bool:
        """Runs `action` if the server has answered so far; after a failure the rest waits in the spool."""
        if self._delivery is None:
            return False
        try:
            action(self._delivery)
        except Exception as problem:  # noqa: BLE001 - no failure of the server may stop training
            self._delivery = None
            reason, _ = sync.why(problem)
            self._progress.say(f"{self._class_name}: the tracking server failed ({reason}); training continues")
            self._stop_load()
            return False
        self.id = self._delivery.begin()
        return True

    def _stop_load(self) -> None:
        if self._load is not None:
            self._load.stop()
            self._load = None


_FINISHED = "FINISHED"


class _Load:
    """MLflow's own system metrics (CPU, memory, disk, network, GPUs) of this machine, until `stop`."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        # its failures are not news: the run itself reports an unreachable server
        logging.getLogger("mlflow.system_metrics.system_metrics_monitor").setLevel(logging.CRITICAL)
        self._monitor = SystemMetricsMonitor(
            run_id,
            sampling_interval=_SYSTEM_INTERVAL_S,
            samples_before_logging=1,
            tracking_uri=client.tracking_uri,
        )
        self._monitor.start()

    def stop(self) -> None:
        self._monitor.finish()
