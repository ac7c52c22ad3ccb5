"""Finding the learning rate: some steps at ever larger rates, and what the loss does meanwhile.

The range test of Smith, "Cyclical Learning Rates for Training Neural Networks" (2017): rates far too small leave the
loss where it is, then it falls, then it rises. Taken is the rate at which most of the fall is done. The steepest place,
which others take, lies two or three times lower: there the network has only begun to move. What it learns on the way is
dropped.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eugenie_cli.detection.arrays import Floats

if TYPE_CHECKING:
    from eugenie_cli.training.batches import Batches, Windows
    from eugenie_cli.training.trainer import Trainer

LEAST, MOST = 1e-5, 1.0
"""The rates that are tried: each is larger than the one before by the same factor."""
STEPS = 100
"""Of the test, a batch each: twenty for a power of ten."""
BEFORE = STEPS // 5
"""Steps whose median is the loss before anything is learnt: a hundred times smaller than rates that teach."""
SMOOTHING = 4.0
"""Width of the bell that losses are smoothed by, in steps: they differ by a tenth from batch to batch."""
FALL = 0.8
"""Share of the fall that is done at the rate taken. The last tenths of it depend on chance: with 0.9 four seeds found
rates from 0.012 to 0.06 for one plant, with 0.8 from 0.0095 to 0.011."""
LEAST_FALL = 0.2
"""Share of the loss that a fall has to be. Else the network has learnt already, and the fall says nothing."""
RISE, BELOW_RISE = 2.0, 0.1
"""Where the loss is so many times the lowest one, the network is thrown away: a tenth of that rate is the most."""
HOPELESS = 10.0
"""Times the first loss at which the test ends: larger rates say nothing more."""


@dataclass(frozen=True)
class Search:
    """A range test: the rate taken, the rates tried and their smoothed losses (Huber, in deviations squared)."""

    rate: float
    rates: Sequence[float]
    losses: Sequence[float]


def find(fitter: Trainer, windows: Windows, batch: int, limit: int) -> Search:
    """A learning rate for this network and these windows, which the fitter's optimiser then has.

    All else is afterwards as it was: weights, the optimiser's moments, the random numbers to come. Batches are drawn as
    in epochs of at most `limit` windows.
    """
    before = fitter.state()
    losses: list[float] = []
    rates = np.geomspace(LEAST, MOST, STEPS)
    with closing(_endless(fitter, windows, batch, limit)) as batches:  # else the next one is being drawn still
        for rate, drawn in zip(rates, batches, strict=False):
            fitter.optimizer.learning_rate = float(rate)
            loss = float(fitter.learn(drawn)[0])
            if losses and not loss <= HOPELESS * losses[0]:  # or no number
                break
            losses.append(loss)
    search = choose(rates, np.array(losses))
    fitter.restore(before)
    fitter.optimizer.learning_rate = search.rate
    return search


def _endless(fitter: Trainer, windows: Windows, batch: int, limit: int) -> Generator[Batches, None, None]:
    while True:
        yield from fitter.cutter.drawn(windows, batch, limit, together=1)


def choose(rates: Floats, losses: Floats) -> Search:
    """What the test says: float [N] rates, ascending, and the losses at the first ones of them, up to where the test
    ended. The rate has two digits, so that it can be written into a site file."""
    smoothed = _smooth(losses)
    before, lowest = float(np.median(losses[:BEFORE])), int(np.argmin(smoothed))
    fall = before - smoothed[lowest]
    risen = [*np.flatnonzero(smoothed[lowest:] > RISE * smoothed[lowest]) + lowest, len(losses) - 1]
    rate = BELOW_RISE * rates[risen[0]]
    if fall > LEAST_FALL * before:
        rate = min(rate, rates[int(np.argmax(smoothed <= before - FALL * fall))])
    return Search(float(f"{rate:.2g}"), rates[: len(losses)].tolist(), smoothed.tolist())


def _smooth(losses: Floats) -> Floats:
    steps = np.arange(len(losses))
    bell = np.exp(-0.5 * np.square((steps[:, None] - steps) / SMOOTHING))
    smoothed: Floats = (bell @ losses) / bell.sum(axis=1)
    return smoothed
