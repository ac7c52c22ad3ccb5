"""Fitting the forecaster: Adam on the Huber loss of its forecasts, early stopping on rows that come later."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from eugenie_cli.detection import network
from eugenie_cli.detection.arrays import Floats
from eugenie_cli.training import learning_rate as rate_search
from eugenie_cli.training.batches import Windows
from eugenie_cli.training.checkpoint import Checkpoint, State
from eugenie_cli.training.devices import Devices
from eugenie_cli.training.trainer import Trainer

# Epochs without a better validation loss before the fit stops.
PATIENCE = 4
# Windows per epoch, drawn anew each time. Overlapping windows say the same again, so more only takes longer.
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
    """A fitted network and how it went."""

    network: dict[str, Floats]
    epochs: tuple[Epoch, ...]
    best: int
    windows: int
    seconds: float
    search: rate_search.Search | None = None
    """How the learning rate was found; None where it was given."""


def fit(
    train: Windows,
    validation: Windows,
    *,
    window: int,
    horizons: Sequence[int],
    units: int,
    epochs: int,
    batch: int,
    learning_rate: float | Literal["auto"],
    seed: int,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_search: Callable[[rate_search.Search], None] | None = None,
    checkpoint: Checkpoint | None = None,
    devices: Devices | None = None,
    initial: Mapping[str, Floats] | None = None,
) -> Fit:
    """Fits the forecaster of one class. The weights of the epoch with the lowest validation loss are kept.

    The same data and seed give the same weights on the same machine, also when the fit was killed in between and goes
    on from its `checkpoint`. `on_epoch` is told of epochs before that, too. `initial`: weights to begin with
    (`network.WEIGHTS`); by default random ones. `learning_rate` auto: it is searched for first, once, and the fit is
    the same as with that number; `on_search` is told.
    """
    fitter = Trainer(
        train.rows.shape[1],
        window=window,
        horizons=horizons,
        units=units,
        learning_rate=rate_search.LEAST if learning_rate == "auto" else learning_rate,
        seed=seed,
        devices=devices,
    )
    if initial is not None:
        fitter.model.set_weights([initial[name] for name in network.WEIGHTS])
    tell = on_epoch or (lambda _epoch: None)
    done: list[Epoch] = []
    best, kept = 0, network.weights_of(fitter.model)
    search: rate_search.Search | None = None

    def save() -> None:
        if checkpoint is None:
            return
        now = fitter.state()
        arrays = {**now.arrays, **{f"kept.{name}": value for name, value in kept.items()}}
        noted = {"epochs": [asdict(epoch) for epoch in done], "best": best, "search": search and asdict(search)}
        checkpoint.save(State(arrays, {**now.meta, **noted}))

    state = checkpoint.load() if checkpoint is not None else None
    if state is not None:
        fitter.restore(state)
        done = [Epoch(**epoch) for epoch in state.meta["epochs"]]
        best, kept = state.meta["best"], {name: state.arrays[f"kept.{name}"] for name in network.WEIGHTS}
        search = rate_search.Search(**state.meta["search"]) if state.meta["search"] else None
    elif learning_rate == "auto":
        search = rate_search.find(fitter, train, batch, EPOCH_WINDOWS)
        save()
    if search is not None and on_search is not None:
        on_search(search)
    for epoch in done:
        tell(epoch)
    while len(done) < epochs and len(done) - 1 - best < PATIENCE:
        started = time.perf_counter()
        loss = fitter.epoch(train, batch, EPOCH_WINDOWS)
        judged = fitter.validate(validation, batch, EPOCH_WINDOWS // 4)
        done.append(Epoch(len(done), loss, judged, time.perf_counter() - started))
        if judged <= done[best].validation:
            best, kept = len(done) - 1, network.weights_of(fitter.model)
        save()
        tell(done[-1])
    windows = len(done) * min(EPOCH_WINDOWS, len(train.starts))
    return Fit(kept, tuple(done), best, windows, sum(epoch.seconds for epoch in done), search)
