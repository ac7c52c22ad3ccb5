"""A training run in MLflow: parameters, losses, metrics, plots, the site file and the detector."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eugenie_cli.site.model import EquipmentClass, Site
from eugenie_cli.training import artifact, code, orphans, plots, record, store
from eugenie_cli.training.build import Built
from eugenie_cli.training.datasets import CALIBRATION, TRAINING, VALIDATION, NormalGrid
from eugenie_cli.training.fit import Epoch
from eugenie_cli.training.rate import Search

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MLFLOW_PARENT = "mlflow.parentRunId"
# How often the machine's load is logged: a training of minutes has a curve.
_SYSTEM_INTERVAL_S = 5.0
# MLflow refuses longer parameter values.
_LONGEST_VALUE = 6000


class TrainingRun:
    """An MLflow run that is being written."""

    def __init__(self, client: MlflowClient, run_id: str, artifacts: str) -> None:
        self._client = client
        self.id = run_id
        self.detector = f"{artifacts}/{store.DETECTOR}"
        """Where `log_built` puts the detector."""

    def log_data(self, equipment: EquipmentClass, grids: Sequence[NormalGrid], fingerprint: str) -> None:
        """What is trained on, and how."""
        settings = equipment.model.model_dump(mode="json")
        counts = {part: sum(grid.count(part) for grid in grids) for part in (TRAINING, VALIDATION, CALIBRATION)}
        known = {f"model.{name}": value for name, value in settings.items()} | {
            "alarm.budget": equipment.alarm.budget,
            "sensors": ", ".join(equipment.sensor_names),
            "assets": ", ".join(grid.asset for grid in grids),
            "rows.training": counts[TRAINING],
            "rows.validation": counts[VALIDATION],
            "rows.calibration": counts[CALIBRATION],
            "data_fingerprint": fingerprint,
        }
        for name, value in known.items():
            self._client.log_param(self.id, name, str(value)[:_LONGEST_VALUE])
        self._client.log_dict(self.id, {grid.asset: _periods(grid) for grid in grids}, record.PERIODS)

    def log_epoch(self, epoch: Epoch) -> None:
        """The losses of an epoch, as they come."""
        self._client.log_metric(self.id, "loss", epoch.loss, step=epoch.number)
        self._client.log_metric(self.id, "validation_loss", epoch.validation, step=epoch.number)

    def log_search(self, search: Search) -> None:
        """The learning rate that was found, and the losses at those that were tried."""
        self._client.log_param(self.id, "learning_rate", f"{search.rate:g}")
        with tempfile.TemporaryDirectory(prefix="eugenie-") as folder:
            plots.search(search, Path(folder) / "learning_rate.png")
            self._client.log_artifact(self.id, str(Path(folder) / "learning_rate.png"))

    def log_built(self, site: Site, built: Built, metrics: dict[str, float]) -> None:
        """Metrics, plots, the site file as it was, and the detector."""
        for name, value in metrics.items():
            self._client.log_metric(self.id, name, value)
        with tempfile.TemporaryDirectory(prefix="eugenie-") as folder:
            artifact.save(built.detector, Path(folder) / store.DETECTOR)
            self._client.log_artifacts(self.id, str(Path(folder) / store.DETECTOR), store.DETECTOR)
            if built.fit is not None:
                plots.losses(built.fit.epochs, Path(folder) / "losses.png")
            plots.calibration(built.detector, built.statistic, Path(folder) / "calibration.png")
            for picture in sorted(Path(folder).glob("*.png")):
                self._client.log_artifact(self.id, str(picture))
        if site.file.is_file():
            self._client.log_artifact(self.id, str(site.file))


@contextmanager
def training_run(
    site: Site, class_name: str, *, parent: str | None = None, tags: Mapping[str, str] | None = None
) -> Iterator[TrainingRun]:
    """A run of the site's experiment: finished when the block ends, failed or killed when it does not. It holds how
    busy the machine was. `parent`: the run of the whole command."""
    client = store.client(site)
    known = {"eugenie.class": class_name, **(tags or {})}
    above = {MLFLOW_PARENT: parent} if parent else {}
    with _run(site, client, class_name, known | above) as run, _watched(client, run.info.run_id):
        yield TrainingRun(client, run.info.run_id, run.info.artifact_uri)


@contextmanager
def command_run(site: Site, class_names: Sequence[str]) -> Iterator[str]:
    """A run for one command over several classes: the parent of theirs. Yields its id."""
    client = store.client(site)
    with _run(site, client, f"train {', '.join(class_names)}", {"eugenie.classes": ", ".join(class_names)}) as run:
        yield run.info.run_id


@contextmanager
def _run(site: Site, client: MlflowClient, name: str, tags: Mapping[str, str]) -> Iterator[Run]:
    run = client.create_run(
        store.experiment(site, client),
        run_name=name,
        tags={
            "eugenie.site": site.site,
            "mlflow.source.name": "eugenie train",
            **tags,
            **orphans.marks(),
            **code.tags(),
        },
    )
    try:
        yield run
    except KeyboardInterrupt:
        client.set_terminated(run.info.run_id, "KILLED")
        raise
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id, "FINISHED")


@contextmanager
def _watched(client: MlflowClient, run_id: str) -> Iterator[None]:
    """MLflow's own system metrics (CPU, memory, disk, network, GPUs) for the length of the block."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(
        run_id,
        sampling_interval=_SYSTEM_INTERVAL_S,
        samples_before_logging=1,
        tracking_uri=client.tracking_uri,
    )
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()


def _periods(grid: NormalGrid) -> dict[str, list[str]]:
    """First and last edge of each part of an asset's rows, ISO 8601."""
    from eugenie_cli.episodes.records import iso

    names = {TRAINING: "training", VALIDATION: "validation", CALIBRATION: "calibration"}
    spans = {}
    for part, name in names.items():
        edges = grid.edges[grid.part == part]
        spans[name] = [iso(int(edges[0])), iso(int(edges[-1]))] if len(edges) else []
    return spans
