"""A bounded replay counts the readings of a row as the grid and the live stream do."""

from __future__ import annotations

import numpy as np

from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.offline_replay import _readings

SITE = {
    "site": "plant",
    "classes": {
        "pump": {"step": "1s", "max_gap": "1s", "sensors": [{"name": "a", "low": 0, "high": 100}, {"name": "b"}]}
    },
    "assets": {"p-1": {"class": "pump"}},
}


def counted(tmp_path, readings: list[tuple[str, int, float]]) -> tuple[list[int], list[int], np.ndarray]:
    """Good and bad readings of each row, and the rows of the grid. `readings`: sensor, second, value."""
    site = Site.model_validate(SITE).model_copy(update={"base": tmp_path})
    history = open_history(site)
    names = sorted({sensor for sensor, _, _ in readings})
    columns = np.array([names.index(sensor) for sensor, _, _ in readings], np.int32)
    seconds, values = (np.array([reading[field] for reading in readings]) for field in (1, 2))
    batch = Batch([("p-1", name) for name in names], columns, 1_000 * seconds.astype(np.int64), values.astype(float))
    history.commit("logger", [batch], key="one")
    grid = load_grid(site.fleet("pump"), history, "p-1")
    nothing = np.full(grid.rows.shape, np.nan, np.float32)
    rows = Backtest("p-1", 1, "run", grid.edges, grid.rows, nothing[:, 0], nothing, nothing, (), ())
    good, bad = _readings(site.classes["pump"], history, rows)
    return (
        good[:2].tolist(),
        bad[:2].tolist(),
        grid.rows,
    )  # the last row holds the previous values and takes in no reading


def test_a_possible_value_wins_over_an_impossible_one_at_the_same_instant(tmp_path):
    good, bad, rows = counted(tmp_path, [("a", 1, 5.0), ("a", 1, 9_999.0), ("b", 1, 9_999.0), ("a", 2, 6.0)])
    assert (good, bad) == ([2, 1], [0, 0])
    assert rows[0].tolist() == [5.0, 9_999.0]


def test_an_impossible_or_bad_value_alone_is_a_bad_reading(tmp_path):
    good, bad, rows = counted(tmp_path, [("a", 1, 101.0), ("b", 1, np.nan), ("a", 2, 100.0), ("b", 2, 1.0)])
    assert (good, bad) == ([0, 2], [2, 0])
    assert np.isnan(rows[0]).all()
