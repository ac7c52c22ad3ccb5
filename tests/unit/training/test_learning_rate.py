"""The search for a learning rate: what is found is sensible, the same every time, and leaves no trace in the fit."""

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

GRID = (0.0001, 0.003, 0.01, 0.03, 0.5)
BATCH = 32
AUTO: dict[str, Any] = {"learning_rate": "auto", "batch": BATCH, "epochs": 2}


@pytest.fixture(scope="module")
def searched() -> fit.Fit:
    return fitted(**AUTO)


def test_what_is_found_trains_about_as_well_as_the_best_of_a_grid(tell) -> None:
    """Also at equal cost: the fit at the rate that was found has as many batches less as the search took."""
    train, validation = windows(1, rows=2_000), windows(2, seed=1)
    settings: dict[str, Any] = {"window": WINDOW, "horizons": SETTINGS["horizons"], "units": SETTINGS["units"]}
    fitter = Trainer(SENSORS, **settings, learning_rate=rate_search.LEAST, seed=0)
    beginning = fitter.state()

    def loss_at(learning_rate: float, batches: int) -> float:
        fitter.restore(beginning)
        fitter.optimizer.learning_rate = learning_rate
        for _ in range(batches * BATCH // 960):
            fitter.epoch(train, BATCH, 960)
        return fitter.validate(validation, BATCH, 700)

    found = rate_search.find(fitter, train, BATCH, 960)
    losses = {each: loss_at(each, 300) for each in GRID}
    own, best = loss_at(found.rate, 300 - rate_search.STEPS), min(losses.values())
    tell(
        f"learning rate found {found.rate:g}: loss {own:.4f} after {300 - rate_search.STEPS} batches; "
        "after 300 of a grid's: " + ", ".join(f"{each:g} {loss:.4f}" for each, loss in losses.items())
    )
    assert 0.002 < found.rate < 0.1
    assert own < 1.15 * best
    assert losses[GRID[0]] > 1.5 * own and losses[GRID[-1]] > 1.5 * own


def test_the_fit_is_the_one_with_that_number_and_the_same_every_time(searched: fit.Fit) -> None:
    again = fitted(**AUTO)
    assert searched.search is not None and again.search == searched.search
    given = fitted(**AUTO | {"learning_rate": searched.search.rate})
    assert given.search is None
    for name, weights in searched.network.items():
        np.testing.assert_array_equal(weights, again.network[name])
        np.testing.assert_array_equal(weights, given.network[name])


def test_a_fit_that_goes_on_does_not_search_again(tmp_path: Path, searched: fit.Fit) -> None:
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
    told: list[float] = []
    fitted(**AUTO | {"epochs": 1}, checkpoint=checkpoint, on_search=lambda search: told.append(search.rate))
    assert told == [0.12345]


RATES = np.geomspace(rate_search.LEAST, rate_search.MOST, rate_search.STEPS)


def falling(since: float, until: float) -> np.ndarray:
    """Losses of 1 that fall to 0.2 between two rates."""
    return np.asarray(1 - 0.8 * np.clip(np.log(RATES / since) / np.log(until / since), 0, 1))


def test_most_of_the_fall_is_done_at_the_rate_taken() -> None:
    found = rate_search.choose(RATES, falling(0.001, 0.01))
    assert 0.005 < found.rate < 0.012
    assert len(found.rates) == len(found.losses) == rate_search.STEPS


def test_a_network_is_kept_from_rates_that_throw_it_away() -> None:
    steep = falling(0.0001, 0.05)
    steep[RATES > 0.05] = 3.0
    assert rate_search.choose(RATES, steep).rate <= 0.006


def test_where_nothing_is_left_to_learn_the_rise_decides() -> None:
    losses = np.where(RATES < 0.02, 1.0, 5.0) * (1 + 0.05 * np.random.default_rng(0).normal(size=rate_search.STEPS))
    assert 0.001 < rate_search.choose(RATES, losses).rate <= 0.0025


def test_where_the_test_was_broken_off_the_network_was_thrown_away() -> None:
    """After 70 steps: at a rate of 0.03."""
    found = rate_search.choose(RATES, falling(0.001, 0.01)[:70])
    assert 0.002 < found.rate < 0.0035
    assert len(found.rates) == len(found.losses) == 70
