"""A small plant with history, and a real SavedModel whose scores can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from support.scored_plant import SITE, START, STEP, export, register, rows_of

from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site


@pytest.fixture(scope="session")
def plant(tmp_path_factory) -> Site:
    """A site with imported history of both pumps and an export of model version 3."""
    folder = tmp_path_factory.mktemp("plant")
    file = folder / "plant.yaml"
    file.write_text(SITE.format(workspace=folder / "workspace"))
    site = load_site(file)
    batches = []
    for asset in site.assets:
        rows = rows_of(asset)
        batches += [
            Batch.of(
                (asset, name, START + index * STEP, value)
                for index, value in enumerate(rows[:, column])
                if not np.isnan(value)
            )
            for column, name in enumerate(("pressure", "flow"))
        ]
    open_history(site).commit("test", batches)
    export(folder / "workspace" / "models" / "pump" / "3")
    register(site, "run", "run", "run", "run")
    return site
