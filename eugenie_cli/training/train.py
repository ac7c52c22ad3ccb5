"""Train a class: history in, a registered model version out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eugenie_cli.detection.trained import AssetCalibration
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.open import open_history
from eugenie_cli.progress import Progress
from eugenie_cli.site.model import Site
from eugenie_cli.training import datasets, tracking
from eugenie_cli.training.build import Built, build
from eugenie_cli.training.datasets import NormalGrid
from eugenie_cli.training.registry import Registry

# A .999 quantile of fewer rows than this is no more than their largest value.
FEW_ROWS = 1000
# Deviations by which a sensor's mean may move between the rows learnt from and the calibration block before
# somebody should look at it.
MOVED = 1.0
# Assets named in a warning; the record of the run holds all.
NAMED = 5


@dataclass(frozen=True)
class TrainedVersion:
    """A version that training registered. `version` is the number of its directory once exported."""

    class_name: str
    version: int
    run_id: str
    aliases: tuple[str, ...]
    metrics: dict[str, float]


def train_class(site: Site, class_name: str, progress: Progress, *, epochs: int | None = None) -> TrainedVersion:
    """Trains, calibrates and registers a class. Its first version becomes champion, later ones challenger.

    A run that fails or is killed registers nothing. Raises EugenieError for an unknown class, too little
    normal history, contradictory settings, or a tracking store that does not answer.
    """
    if class_name not in site.classes:
        raise EugenieError(
            f"there is no class {class_name!r} in site {site.site}",
            f"classes: {', '.join(site.classes)}",
            ExitCode.USAGE,
        )
    equipment = site.classes[class_name]
    grids = _normal_grids(site, class_name, progress)
    fingerprint = datasets.fingerprint(grids)
    with tracking.training_run(site, class_name) as run:
        run.log_data(equipment, grids, fingerprint)
        built = build(class_name, equipment, grids, progress, epochs=epochs, on_epoch=run.log_epoch)
        metrics = _metrics(built)
        run.log_built(site, built, metrics)
    registered = Registry(site).register(class_name, run.id, run.detector)
    _narrate(built, registered.version, registered.aliases, progress)
    return TrainedVersion(class_name, registered.version, run.id, registered.aliases, metrics)


def _normal_grids(site: Site, class_name: str, progress: Progress) -> list[NormalGrid]:
    history = open_history(site)
    equipment = site.classes[class_name]
    assets = site.assets_of(class_name)
    grids: list[NormalGrid] = []
    short: list[str] = []
    with progress.task(f"read {class_name}", total=len(assets), unit="assets") as advance:
        for asset in assets:
            grid = load_grid(site, history, asset)
            normal = datasets.split(grid, datasets.normal_rows(site, grid), equipment.model.calibration)
            enough = int((normal.part != datasets.UNUSED).sum()) >= datasets.least_rows(equipment.model.window)
            (grids if enough else short).append(normal if enough else asset)  # type: ignore[arg-type]
            advance(1)
    if not grids:
        raise EugenieError(
            f"class {class_name}: no asset has {datasets.MIN_WINDOWS} windows "
            f"({datasets.least_rows(equipment.model.window)} rows) of normal history",
            "`eugenie import` brings in history; see also the assets' normal periods and the exclusions",
        )
    if short:
        progress.say(f"{class_name}: too little normal history, left out: {', '.join(short)}")
    rows = sum(int((grid.part != datasets.UNUSED).sum()) for grid in grids)
    progress.say(f"{class_name}: {rows:,} normal rows of {len(grids)} assets")
    return grids


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


def _narrate(built: Built, version: int, aliases: tuple[str, ...], progress: Progress) -> None:
    detector, noted = built.detector, built.detector.calibration
    context = [name for name, scored in zip(detector.sensors, detector.scored, strict=True) if not scored]
    if context:
        progress.say(f"{detector.class_name}: context, not scored: {', '.join(context)}")
    pooled = [asset.asset for asset in noted.assets if asset.pooled]
    if pooled:
        progress.say(f"{detector.class_name}: few calibration rows, the class's threshold: {', '.join(pooled)}")
    for words in _doubts(noted.assets):
        progress.say(f"{detector.class_name}: {words}")
    if noted.rehearsal > noted.budget:
        progress.say(
            f"{detector.class_name}: {noted.rehearsal:.1%} of held-out normal rows score above 1, more than the budget "
            f"of {noted.budget:.1%}: the normal periods hold more than one kind of operation"
        )
    loss = f"validation loss {built.fit.epochs[built.fit.best].validation:.3f}" if built.fit else detector.type
    progress.say(
        f"{detector.class_name}: version {version}{f' ({chr(44).join(aliases)})' if aliases else ''}, {loss}, "
        f"margin {noted.margin:.2f}"
    )


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
        told = ", ".join(f"{asset.asset} ({asset.mover} by {asset.moved:.1f} deviations)" for asset in moved[:NAMED])
        more = f" and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
        yield f"drift between the rows learnt from and the later ones that calibrate: {told}{more}"
