"""A training run in MLflow: parameters, losses, metrics, plots, the site file and the detector."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eugenie_cli.episodes.records import iso
from eugenie_cli.history.grid import limits_by_name
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.alarm_settings import show_budget
from eugenie_cli.site.schema import Fleet
from eugenie_cli.training import (
    artifact,
    calibration_scores,
    code_version,
    mlflow_model,
    mlflow_store,
    plots,
    run_record,
    spool,
    stale_runs,
    training_data,
)
from eugenie_cli.training.build import Built
from eugenie_cli.training.datasets import CALIBRATION, TRAINING, VALIDATION, NormalGrid
from eugenie_cli.training.earlier_versions import CLASS_TAG, SITE_TAG
from eugenie_cli.training.fit import Epoch
from eugenie_cli.training.learning_rate import Search
from eugenie_cli.training.open_class import OpenClass
from eugenie_cli.training.registered_version import RegisteredVersion
from eugenie_cli.training.registry import Registry
from eugenie_cli.training.run_logger import RunLogger, SpoolRunLogger, StoreRunLogger
from eugenie_cli.training.store_client import StoreError

if TYPE_CHECKING:
    from mlflow import MlflowClient

MLFLOW_PARENT = "mlflow.parentRunId"
# MLflow refuses longer parameter values.
_LONGEST_VALUE = 6000
# When a run began, UTC, in its name; a run that registers a version is renamed to that.
_TIME_IN_NAME = "%Y-%m-%d %H:%M"


class TrainingRun:
    """An MLflow run that is being written."""

    def __init__(self, fleet: Fleet, logger: RunLogger, tags: Mapping[str, str]) -> None:
        self._fleet, self._logger, self._tags = fleet, logger, tags
        self._params: dict[str, str] = {}
        self._grids: tuple[NormalGrid, ...] = ()
        self._periods: dict[str, dict[str, list[str]]] = {}
        self._described = tempfile.TemporaryDirectory(prefix="eugenie-")

    @property
    def id(self) -> str:
        """The run's id, or its name in the spool until it is on a server."""
        return self._logger.id

    @property
    def detector(self) -> str:
        """The address at which `log_built` stores the detector, in a store of this machine."""
        assert isinstance(self._logger, StoreRunLogger)  # noqa: S101 - on a server, only registering gives the address
        return self._logger.detector

    def log_data(self, history: Path, grids: Sequence[NormalGrid], fingerprint: str) -> None:
        """Logs the training data, read from the folder `history`, and the settings."""
        equipment = self._fleet.equipment
        settings = equipment.model.model_dump(mode="json")
        counts = {part: sum(grid.count(part) for grid in grids) for part in (TRAINING, VALIDATION, CALIBRATION)}
        params = {f"model.{name}": value for name, value in settings.items()} | {
            "alarm.budget": show_budget(equipment.alarm.budget),
            "sensors": ", ".join(equipment.sensor_names),
            "assets": ", ".join(grid.asset for grid in grids),
            "rows.training": counts[TRAINING],
            "rows.validation": counts[VALIDATION],
            "rows.calibration": counts[CALIBRATION],
            "data_fingerprint": fingerprint,
        }
        self._params = {name: str(value)[:_LONGEST_VALUE] for name, value in params.items()}
        self._grids = tuple(grids)
        self._periods = {grid.asset: _periods(grid) for grid in grids}
        self._logger.params(self._params)
        self._logger.data(training_data.describe(self._fleet, history, grids, fingerprint))
        with tempfile.TemporaryDirectory(prefix="eugenie-") as folder:
            file = Path(folder) / run_record.PERIODS
            file.write_text(json.dumps(self._periods, indent=2, ensure_ascii=False), encoding="utf-8")
            self._logger.artifact(file)
            learnt = {grid.asset: [(iso(first), iso(last)) for first, last in grid.stretches()] for grid in grids}
            file = Path(folder) / run_record.LEARNT
            file.write_text(json.dumps(learnt, ensure_ascii=False), encoding="utf-8")
            self._logger.artifact(file)

    def log_epoch(self, epoch: Epoch) -> None:
        """Logs the losses of an epoch."""
        self._logger.metrics({"loss": epoch.loss, "validation_loss": epoch.validation}, epoch.number)

    def log_search(self, search: Search) -> None:
        """Logs the learning rate that was found, and a plot of the losses at the rates tried."""
        params = {"learning_rate": f"{search.rate:g}"}
        self._params |= params
        self._logger.params(params)
        with tempfile.TemporaryDirectory(prefix="eugenie-") as folder:
            file = Path(folder) / "learning_rate.png"
            plots.search(search, file)
            self._logger.artifact(file)

    def log_built(self, built: Built, metrics: dict[str, float], in_force: str) -> None:
        """Logs metrics, plots, the model card, the detector with its signature, and `in_force`: the effective site file
        without secrets."""
        self._logger.metrics(metrics)
        with tempfile.TemporaryDirectory(prefix="eugenie-") as name:
            folder = Path(name)
            detector = folder / mlflow_store.DETECTOR
            artifact.save(built.detector, detector)
            mlflow_model.write_mlmodel(built.detector, limits_by_name(self._fleet.equipment), detector)
            self._logger.artifact(detector, mlflow_store.DETECTOR)
            if built.fit is not None:
                plots.losses(built.fit.epochs, folder / "losses.png")
            plots.calibration(built.detector, built.statistic, folder / "calibration.png")
            if shown := calibration_scores.judge(built.detector, self._grids, built.statistic) if self._grids else ():
                plots.scores(shown, folder / "scores.png")
                plots.residuals(shown, built.detector.sensors, folder / "residuals.png")
            for picture in sorted(folder.glob("*.png")):
                self._logger.artifact(picture)
        with tempfile.TemporaryDirectory(prefix="eugenie-") as name:
            file = Path(name) / self._fleet.file.name
            file.write_text(in_force, encoding="utf-8")
            self._logger.artifact(file)
        described = Path(self._described.name)
        mlflow_model.write_card(self._fleet.site_name, built.detector, self._record(metrics), described)
        self._logger.artifact(described)

    def register(self, tags: Mapping[str, str]) -> RegisteredVersion | None:
        """Makes the logged detector a version of the class; None when the run has to wait in the spool."""
        return self._logger.register(self._fleet.name, tags, Path(self._described.name))

    def close(self, status: str) -> None:
        """Ends the run with status FINISHED, FAILED or KILLED."""
        self._described.cleanup()
        self._logger.close(status)

    def _record(self, metrics: Mapping[str, float]) -> run_record.TrainingRecord:
        """The run as the model card describes it."""
        run_id = "" if self.id == self._tags.get(spool.TAG) else self.id
        ended = iso(int(time.time() * 1000))
        return run_record.TrainingRecord(run_id, ended, self._params, metrics, self._tags, self._periods)


@contextmanager
def training_run(
    opened: OpenClass,
    *,
    is_reached: bool = False,
    parent: str | None = None,
    tags: Mapping[str, str] | None = None,
    progress: Progress = SILENT,
) -> Iterator[TrainingRun]:
    """A run of the site's experiment: finished when the block completes, failed or killed when it raises. It records
    the machine's load. `parent`: the run of the whole command. `is_reached`: the result of `connect`; an unreachable
    server is not contacted again until the run ends."""
    all_tags = {
        **_tags(opened.registry.site_name),
        CLASS_TAG: opened.name,
        **(tags or {}),
        **({MLFLOW_PARENT: parent} if parent else {}),
    }
    name = f"{opened.name} {opened.fleet.equipment.model.type} {time.strftime(_TIME_IN_NAME, time.gmtime())}"
    logger: RunLogger
    if opened.registry.is_server:
        spooled = spool.begin(opened.workspace, opened.name, all_tags, name)
        logger = SpoolRunLogger(opened.registry, spooled, progress, is_reached=is_reached)
    else:
        logger = StoreRunLogger(opened.registry, name, all_tags)
    run = TrainingRun(opened.fleet, logger, all_tags)
    try:
        yield run
    except KeyboardInterrupt:
        run.close("KILLED")
        raise
    except BaseException:
        run.close("FAILED")
        raise
    run.close("FINISHED")


@contextmanager
def command_run(
    registry: Registry, spool_folder: Path, class_names: Sequence[str], progress: Progress
) -> Iterator[str | None]:
    """A run for one command over several classes, the parent of their runs. Yields its id; None when the server is
    unreachable, which does not stop training."""
    if not connect(registry, spool_folder, progress):
        yield None
        return
    client = registry.client
    tags = {**_tags(registry.site_name), "eugenie.classes": ", ".join(class_names)}
    run = client.create_run(registry.experiment(), run_name=f"train {', '.join(class_names)}", tags=tags)
    status = "FAILED"
    try:
        yield str(run.info.run_id)
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        _terminate(client, run.info.run_id, status, progress)


def connect(registry: Registry, spool_folder: Path, progress: Progress) -> bool:
    """Connects to the store. False, with a message, when a server does not answer: training can do without.

    Raises EugenieError when a server denies access, and StoreUnreachableError for a store of this machine.
    """
    try:
        registry.client  # noqa: B018 - connects
    except mlflow_store.StoreUnreachableError as problem:
        if not registry.is_server:
            raise
        progress.say(
            f"{problem.reason}. Training continues without it; the run will wait in {spool_folder} until "
            "`eugenie models sync` or the next `eugenie train` reaches the server"
        )
        return False
    return True


def _terminate(client: MlflowClient, run_id: str, status: str, progress: Progress) -> None:
    try:
        client.set_terminated(run_id, status)
    except StoreError as problem:  # the next training run on this machine ends it, like the run of a killed one
        progress.say(f"could not record the end of the command's run: {problem.reason}")


def _tags(site_name: str) -> dict[str, str]:
    return {
        SITE_TAG: site_name,
        "mlflow.source.name": "eugenie train",
        **stale_runs.marks(),
        **code_version.tags(),
    }


def _periods(grid: NormalGrid) -> dict[str, list[str]]:
    """First and last edge of each part of an asset's rows, ISO 8601."""
    names = {TRAINING: "training", VALIDATION: "validation", CALIBRATION: "calibration"}
    spans = {}
    for part, name in names.items():
        edges = grid.edges[grid.part == part]
        spans[name] = [iso(int(edges[0])), iso(int(edges[-1]))] if len(edges) else []
    return spans
