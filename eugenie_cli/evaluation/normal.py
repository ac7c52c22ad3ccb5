"""Which rows of an asset are judged."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Bools, Ints
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.site.model import Site
from eugenie_cli.site.values import to_ms


def in_normal_periods(site: Site, asset: str, edges: Ints) -> Bools:
    """bool [T]: edges inside a period that the site file lists as normal for the asset."""
    inside = np.zeros(len(edges), bool)
    for period in site.assets[asset].normal:
        inside |= (edges >= to_ms(period.start)) & (edges < to_ms(period.end))
    return inside


def judged_rows(site: Site, one: Backtest) -> Bools:
    """bool [T]: rows with a value, outside the asset's listed normal periods."""
    return ~np.isnan(one.rows).all(axis=1) & ~in_normal_periods(site, one.asset, one.edges)
