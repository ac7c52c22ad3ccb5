"""The model of a benchmark serves more assets than were trained: every table is as long as the plant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support import sample_detector

from benchmarks.common import model
from benchmarks.common.plant import Plant
from eugenie_cli.detection.asset_tables import asset_tables


def test_each_asset_has_the_tables_of_the_one_that_it_runs_as(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = sample_detector.detector()
    random = np.random.default_rng(0)
    trained = replace(trained, used=random.random((len(trained.assets), len(trained.sensors))) < 0.5)
    monkeypatch.setattr(model, "ALIKE", len(trained.assets))
    plant = Plant(7)
    wide = model.widened(trained, plant)
    assert wide.assets == plant.names
    for (name, before), (_, after) in zip(asset_tables(trained), asset_tables(wide), strict=True):
        assert len(after) == plant.assets, name
        for asset, entry in enumerate(after):
            np.testing.assert_array_equal(entry, before[asset % len(trained.assets)], err_msg=name)
