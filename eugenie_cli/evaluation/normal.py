"""Which rows of an asset were given to learn from, and which are judged."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Bools, Ints
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.store import History
from eugenie_cli.site.model import Site
from eugenie_cli.site.values import to_ms
from eugenie_cli.training.datasets import NormalGrid, normal_rows, split


def in_normal_periods(site: Site, asset: str, edges: Ints) -> Bools:
    """bool [T]: edges inside a period that the site file lists as normal for the asset."""
    inside = np.zeros(len(edges), bool)
    for period in site.assets[asset].normal:
        inside |= (edges >= to_ms(period.start)) & (edges < to_ms(period.end))
    return inside


def judged_rows(site: Site, one: Backtest) -> Bools:
    """bool [T]: rows with a value, outside the asset's listed normal periods."""
    return ~np.isnan(one.rows).all(axis=1) & ~in_normal_periods(site, one.asset, one.edges)


def normal_grid(site: Site, history: History, asset: str) -> NormalGrid:
    """The rows from which the model's statistics come and those that calibrate it, as training divides them."""
    periods = site.assets[asset].normal
    start = min((to_ms(period.start) for period in periods), default=None)
    end = max((to_ms(period.end) for period in periods), default=None)
    grid = load_grid(site, history, asset, start, end)
    share = site.classes[site.assets[asset].class_name].model.calibration
    return split(grid, normal_rows(site, grid), share)
