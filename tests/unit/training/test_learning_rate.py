"""The search for a learning rate: its result is sensible and repeatable, and it leaves no trace in the fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_fit import SENSORS, SETTINGS, WINDOW, Killed, fitted, windows

from eugenie_cli.training import fit
from eugenie_cli.training import learning_rate as rate_search
from eugenie_cli.training.checkpoint import Checkpoint, State
from eugenie_cli.training.trainer import Trainer

pytestmark = pytest.mark.slow

GRID = (0.0001, 0.003, 0.01, 0.03, 0.5)
BATCH = 32
AUTO: dict[str, Any] = {"learning_rate": "auto", "batch": BATCH, "epochs": 2}


@pytest.fixture(scope="module")
def searched() -> fit.Fit:
    return fitted(**AUTO)


@pytest.mark.slow
def test_the_rate_found_trains_about_as_well_as_the_best_of_a_grid(tell) -> None:
    """The cost is equal: the fit at the rate found has fewer batches, by the number that the search took."""
    train, validation = windows(1, rows=2_000), windows(2, seed=1)
    settings: dict[str, Any] = {"window": WINDOW, "horizons": SETTINGS["horizons"], "units": SETTINGS["units"]}
    trainer = Trainer(SENSORS, **settings, learning_rate=rate_search.LEAST, seed=0)
    beginning = trainer.state()

    def loss_at(learning_rate: float, batches: int) -> float:
        trainer.restore(beginning)
        trainer.optimizer.learning_rate = learning_rate
        for _ in range(batches * BATCH // 960):
            trainer.epoch(train, BATCH, 960)
        return trainer.validate(validation, BATCH, 700)

    search = rate_search.find(trainer, train, BATCH, 960)
    losses = {rate: loss_at(rate, 300) for rate in GRID}
    own, best = loss_at(search.rate, 300 - rate_search.STEPS), min(losses.values())
    tell(
        f"learning rate found {search.rate:g}: loss {own:.4f} after {300 - rate_search.STEPS} batches; "
        "after 300 of a grid's: " + ", ".join(f"{rate:g} {loss:.4f}" for rate, loss in losses.items())
    )
    assert 0.002 < search.rate < 0.1
    assert own < 1.15 * best
    assert losses[GRID[0]] > 1.5 * own and losses[GRID[-1]] > 1.5 * own


@pytest.mark.slow
def test_the_fit_equals_one_with_that_rate_and_is_the_same_every_time(searched: fit.Fit) -> None:
    again = fitted(**AUTO)
    assert searched.search is not None and again.search == searched.search
    given = fitted(**AUTO | {"learning_rate": searched.search.rate})
    assert given.search is None
    for name, weights in searched.network.items():
        np.testing.assert_array_equal(weights, again.network[name])
        np.testing.assert_array_equal(weights, given.network[name])


@pytest.mark.slow
def test_a_resumed_fit_does_not_search_again(tmp_path: Path, searched: fit.Fit) -> None:
    checkpoint = Checkpoint(tmp_path, "recipe")

    def kill(_search: rate_search.Search) -> None:
        raise Killed

    with pytest.raises(Killed):
        fitted(**AUTO, checkpoint=checkpoint, on_search=kill)
    state = checkpoint.load()
    assert state is not None and state.meta["epochs"] == []
    resumed = fitted(**AUTO, checkpoint=checkpoint)
    assert resumed.search is not None and searched.search is not None
    assert resumed.search.rate == searched.search.rate
    for name, weights in searched.network.items():
        np.testing.assert_array_equal(weights, resumed.network[name])

    marked = {**state.meta, "search": {**state.meta["search"], "rate": 0.12345}}
    checkpoint.save(State(state.arrays, marked))
    reported: list[float] = []
    fitted(**AUTO | {"epochs": 1}, checkpoint=checkpoint, on_search=lambda search: reported.append(search.rate))
    assert reported == [0.12345]


RATES = np.geomspace(rate_search.LEAST, rate_search.MOST, rate_search.STEPS)


def falling(since: float, until: float) -> np.ndarray:
    """Losses of 1 that fall to 0.2 between two rates."""
    return np.asarray(1 - 0.8 * np.clip(np.log(RATES / since) / np.log(until / since), 0, 1))


def test_most_of_the_fall_is_done_at_the_chosen_rate() -> None:
    search = rate_search.choose(RATES, falling(0.001, 0.01))
    assert 0.005 < search.rate < 0.012
    assert len(search.rates) == len(search.losses) == rate_search.STEPS


def test_rates_at_which_the_network_diverges_are_avoided() -> None:
    steep = falling(0.0001, 0.05)
    steep[RATES > 0.05] = 3.0
    assert rate_search.choose(RATES, steep).rate <= 0.006


def test_where_nothing_is_left_to_learn_the_rise_decides() -> None:
    losses = np.where(RATES < 0.02, 1.0, 5.0) * (1 + 0.05 * np.random.default_rng(0).normal(size=rate_search.STEPS))
    assert 0.001 < rate_search.choose(RATES, losses).rate <= 0.0025


@pytest.mark.slow
def test_an_early_end_of_the_test_counts_as_divergence() -> None:
    """It ends after 70 steps, at a rate of 0.03."""
    search = rate_search.choose(RATES, falling(0.001, 0.01)[:70])
    assert 0.002 < search.rate < 0.0035
    assert len(search.rates) == len(search.losses) == 70
