"""Finds the learning rate: trains for some steps at ever larger rates and observes the loss.

This is the range test of Smith, "Cyclical Learning Rates for Training Neural Networks" (2017): at rates far too small
the loss stays constant, then it falls, then it rises. The chosen rate is the one at which most of the fall is done. The
steepest point, which others choose, is two or three times lower, where the network has only begun to move. The weights
learnt during the test are discarded.
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
"""The range of rates tried, in geometric progression."""
STEPS = 100
"""Steps of the test, one batch each: twenty per power of ten."""
BEFORE = STEPS // 5
"""Steps whose median is the loss before anything is learnt: their rates are a hundred times too small to learn."""
SMOOTHING = 4.0
"""Standard deviation of the Gaussian that smooths the losses, in steps: they vary by a tenth from batch to batch."""
FALL = 0.8
"""Share of the fall completed at the chosen rate. The last tenths depend on chance: with 0.9 four seeds found rates
from 0.012 to 0.06 for one plant, with 0.8 from 0.0095 to 0.011."""
LEAST_FALL = 0.2
"""The smallest fall that counts, as a share of the loss. Below it the network is trained already, and the fall carries
no information."""
RISE, BELOW_RISE = 2.0, 0.1
"""Where the loss exceeds this many times its minimum, the network diverges: a tenth of that rate is the upper limit."""
HOPELESS = 10.0
"""Multiple of the first loss at which the test ends: larger rates give no more information."""


@dataclass(frozen=True)
class Search:
    """A range test: the rate chosen, the rates tried and their smoothed losses (Huber, in deviations squared)."""

    rate: float
    rates: Sequence[float]
    losses: Sequence[float]


def find(trainer: Trainer, windows: Windows, batch: int, limit: int) -> Search:
    """Finds a learning rate for this network and these windows, and sets it on the trainer's optimiser.

    Everything else is restored: weights, the optimiser's moments, the random generator. Batches are drawn as in epochs
    of at most `limit` windows.
    """
    before = trainer.state()
    losses: list[float] = []
    rates = np.geomspace(LEAST, MOST, STEPS)
    with closing(_endless(trainer, windows, batch, limit)) as batches:  # stops drawing the next one
        for rate, drawn in zip(rates, batches, strict=False):
            trainer.optimizer.learning_rate = float(rate)
            loss = float(trainer.learn(drawn)[0])
            if losses and not loss <= HOPELESS * losses[0]:  # also true of NaN
                break
            losses.append(loss)
    search = choose(rates, np.array(losses))
    trainer.restore(before)
    trainer.optimizer.learning_rate = search.rate
    return search


def _endless(trainer: Trainer, windows: Windows, batch: int, limit: int) -> Generator[Batches, None, None]:
    while True:
        yield from trainer.cutter.drawn(windows, batch, limit, together=1)


def choose(rates: Floats, losses: Floats) -> Search:
    """Chooses a rate. `rates`: float [N], ascending; `losses`: at the first of these rates, up to the end of the test.
    The chosen rate has two significant digits, so that it can be written into a site file."""
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
