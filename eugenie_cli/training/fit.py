"""Fits the forecaster: Adam on the Huber loss of its forecasts, early stopping on later rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from eugenie_cli.detection import network
from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.linear_path import LinearPath
from eugenie_cli.site.detectors import ForecasterSettings
from eugenie_cli.training import learning_rate as rate_search
from eugenie_cli.training.batches import Windows
from eugenie_cli.training.checkpoint import Checkpoint, State
from eugenie_cli.training.devices import Devices
from eugenie_cli.training.trainer import Trainer

# Epochs without a better validation loss before the fit stops.
PATIENCE = 4
# Windows per epoch, drawn afresh each time. Windows overlap, so more of them add time but little information.
EPOCH_WINDOWS = 3072


@dataclass(frozen=True)
class Epoch:
    """Losses after an epoch (Huber, in deviations squared)."""

    number: int
    loss: float
    validation: float
    seconds: float


@dataclass(frozen=True)
class Fit:
    """A fitted network, and the course of the fit."""

    network: dict[str, Floats]
    epochs: tuple[Epoch, ...]
    best: int
    windows: int
    seconds: float
    search: rate_search.Search | None = None
    """The search for the learning rate; None where the rate was given."""


@dataclass(frozen=True)
class FitOptions:
    """The start, length and callbacks of a fit. By default: random weights, and the site file's epochs."""

    epochs: int | None = None
    """Overrides the site file."""
    on_epoch: Callable[[Epoch], None] | None = None
    """Called after each epoch; when a fit resumes, for the earlier epochs as well."""
    on_search: Callable[[rate_search.Search], None] | None = None
    """Called with the search for the learning rate, if there was one."""
    checkpoint: Checkpoint | None = None
    """Keeps the state after each epoch. A fit resumes from the state that it has."""
    initial: Mapping[str, Floats] | None = None
    """The weights to start with (`network.WEIGHTS`)."""
    linear: LinearPath | None = None
    """The forecast that the network corrects."""


def fit(
    train: Windows,
    validation: Windows,
    settings: ForecasterSettings,
    options: FitOptions | None = None,
    devices: Devices | None = None,
) -> Fit:
    """Fits the forecaster of one class. The weights of the epoch with the lowest validation loss are kept.

    The same data and seed give the same weights on the same machine, even when an interrupted fit resumes from its
    checkpoint. `settings.learning_rate` auto: the rate is searched for once, before the first epoch; the fit is the
    same as with that number.
    """
    options = options or FitOptions()
    trainer = Trainer(
        train.rows.shape[1],
        window=settings.window,
        horizons=settings.horizons,
        units=settings.units,
        learning_rate=rate_search.LEAST if settings.learning_rate == "auto" else settings.learning_rate,
        seed=settings.seed,
        memory=settings.memory,
        linear=options.linear,
        devices=devices,
    )
    epochs, batch = options.epochs or settings.epochs, settings.batch
    checkpoint, initial = options.checkpoint, options.initial
    if initial is not None:
        network.set_weights(trainer.model, initial)
    report = options.on_epoch or (lambda _epoch: None)
    done: list[Epoch] = []
    best, kept = 0, network.weights_of(trainer.model)
    search: rate_search.Search | None = None

    def save() -> None:
        if checkpoint is None:
            return
        now = trainer.state()
        arrays = {**now.arrays, **{f"kept.{name}": value for name, value in kept.items()}}
        course = {"epochs": [asdict(epoch) for epoch in done], "best": best, "search": search and asdict(search)}
        checkpoint.save(State(arrays, {**now.meta, **course}))

    state = checkpoint.load() if checkpoint is not None else None
    if state is not None:
        trainer.restore(state)
        done = [Epoch(**epoch) for epoch in state.meta["epochs"]]
        best, kept = state.meta["best"], {name: state.arrays[f"kept.{name}"] for name in kept}
        search = rate_search.Search(**state.meta["search"]) if state.meta["search"] else None
    elif settings.learning_rate == "auto":
        search = rate_search.find(trainer, train, batch, EPOCH_WINDOWS)
        save()
    if search is not None and options.on_search is not None:
        options.on_search(search)
    for epoch in done:
        report(epoch)
    while len(done) < epochs and len(done) - 1 - best < PATIENCE:
        started = time.perf_counter()
        loss = trainer.epoch(train, batch, EPOCH_WINDOWS)
        validation_loss = trainer.validate(validation, batch, EPOCH_WINDOWS // 4)
        done.append(Epoch(len(done), loss, validation_loss, time.perf_counter() - started))
        if validation_loss <= done[best].validation:
            best, kept = len(done) - 1, network.weights_of(trainer.model)
        save()
        report(done[-1])
    windows = len(done) * min(EPOCH_WINDOWS, len(train.starts))
    return Fit(kept, tuple(done), best, windows, sum(epoch.seconds for epoch in done), search)
