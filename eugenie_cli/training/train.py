"""Trains a class: history in, a registered model version out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from eugenie_cli.detection.detector import AssetCalibration, TrainedDetector
from eugenie_cli.locks import exclusive
from eugenie_cli.progress import Progress
from eugenie_cli.site import effective
from eugenie_cli.site.labels import Label, Labelled, read_labels
from eugenie_cli.site.schema import Fleet, Site
from eugenie_cli.training import (
    alarm_outlook,
    datasets,
    doubtful_rows,
    load_rows,
    spool,
    stale_runs,
    sync,
    tracking,
)
from eugenie_cli.training import fingerprint as fingerprints
from eugenie_cli.training.build import Built, build
from eugenie_cli.training.checkpoint import Checkpoint
from eugenie_cli.training.fit import FitOptions
from eugenie_cli.training.mmap_arrays import MmapArrays
from eugenie_cli.training.open_class import OpenClass, open_class
from eugenie_cli.training.options import NO_OPTIONS, TrainingOptions
from eugenie_cli.training.registered_version import RegisteredVersion
from eugenie_cli.training.registry import Registry
from eugenie_cli.training.result import TrainedVersion
from eugenie_cli.training.warm_start import ancestor_of

# The .999 quantile of fewer rows than this is simply their largest value.
FEW_ROWS = 1000
# A shift of a sensor's mean between the training rows and the calibration block, in deviations, that is worth a
# warning.
MOVED = 1.0
# Assets named in a warning; the record of the run holds all of them.
NAMED = 5


def train_class(
    site: Site,
    class_name: str,
    progress: Progress,
    options: TrainingOptions = NO_OPTIONS,
    *,
    parent: Callable[[], str | None] | None = None,
) -> TrainedVersion:
    """Trains, calibrates and registers a class. Its first version becomes champion, later ones challenger.

    An existing version of the same recipe (data, settings, code) is kept, unless `options.force`. A run that fails or
    is killed registers nothing; a killed one leaves the state of its fit, from which the next training run resumes.
    Labelled faults and standing alarms of the champion are left out and named (`doubtful_rows`).

    Raises EugenieError for an unknown class, too little normal history, contradictory settings, or a tracking server
    that denies access; REFUSED with `options.from_champion` when the champion's network has another shape. An
    unreachable server is not an error: the run waits in the spool, and the next training run uploads it.
    """
    opened = open_class(site, class_name)
    equipment, registry = opened.fleet.equipment, opened.registry
    # over a connection of its own: `connect` below must ask the server again, after the history is read
    ancestor = ancestor_of(Registry(site), opened.fleet) if options.from_champion else None
    folder = opened.workspace.training
    with exclusive(folder / f"{class_name}.lock"):
        arrays = MmapArrays(folder)
        fleet = doubtful_rows.leave_out(
            opened, faults_of(site, opened.fleet), Registry(site), progress, accept_alarms=options.accept_alarms
        )
        grids = load_rows.normal_grids(fleet, opened.history, arrays, progress)
        fingerprint = datasets.fingerprint(grids)
        arrays.release()
        recipe = fingerprints.recipe(equipment, fingerprint, options.epochs, ancestor.run_id if ancestor else None)
        is_reached = tracking.connect(registry, opened.workspace.spool, progress)
        existing = _existing(opened, is_reached, recipe, options.force, progress)
        if existing is not None:
            return existing
        checkpoint = Checkpoint(folder / class_name, recipe)
        if options.force:
            checkpoint.clear()
        elif (state := checkpoint.load()) is not None:
            progress.say(f"{class_name}: resuming an interrupted training run after epoch {len(state.meta['epochs'])}")
        tags = {fingerprints.TAG: recipe, **(ancestor.tags if ancestor else {})}
        parent_id = parent() if parent is not None else None
        with tracking.training_run(
            opened, is_reached=is_reached, parent=parent_id, tags=tags, progress=progress
        ) as run:
            run.log_data(opened.workspace.history, grids, fingerprint)
            built = build(
                class_name, equipment, grids, progress,
                FitOptions(
                    options.epochs, run.log_epoch, run.log_search, checkpoint, ancestor.network if ancestor else None
                ),
                arrays=arrays,
            )  # fmt: skip
            metrics = _metrics(built)
            run.log_built(built, metrics, effective.in_force_text(site))
            registered = run.register(tags)
        checkpoint.clear()
    _narrate(built, grids, registered, progress)
    if registered is not None and is_reached and registry.champion(class_name) is None:
        progress.say(
            f"{class_name} has no champion (deleted, or never promoted); to promote this version: "
            f"`eugenie models promote {class_name} {registered.version}`"
        )
    if registered is None:
        return TrainedVersion(class_name, None, run.id, (), metrics, spooled=True)
    return TrainedVersion(class_name, registered.version, run.id, registered.aliases, metrics)


def faults_of(site: Site, fleet: Fleet) -> Sequence[Label]:
    """The class's labels, if its promotion gate has any. Raises EugenieError for an invalid file."""
    gate = fleet.equipment.promotion
    if gate is None or gate.labels is None:
        return ()
    labelled = Labelled(site.timezone, site.assets, site.classes)
    return read_labels(site.resolve(gate.labels), labelled).of(fleet.assets)


def _existing(
    opened: OpenClass, is_reached: bool, recipe: str, force: bool, progress: Progress
) -> TrainedVersion | None:
    """A version of the same recipe, registered or spooled, unless `force`. First uploads or ends what earlier training
    runs left."""
    class_name, workspace, registry = opened.name, opened.workspace, opened.registry
    spool.clean(workspace)
    if not is_reached:
        spooled = None if force else spool.holds(workspace, class_name, fingerprints.TAG, recipe)
        if spooled is None:
            return None
        progress.say(
            f"{class_name}: keeping the run in {spooled.folder}, which has the same data, settings and code "
            "(--again trains it anyway)"
        )
        metrics = {metric.key: metric.value for metric in spooled.metrics()}
        return TrainedVersion(class_name, None, spooled.head.id, (), metrics, kept=True, spooled=True)
    for unsent in sync.send_with(registry, workspace, progress).unsent:
        progress.say(f"{unsent.class_name}: the spooled run {unsent.spooled} was not uploaded: {unsent.reason}")
    for message in stale_runs.settle(registry):
        progress.say(message)
    version = None if force else registry.made_by(class_name, fingerprints.TAG, recipe)
    return None if version is None else _kept(version, progress)


def _kept(kept: RegisteredVersion, progress: Progress) -> TrainedVersion:
    progress.say(
        f"{kept.name}: keeping version {kept.version}, which has the same data, settings and code "
        "(--again trains it anyway)"
    )
    return TrainedVersion(kept.name, kept.version, kept.run_id, kept.aliases, kept.metrics or {}, kept=True)


def _metrics(built: Built) -> dict[str, float]:
    calibration = built.detector.calibration
    calibrated = {"margin": calibration.margin, "rehearsal_exceeding": calibration.rehearsal}
    if calibration.forecast is not None:
        expected = calibration.forecast.all
        calibrated |= {
            "expected_alarm_rate.low": expected.alarms.low,
            "expected_alarm_rate.high": expected.alarms.high,
            "expected_flagged.low": expected.rows.low,
            "expected_flagged.high": expected.rows.high,
        }
    if built.fit is None:
        return calibrated
    best = built.fit.epochs[built.fit.best]
    return calibrated | {
        "best_epoch": float(best.number + 1),
        "best_validation_loss": best.validation,
        "fit_seconds": built.fit.seconds,
        "windows_per_s": built.fit.windows / built.fit.seconds,
    }


def _narrate(
    built: Built, grids: Sequence[datasets.NormalGrid], registered: RegisteredVersion | None, progress: Progress
) -> None:
    detector, calibration = built.detector, built.detector.calibration
    context = [name for name, scored in zip(detector.sensors, detector.scored, strict=True) if not scored]
    if context:
        progress.say(f"{detector.class_name}: context, not scored: {', '.join(context)}")
    pooled = [asset.asset for asset in calibration.assets if asset.pooled]
    if pooled:
        progress.say(
            f"{detector.class_name}: using the class's threshold, for too few calibration rows: {', '.join(pooled)}"
        )
    for message in _unmoved(detector, grids):
        progress.say(f"{detector.class_name}: {message}")
    for message in _doubts(calibration.assets):
        progress.say(f"{detector.class_name}: {message}")
    for message in alarm_outlook.sentences(calibration):
        progress.say(f"{detector.class_name}: {message}")
    if calibration.rehearsal > calibration.budget:
        progress.say(
            f"{detector.class_name}: {calibration.rehearsal:.1%} of held-out normal rows score above 1, more than the "
            f"budget of {calibration.budget:.1%}: the normal periods contain more than one mode of operation"
        )
    loss = f"validation loss {built.fit.epochs[built.fit.best].validation:.3f}" if built.fit else detector.type
    if registered is None:
        named = "not registered yet"
    else:
        held = f" ({','.join(registered.aliases)})" if registered.aliases else ""
        named = f"version {registered.version}{held}"
    progress.say(f"{detector.class_name}: {named}, {loss}, margin {calibration.margin:.2f}")


def _unmoved(detector: TrainedDetector, grids: Sequence[datasets.NormalGrid]) -> Iterator[str]:
    """Messages about sensors that never moved on some assets, scored or not, and assets that are never scored."""
    used = getattr(detector, "used", None)
    if used is None:
        return
    used = used & detector.scored
    still = [grid.still for grid in grids]
    never = [asset for asset, own in zip(detector.assets, used, strict=True) if not own.any()]
    if never:
        yield f"no scored sensor ever moves in the normal rows of {_some(never)}: never scored"
    for place in detector.scored_index:
        unused = [asset for asset, own in zip(detector.assets, used, strict=True) if own.any() and not own[place]]
        if unused:
            yield f"{detector.sensors[place]} never moves in the normal rows of {_some(unused)}: not scored there"
        constant = [
            grid.asset for grid, own, fixed in zip(grids, used, still, strict=True) if own[place] and bool(fixed[place])
        ]
        if constant:
            yield (
                f"{detector.sensors[place]} never moves in the normal rows of {_some(constant)}: a difference of a few "
                "per cent of its value raises an alarm for as long as it lasts (`role: context` excludes the sensor)"
            )


def _some(assets: Sequence[str]) -> str:
    return ", ".join(assets[:NAMED]) + (f" and {len(assets) - NAMED} more" if len(assets) > NAMED else "")


def _doubts(assets: Sequence[AssetCalibration]) -> Iterator[str]:
    """Messages about weaknesses of the rows behind the thresholds."""
    few = [asset.rows for asset in assets if not asset.pooled and asset.rows < FEW_ROWS]
    if few:
        yield (
            f"thresholds of {len(few)} of {len(assets)} assets rest on {min(few)} to {max(few)} calibration rows; with "
            f"fewer than {FEW_ROWS:,} the .999 quantile is the largest value seen, so more normal history makes them "
            "more reliable"
        )
    moved = sorted((asset for asset in assets if asset.moved > MOVED), key=lambda asset: -asset.moved)
    if moved:
        shifts = _some([f"{asset.asset} ({asset.mover} by {asset.moved:.1f} deviations)" for asset in moved])
        yield f"drift between the training rows and the later calibration rows: {shifts}"
