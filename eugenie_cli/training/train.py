"""Train classes: history in, registered model versions out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from eugenie_cli.detection.detector import AssetCalibration, TrainedDetector
from eugenie_cli.locks import alone
from eugenie_cli.progress import Progress
from eugenie_cli.site.interfaces import HasTracking
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.training import datasets, load_rows, spool, stale_runs, sync, tracking
from eugenie_cli.training import fingerprint as fingerprints
from eugenie_cli.training.build import Built, build
from eugenie_cli.training.checkpoint import Checkpoint
from eugenie_cli.training.mmap_arrays import MmapArrays
from eugenie_cli.training.options import AS_THE_SITE_SAYS, TrainingOptions
from eugenie_cli.training.registry import RegisteredVersion, Registry
from eugenie_cli.training.result import TrainedVersion
from eugenie_cli.training.warm_start import ancestor_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

# A .999 quantile of fewer rows than this is no more than their largest value.
FEW_ROWS = 1000
# Deviations by which a sensor's mean may move between the rows learnt from and the calibration block before
# somebody should look at it.
MOVED = 1.0
# Assets named in a warning; the record of the run holds all.
NAMED = 5


def train_class(
    site: Site,
    class_name: str,
    progress: Progress,
    wanted: TrainingOptions = AS_THE_SITE_SAYS,
    *,
    parent: Callable[[], str | None] | None = None,
) -> TrainedVersion:
    """Trains, calibrates and registers a class. Its first version becomes champion, later ones challenger.

    A version of the same recipe (data, settings, code) is kept, unless `wanted.force`. A run that fails or is killed
    registers nothing; a killed one leaves the state of its fit, from which the next training goes on. Raises
    EugenieError for an unknown class, too little normal history, contradictory settings, or a tracking server that
    does not let us in. One that does not answer costs nothing: the run waits in the spool, and is sent by the next
    training.
    With `wanted.from_champion` the champion's network must be of the same shape (REFUSED).
    """
    site.class_named(class_name)
    ancestor = ancestor_of(site, class_name) if wanted.from_champion else None
    equipment = site.classes[class_name]
    folder = workspace_of(site).training
    with alone(folder / f"{class_name}.lock"):
        arrays = MmapArrays(folder)
        grids = load_rows.normal_grids(site, class_name, arrays, progress)
        fingerprint = datasets.fingerprint(grids)
        arrays.release()
        made_of = fingerprints.recipe(equipment, fingerprint, wanted.epochs, ancestor.run_id if ancestor else None)
        client = tracking.connect(site, progress)
        known = _known(site, client, class_name, made_of, wanted.force, progress)
        if known is not None:
            return known
        checkpoint = Checkpoint(folder / class_name, made_of)
        if wanted.force:
            checkpoint.clear()
        elif (state := checkpoint.load()) is not None:
            progress.say(
                f"{class_name}: goes on after epoch {len(state.meta['epochs'])} of a training that was stopped"
            )
        tags = {fingerprints.TAG: made_of, **(ancestor.tags if ancestor else {})}
        above = parent() if parent is not None else None
        with tracking.training_run(site, class_name, client=client, parent=above, tags=tags, progress=progress) as run:
            run.log_data(equipment, grids, fingerprint)
            built = build(
                class_name, equipment, grids, progress,
                epochs=wanted.epochs, on_epoch=run.log_epoch, on_search=run.log_search, checkpoint=checkpoint,
                arrays=arrays, initial=ancestor.network if ancestor else None,
            )  # fmt: skip
            metrics = _metrics(built)
            run.log_built(site, built, metrics)
            registered = run.register(tags)
        checkpoint.clear()
    _narrate(built, grids, registered, progress)
    if registered is not None and client is not None and Registry(site, client).champion(class_name) is None:
        progress.say(
            f"{class_name} has no champion (it was deleted, or never promoted): "
            f"`eugenie models promote {class_name} {registered.version}`"
        )
    if registered is None:
        return TrainedVersion(class_name, None, run.id, (), metrics, spooled=True)
    return TrainedVersion(class_name, registered.version, run.id, registered.aliases, metrics)


def _known(
    site: HasTracking, client: MlflowClient | None, class_name: str, made_of: str, force: bool, progress: Progress
) -> TrainedVersion | None:
    """A version of the same recipe, registered or waiting for the server, unless `force`. Before that, what earlier
    trainings left is sent or settled."""
    workspace = workspace_of(site)
    spool.clean(workspace)
    if client is None:
        waits = None if force else spool.holds(workspace, class_name, fingerprints.TAG, made_of)
        if waits is None:
            return None
        progress.say(f"{class_name}: the same data, settings and code wait in {waits.folder}, and are kept (--again)")
        metrics = {one.key: one.value for one in waits.metrics()}
        return TrainedVersion(class_name, None, waits.head.id, (), metrics, kept=True, spooled=True)
    for left in sync.send_with(site, client, progress).unsent:
        progress.say(f"{left.class_name}: the spooled run {left.spooled} was not sent: {left.reason}")
    registry = Registry(site, client)
    for words in stale_runs.settle(site, client, registry):
        progress.say(words)
    found = None if force else registry.made_by(class_name, fingerprints.TAG, made_of)
    return None if found is None else _kept(found, progress)


def _kept(known: RegisteredVersion, progress: Progress) -> TrainedVersion:
    progress.say(f"{known.name}: version {known.version} is of the same data, settings and code, and is kept (--again)")
    return TrainedVersion(known.name, known.version, known.run_id, known.aliases, known.metrics or {}, kept=True)


def _metrics(built: Built) -> dict[str, float]:
    noted = built.detector.calibration
    calibrated = {"margin": noted.margin, "rehearsal_exceeding": noted.rehearsal}
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
    detector, noted = built.detector, built.detector.calibration
    context = [name for name, scored in zip(detector.sensors, detector.scored, strict=True) if not scored]
    if context:
        progress.say(f"{detector.class_name}: context, not scored: {', '.join(context)}")
    pooled = [asset.asset for asset in noted.assets if asset.pooled]
    if pooled:
        progress.say(f"{detector.class_name}: few calibration rows, the class's threshold: {', '.join(pooled)}")
    for words in _unmoved(detector, grids):
        progress.say(f"{detector.class_name}: {words}")
    for words in _doubts(noted.assets):
        progress.say(f"{detector.class_name}: {words}")
    if noted.rehearsal > noted.budget:
        progress.say(
            f"{detector.class_name}: {noted.rehearsal:.1%} of held-out normal rows score above 1, more than the budget "
            f"of {noted.budget:.1%}: the normal periods hold more than one kind of operation"
        )
    loss = f"validation loss {built.fit.epochs[built.fit.best].validation:.3f}" if built.fit else detector.type
    if registered is None:
        named = "not registered yet"
    else:
        held = f" ({','.join(registered.aliases)})" if registered.aliases else ""
        named = f"version {registered.version}{held}"
    progress.say(f"{detector.class_name}: {named}, {loss}, margin {noted.margin:.2f}")


def _unmoved(detector: TrainedDetector, grids: Sequence[datasets.NormalGrid]) -> Iterator[str]:
    """Sensors that never moved on some assets, scored or not, and assets that are never scored."""
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
        fixed = [
            grid.asset for grid, own, one in zip(grids, used, still, strict=True) if own[place] and bool(one[place])
        ]
        if fixed:
            yield (
                f"{detector.sensors[place]} never moves in the normal rows of {_some(fixed)}: once it differs by "
                "some per cent of its value it alarms for as long as it does (`role: context` leaves it out)"
            )


def _some(assets: Sequence[str]) -> str:
    return ", ".join(assets[:NAMED]) + (f" and {len(assets) - NAMED} more" if len(assets) > NAMED else "")


def _doubts(assets: Sequence[AssetCalibration]) -> Iterator[str]:
    """What a reader of the thresholds should know about the rows behind them."""
    few = [asset.rows for asset in assets if not asset.pooled and asset.rows < FEW_ROWS]
    if few:
        yield (
            f"thresholds of {len(few)} of {len(assets)} assets rest on {min(few)} to {max(few)} calibration rows; with "
            f"fewer than {FEW_ROWS:,} the .999 quantile is the largest value seen: more normal history makes them surer"
        )
    moved = sorted((asset for asset in assets if asset.moved > MOVED), key=lambda asset: -asset.moved)
    if moved:
        told = _some([f"{asset.asset} ({asset.mover} by {asset.moved:.1f} deviations)" for asset in moved])
        yield f"drift between the rows learnt from and the later ones that calibrate: {told}"
