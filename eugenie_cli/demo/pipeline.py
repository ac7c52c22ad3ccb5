"""The demo's steps, each calling the same service as the command of that name."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from eugenie_cli.broker import consume
from eugenie_cli.broker.produce import Producer
from eugenie_cli.demo.judge import Ledger, account
from eugenie_cli.demo.live import Played
from eugenie_cli.demo.plant.plant import Plant
from eugenie_cli.errors import EugenieError
from eugenie_cli.progress import Progress
from eugenie_cli.site.load import open_site
from eugenie_cli.site.schema import Site

LOADED_WITHIN_S = 120.0
POLL_S = 1.0


def open_pipeline(path: Path) -> Pipeline:
    """The steps on the site of a site file."""
    return Pipeline(open_site(str(path)))


class Pipeline:
    """The demo's steps on its site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def start_engines(self, progress: Progress, cancelled: Callable[[], bool]) -> None:
        """`eugenie up` and `eugenie serve start`: the server loads models as they are exported."""
        from eugenie_cli.operations.up import up
        from eugenie_cli.serving import runtime

        up(self.site, progress)
        if not cancelled():
            runtime.start(self.site, progress)

    def stop_engines(self, progress: Progress) -> None:
        """`eugenie down`: stops all running engines."""
        from eugenie_cli.operations.down import down

        down(self.site, progress)

    def import_history(self, progress: Progress) -> None:
        """`eugenie import`. Raises EugenieError when an export was not read completely."""
        from eugenie_cli.sources.importing import import_sources

        for report in import_sources(self.site, (), progress):
            if report.failed or report.rejected:
                raise EugenieError(f"import of {report.source}: {report.failed or dict(report.rejected)}")
            counts = f"{report.new} files, {report.readings:,} readings, {report.bad_quality:,} of bad quality"
            progress.say(f"  {report.source}: {counts}")

    def train(self, progress: Progress, between: Callable[[], None]) -> dict[str, int | None]:
        """`eugenie train`: class -> version. `between` is called after each class."""
        from eugenie_cli.training.train import train_class

        versions: dict[str, int | None] = {}
        for class_name in self.site.classes:
            trained = train_class(self.site, class_name, progress)
            versions[class_name] = trained.version
            progress.say(f"  {class_name}: version {trained.version}, run {trained.run_id} in MLflow")
            between()
        return versions

    def export(self, versions: Mapping[str, int | None], progress: Progress) -> None:
        """`eugenie export`"""
        from eugenie_cli.serving.export import export_class

        for class_name, version in versions.items():
            exported = export_class(self.site, class_name, version, progress)
            progress.say(f"  {exported.path}")

    def evaluate(self, plant: Plant, progress: Progress) -> None:
        """`eugenie evaluate --from ...` without labels, on the hours that calibrated the thresholds."""
        from eugenie_cli.evaluation.evaluate import evaluate_class
        from eugenie_cli.evaluation.options import EvaluationOptions
        from eugenie_cli.training.open_class import open_class

        for class_name, equipment in self.site.classes.items():
            start = plant.end - int((plant.end - plant.start) * equipment.model.calibration)
            opened, options = open_class(self.site, class_name), EvaluationOptions(start_ms=start)
            result = evaluate_class(opened, options, progress).model
            progress.say(f"  {class_name}: {_rate(result.anomalies_per_asset_day)} on the last hours of normal history")

    def submit(self, progress: Progress, cancelled: Callable[[], bool]) -> None:
        """`eugenie stream submit`, once the server has loaded the models. Raises EugenieError."""
        from eugenie_cli.serving import runtime
        from eugenie_cli.streaming.submit import submit as submit_job

        deadline = time.monotonic() + LOADED_WITHIN_S
        waiting = set(self.site.classes)
        while waiting and not cancelled():
            waiting -= {model.name for model in runtime.status(self.site).models if model.state == "AVAILABLE"}
            if waiting and time.monotonic() > deadline:
                raise EugenieError(
                    f"the model server has not loaded {', '.join(sorted(waiting))} after {LOADED_WITHIN_S:.0f} s",
                    "see its log, which `eugenie serve status` names",
                )
            if waiting:
                time.sleep(POLL_S)
        if not cancelled():
            submit_job(self.site, progress)

    def drain(self, progress: Progress) -> None:
        """`eugenie stream stop --drain`: waits until the topic has been read, then completes the last rows."""
        from eugenie_cli.streaming.stop import stop

        stop(self.site, progress, drain=True)

    def send(self, sender: Callable[[Producer, str], Played]) -> int:
        """Runs `sender` with a producer and the readings topic; returns the number of readings delivered to Kafka."""
        with Producer(self.site.kafka_access) as producer:
            sender(producer, str(self.site.topics.readings))
        return producer.delivered

    def ledger(self, sent: int) -> Ledger:
        """The ledger, from Kafka's records only."""
        topics = self.site.topics
        return account(sent, self._records(str(topics.scores)), self._records(str(topics.dead_letters)))

    def anomalies(self) -> list[Mapping[str, Any]]:
        """Every anomaly record, in order."""
        return list(self._records(str(self.site.topics.anomalies)))

    def pages(self) -> dict[str, str]:
        """Addresses of the web pages of MLflow and Flink."""
        from eugenie_cli.engines import endpoints

        return {"MLflow": endpoints.mlflow(self.site) or "", "Flink": endpoints.flink(self.site)}

    def _records(self, topic: str) -> Iterator[Mapping[str, Any]]:
        for record in consume.read(self.site.kafka_access, topic, until_end=True):
            if record.value is not None:
                yield json.loads(record.value)


def _rate(per_asset_day: float | None) -> str:
    return "no rows to judge" if per_asset_day is None else f"{per_asset_day:.2f} anomalies per asset and day"
