"""Publishes a registered version as a SavedModel in `models/<class>/<version>/`, atomically.

The SavedModel is written to a hidden sibling directory, checked against the trained network, and then renamed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.files import STAGED, new_folder
from eugenie_cli.locks import exclusive
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import check_samples, checksums, model_info, warm_up
from eugenie_cli.training import model_card, run_record
from eugenie_cli.training.open_class import OpenClass
from eugenie_cli.training.registered_version import CHAMPION, RegisteredVersion
from eugenie_cli.training.registry import Registry


@dataclass(frozen=True)
class ExportedModel:
    """A published version. `already`: it was published earlier; `largest_difference`: the largest difference between
    its scores and the trained network's, relative for scores above 1, measured by this call; `released`: model servers
    serve it."""

    class_name: str
    version: int
    path: Path
    already: bool = False
    largest_difference: float | None = None
    released: bool = False


def publish_class(
    opened: OpenClass, version: int | None = None, progress: Progress = SILENT, *, models: Path | None = None
) -> ExportedModel:
    """Publish a version of a class (None: the champion). A version that is already published is left unchanged.

    `models` is the target folder, by default the one that the model server watches.

    Raises EugenieError: REFUSED when the SavedModel disagrees with the trained network (naming the largest difference
    and its position), or when the directory holds the export of another training run.
    """
    class_name, fleet, registry = opened.name, opened.fleet, opened.registry
    registered = registry.resolve(class_name, CHAMPION if version is None else version)
    folder = (models or opened.workspace.models) / class_name
    target = folder / str(registered.version)
    with exclusive(folder / ".lock"):
        if target.exists():
            check_same(target, registered)
            progress.say(f"{class_name} version {registered.version} is already exported")
            _report_unknown_assets(model_info.read(target), fleet.assets, progress)
            return ExportedModel(class_name, registered.version, target, already=True)
        for leftover in folder.glob(f"{STAGED}*"):  # from an export that was killed
            shutil.rmtree(leftover)
        with progress.task(f"exporting {class_name} version {registered.version}"):
            detector = registry.load(registered)
            with new_folder(target) as staged:  # world-readable: a model server may run as another user
                run = run_record.of_run(registry.client, registered.run_id)
                info = _info(registered, run, detector)
                samples = check_samples.collect(fleet, opened.history, detector)
                difference = _write_checked(detector, samples, info, staged)
                card = model_card.render(fleet.site_name, detector, run, version=info.version, difference=difference)
                (staged / model_card.LOCATION).write_text(card, encoding="utf-8")
                checksums.write(staged)
            _log_card(registry, registered, target / model_card.LOCATION, progress)
    progress.say(f"{class_name} version {registered.version}: agrees with the trained network to {difference:.1g}")
    _report_unknown_assets(info, fleet.assets, progress)
    return ExportedModel(class_name, registered.version, target, largest_difference=difference)


def _log_card(registry: Registry, registered: RegisteredVersion, card: Path, progress: Progress) -> None:
    """Store the card with the training run; an export does not depend on it."""
    try:
        registry.client.log_artifact(registered.run_id, str(card))
    except (EugenieError, OSError) as problem:
        progress.say(f"{registered.name} version {registered.version}: its card is not in MLflow: {problem}")


def _report_unknown_assets(info: model_info.ModelInfo, assets: Iterable[str], progress: Progress) -> None:
    if message := model_info.unknown_assets_message(info, assets):
        progress.say(f"{info.class_name}: {message}")


def _write_checked(
    detector: TrainedDetector, samples: check_samples.Samples, info: model_info.ModelInfo, staged: Path
) -> float:
    """Write the SavedModel and compare it with the trained network. Returns the largest difference in score."""
    from eugenie_cli.serving import export_check

    _write(detector, info, staged)
    agreement = export_check.compare(staged, detector, samples)
    if not agreement.holds:
        problem = f"the largest difference is {agreement.largest:.3g} times the tolerance: {agreement.where}"
        if agreement.scored == 0:
            problem = "no sample row has a score to compare"
        raise EugenieError(
            f"{info.class_name} version {info.version} is not published: the SavedModel and the trained "
            f"network disagree: {problem}",
            f"train it again: eugenie train --class {info.class_name}",
            ExitCode.REFUSED,
        )
    return agreement.score_difference


def _write(detector: TrainedDetector, info: model_info.ModelInfo, directory: Path) -> None:
    import tensorflow as tf

    from eugenie_cli.detection.scoring import ScoringModule

    module = ScoringModule(detector)
    tf.saved_model.save(module, str(directory), signatures=module.signatures())
    (directory / model_info.LOCATION).parent.mkdir(exist_ok=True)
    (directory / model_info.LOCATION).write_text(model_info.render(info), encoding="utf-8")
    warm_up.write(detector, directory)


def _info(
    registered: RegisteredVersion, run: run_record.TrainingRecord, detector: TrainedDetector
) -> model_info.ModelInfo:
    delays = detector.calibration.delays
    return model_info.ModelInfo(
        class_name=detector.class_name,
        version=registered.version,
        sensors=detector.sensors,
        units=detector.units,
        window=detector.window,
        horizons=detector.horizons,
        step_ms=detector.step_ms,
        max_gap_ms=detector.max_gap_ms,
        assets=detector.assets,
        run_id=registered.run_id,
        data_fingerprint=run.parameters.get("data_fingerprint", ""),
        on_delay=delays.on,
        off_delay=delays.off,
    )


def check_same(target: Path, registered: RegisteredVersion) -> None:
    """Raise EugenieError (REFUSED) unless a published directory holds the registered version, exactly as exported."""
    published = model_info.read(target)
    if (published.class_name, published.version) != (registered.name, registered.version):
        raise EugenieError(
            f"{target} holds version {published.version} of {published.class_name}, not version "
            f"{registered.version} of {registered.name}",
            f"move {target} elsewhere, then export again",
            ExitCode.REFUSED,
        )
    if published.run_id != registered.run_id:
        raise EugenieError(
            f"{target} holds the export of run {published.run_id}, not of {registered.run_id}, which the "
            f"registry calls version {registered.version}",
            f"the registry was recreated: move {target.parent} elsewhere, then export again",
            ExitCode.REFUSED,
        )
    damaged = checksums.problems(target)
    if damaged:
        raise EugenieError(
            f"{target} differs from its export: {'; '.join(damaged)}",
            f"move {target} elsewhere, then export again",
            ExitCode.REFUSED,
        )
